"""Who tried to log in, how often and by which protocol (RabbitMQ's `auth/attempts`)."""

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

    def figures(self) -> dict[str, int]:
        return {
            "auth_attempts": self.succeeded + self.failed,
            "auth_attempts_failed": self.failed,
            "auth_attempts_succeeded": self.succeeded,
        }


class Attempts:
    """By protocol (amqp091, amqp10, http), and by where they came from."""

    def __init__(self) -> None:
        self._protocols: dict[str, _Count] = {}
        self._sources: dict[Source, _Count] = {}

    def note(self, source: Source, *, succeeded: bool) -> None:
        if source not in self._sources and len(self._sources) >= _MOST_SOURCES:
            del self._sources[next(iter(self._sources))]
        for count in (
            self._protocols.setdefault(source.protocol, _Count()),
            self._sources.setdefault(source, _Count()),
        ):
            if succeeded:
                count.succeeded += 1
            else:
                count.failed += 1

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
