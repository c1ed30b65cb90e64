"""Kafka's message schemas, by family: the one place where names, types and versions stand."""
