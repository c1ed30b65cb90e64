"""Consumer groups: the coordinator, what they committed, and each group protocol."""
