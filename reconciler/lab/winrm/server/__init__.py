"""The endpoint itself: runs on a lab host's Windows Python, with the standard library and pyspnego alone."""

IN_CONSOLE = "in-console"
"""The word on the command line of the process that is the endpoint, and not the one that gives it its console."""
