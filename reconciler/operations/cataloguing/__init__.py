"""What import and publish share: from an MSI to a release in a catalog file."""
