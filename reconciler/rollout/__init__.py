"""Lets the desired state through to hosts, as assignments. Pure: no I/O, no clock."""
