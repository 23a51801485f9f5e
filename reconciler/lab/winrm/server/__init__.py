"""The endpoint itself: runs on a lab host's Windows Python, with the standard library and pyspnego alone."""
