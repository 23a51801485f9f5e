"""Holds what is wanted against what was observed. Pure: no I/O, no clock."""
