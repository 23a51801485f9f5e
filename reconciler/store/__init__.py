"""Keeps what cannot be had again from git or from the hosts, and what was last observed.

One SQLite file beside the artifact folder. Knows tables and SQL, decides nothing.
"""
