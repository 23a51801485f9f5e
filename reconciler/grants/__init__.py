"""What the server lets the desired state use, by name: secrets, networks and channels. Not from Git."""
