"""Stand-ins for programs of Windows that Wine lacks: each becomes an ``.exe`` of a lab host."""
