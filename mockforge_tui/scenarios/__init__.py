"""Scenarios at work on the brokers, and reports of how they went."""
