"""The command line: thin. Asks operations, and prints what they return."""
