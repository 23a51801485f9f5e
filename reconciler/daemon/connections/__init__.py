"""What the daemon does with connections before any request is handled: admits them, bounds them, ends them."""
