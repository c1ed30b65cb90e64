"""Who tried to log in, how often and by which protocol (RabbitMQ's `auth/attempts`)."""

from collections import defaultdict
from typing import Any, Final, NamedTuple

_MOST_SOURCES: Final = 1000
"""Addresses with user names that are remembered: strangers may make up names without end."""
HTTP: Final = "http"


class Source(NamedTuple):
    """`address` is without the port."""

    address: str
    user: str
    protocol: str


class _Count:
    """One that succeeded is as good as one that failed: both are attempts."""

    def __init__(self) -> None:
        self.succeeded = 0
        self.failed = 0

    def add(self, *, succeeded: bool) -> None:
        if succeeded:
            self.succeeded += 1
        else:
            self.failed += 1

    def figures(self) -> dict[str, int]:
        return {
            "auth_attempts": self.succeeded + self.failed,
            "auth_attempts_failed": self.failed,
            "auth_attempts_succeeded": self.succeeded,
        }


class Attempts:
    """By protocol (amqp091, amqp10, http), and by where they came from."""

    def __init__(self) -> None:
        self._protocols: defaultdict[str, _Count] = defaultdict(_Count)
        self._sources: defaultdict[Source, _Count] = defaultdict(_Count)

    def note(self, source: Source, *, succeeded: bool) -> None:
        if source not in self._sources and len(self._sources) >= _MOST_SOURCES:
            del self._sources[next(iter(self._sources))]
        self._protocols[source.protocol].add(succeeded=succeeded)
        self._sources[source].add(succeeded=succeeded)

    def by_protocol(self) -> list[dict[str, Any]]:
        return [{"protocol": name, **each.figures()} for name, each in self._protocols.items()]

    def by_source(self) -> list[dict[str, Any]]:
        """RabbitMQ has them where `track_auth_attempt_source` is on; here they always are."""
        return [
            {
                "remote_address": source.address,
                "username": source.user,
                "protocol": source.protocol,
                **each.figures(),
            }
            for source, each in self._sources.items()
        ]

    def clear(self) -> None:
        self._protocols.clear()

    def clear_sources(self) -> None:
        self._sources.clear()
