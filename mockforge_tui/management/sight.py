"""What a user sees of a broker, and may do to it, through the management interface.

Asked of RabbitMQ 3.10.8. Queues, exchanges, bindings and policies are those of the virtual hosts
in which the user has permissions, an administrator's, too. Connections, channels and consumers are
the user's own, but for `monitoring` and `administrator`, who see all, and all virtual hosts in
their list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from mockforge_brokers.access import Access, Guard
from mockforge_brokers.permissions import escaped

from .refusals import Refused

AMQP: Final = "amqp"
ANYBODY: Final = ""
"""In place of a user's name: whoever asks, who need not have logged in."""
_SEES_ALL: Final = frozenset(("administrator", "monitoring"))

Row = Mapping[str, Any]
R = TypeVar("R", bound=Row)


class Sight:
    """Of one user, for one request."""

    def __init__(self, access: Access, user: str) -> None:
        self.user = user
        self.all = user != ANYBODY and not _SEES_ALL.isdisjoint(access.users[user].tags)
        self._guard: Guard | None = access.guard(AMQP, user, _unreported)

    def reaches(self, vhost: str) -> bool:
        """Whether the user has permissions there."""
        return self._guard is None or self._guard.reaches(vhost)

    def check_vhost(self, vhost: str) -> None:
        """Raises Refused (401)."""
        if not self.reaches(vhost):
            raise _denied("User not authorised to access virtual host")

    def check_owner(self, row: Row) -> None:
        """A connection or channel is another user's: raises Refused (401)."""
        if not (self.all or row["user"] == self.user):
            raise _denied("User not authorised to access object")

    def permit(self, operation: str, vhost: str, name: str) -> None:
        """The permissions of AMQP count here, too: raises Refused (401)."""
        if not self.permits(operation, vhost, name):
            raise _denied("Access refused.")

    def permits(self, operation: str, vhost: str, name: str) -> bool:
        where = f"{escaped(vhost)}:{name or 'amq.default'}"
        return self._guard is None or self._guard.allows(operation, where)

    def in_reach(self, rows: Iterable[R]) -> list[R]:
        """Those of the virtual hosts that the user has permissions in."""
        return [row for row in rows if self.reaches(row["vhost"])]

    def own(self, rows: Iterable[R]) -> list[R]:
        """Connections, channels or consumers; of a consumer its channel says whose it is."""
        return [row for row in rows if self.all or _user_of(row) == self.user]

    def vhosts(self, rows: Iterable[R]) -> list[R]:
        return [row for row in rows if self.all or self.reaches(row["name"])]


def _user_of(row: Row) -> object:
    details = row.get("channel_details")
    return row.get("user") if details is None else details.get("user")


def _denied(reason: str) -> Refused:
    return Refused(401, "not_authorised", reason)


def _unreported(what: str, why: str) -> None:
    """Who only looks has tried nothing that an operator would want to hear of."""
