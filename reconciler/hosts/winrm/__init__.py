"""Reaches hosts by WinRM: the machine port by commands on the host, and one cycle of keeping such a host."""
