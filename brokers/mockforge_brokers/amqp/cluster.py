"""What RabbitMQ keeps for a whole cluster, in no virtual host."""

from typing import Any


class Cluster:
    """Global parameters by name, which plugins of RabbitMQ read, and users' limits by user."""

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}
        self.user_limits: dict[str, dict[str, int]] = {}

    def empty(self) -> None:
        """In place: who reads the limits has the same dict."""
        self.parameters.clear()
        self.user_limits.clear()
