"""Partition logs: what enters them, what bounds them, what they are configured to."""
