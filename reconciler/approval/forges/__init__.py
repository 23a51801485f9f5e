"""The forges, each behind the same port. They do not know each other."""
