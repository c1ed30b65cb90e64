"""Queues: what a channel calls, where messages are stored, and what arguments make of both."""
