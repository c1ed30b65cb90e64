"""What people do with Kafka: verbs of console, fixtures and HTTP, on what the wire calls too.

Each raises InvalidInput with the state's own words for what cannot be.
"""
