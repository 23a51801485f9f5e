"""Measures what this project promises about its speed, each time as a ratio against a floor in the same run.

Absolute times say little on a machine that others share. So nothing here is judged by one: what is measured and
what it is measured against take turns, and the medians are shown with the least and the most.
"""
