"""Runs handlers when something may have changed.

Level-triggered: an event is only a hint to look. A handler works from what is stored and observed, so that
running it again, or missing an event, changes nothing in the end.
"""
