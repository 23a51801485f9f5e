"""What a new desired-state repository is made of: templates, and what is worked out from its owners."""
