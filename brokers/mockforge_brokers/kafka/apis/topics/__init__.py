"""Topics made, grown and deleted."""
