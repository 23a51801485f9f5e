"""What a person or a handler can ask for: one file each, used by command line, web and daemon alike."""
