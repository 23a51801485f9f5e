"""The files that get installed: kept by hash, and read for the identity they carry."""
