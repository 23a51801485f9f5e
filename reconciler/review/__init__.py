"""The built-in review: changes as branches of a repository that the daemon holds, and merges that it signs."""
