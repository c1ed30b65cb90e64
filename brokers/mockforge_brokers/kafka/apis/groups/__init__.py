"""Group membership, and groups described."""
