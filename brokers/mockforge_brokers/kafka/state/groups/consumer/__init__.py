"""Consumer groups whose assignments the broker makes (KIP-848)."""
