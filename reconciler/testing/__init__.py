"""What tests and demonstrations use in the place of the real thing; each says so, and is tested like it."""
