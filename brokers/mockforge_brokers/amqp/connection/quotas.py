"""How many connections and channels a user or a virtual host may have (RabbitMQ's limits pages)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Protocol

from ...errors import InvalidInput
from ..attempts import Attempts
from ..state.virtual_host import VirtualHost
from .phase import Phase

OF_USER: Final = ("max-connections", "max-channels")
OF_VHOST: Final = ("max-connections", "max-queues")


class Counted(Protocol):
    """A connection of either version."""

    phase: Phase
    user: str
    vhost: VirtualHost

    @property
    def channel_count(self) -> int:
        """Channels, or sessions."""
        ...


class Quotas:
    """Counted when somebody comes, since limits are rare; a negative one is none.

    A virtual host keeps its own (`VirtualHost.limits`), of which max-queues is its affair.
    """

    def __init__(
        self, connections: Callable[[], Iterable[Counted]], users: dict[str, dict[str, int]]
    ) -> None:
        self.users = users
        """The limits of each that has some."""
        self.attempts = Attempts()
        """Who tried to be one of them."""
        self._connections = connections

    def problem(self, user: str, vhost: VirtualHost) -> str:
        """Why one more connection is refused, in RabbitMQ's words; empty if it is not."""
        most = vhost.limits.get("max-connections", -1)
        if 0 <= most <= sum(each.vhost is vhost for each in self._open()):
            return (
                f"access to vhost '{vhost.name}' refused for user '{user}': "
                f"connection limit ({most}) is reached"
            )
        most = self._of_user(user, "max-connections")
        if 0 <= most <= sum(each.user == user for each in self._open()):
            return (
                f"connection refused for user '{user}': user connection limit ({most}) is reached"
            )
        return ""

    def problem_of_channel(self, user: str) -> str:
        most = self._of_user(user, "max-channels")
        if most < 0:
            return ""
        count = sum(each.channel_count for each in self._open() if each.user == user)
        if count < most:
            return ""
        return (
            f"number of channels opened for user '{user}' has reached the maximum allowed user "
            f"limit of ({most})"
        )

    def _of_user(self, user: str, name: str) -> int:
        found = self.users.get(user)
        return -1 if found is None else found.get(name, -1)

    def _open(self) -> Iterator[Counted]:
        return (each for each in self._connections() if each.phase is Phase.OPEN)


def checked(limits: Mapping[str, object], known: tuple[str, ...]) -> dict[str, int]:
    """Limits as they can be; raises InvalidInput."""
    found = {}
    for name, value in limits.items():
        if name not in known:
            raise InvalidInput(f"{name} is no such limit; there are {', '.join(known)}")
        if type(value) is not int:
            raise InvalidInput(f"{name} should be a number, actually was {value!r}")
        found[name] = value
    return found
