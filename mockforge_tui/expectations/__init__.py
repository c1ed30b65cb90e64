"""Expectations looked at in running brokers: met, broken, or what is missing and why."""
