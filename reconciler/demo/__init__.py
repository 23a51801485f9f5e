"""Shows the main job from end to end: a repository, a daemon and hosts, led through a promotion and back."""
