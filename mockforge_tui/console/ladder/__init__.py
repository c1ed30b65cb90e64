"""A connection as a sequence diagram: the client on the left, the broker on the right."""
