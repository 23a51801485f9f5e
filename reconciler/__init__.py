"""Reconciler keeps fleets of Windows machines at the versions that a git repository says."""

__version__ = "0.1.0"
