"""Which routing keys of a topic exchange a user may publish by and bind by (topic permissions)."""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from ...errors import InvalidInput, RequestRefused
from ...expressions import compiled
from ..codes import ReplyCode
from .exchanges import Exchange

_NOTHING: Final = "^$"


class TopicPermission(Struct, frozen=True):
    """Two expressions, in which `{username}` and `{vhost}` stand for the user's."""

    user: str
    exchange: str
    write: str
    read: str


class TopicPermissions:
    """Of one virtual host. Who has none for an exchange may use all of its keys."""

    def __init__(self, vhost: str) -> None:
        self._vhost = vhost
        self._given: dict[tuple[str, str], TopicPermission] = {}

    def __iter__(self) -> Iterator[TopicPermission]:
        return iter(tuple(self._given.values()))

    def set(self, permission: TopicPermission) -> bool:
        """Add or replace; True if it is new. Raises InvalidInput."""
        for expression in (permission.write, permission.read):
            try:
                compiled(expression)
            except re.error as error:
                raise InvalidInput(f"{expression!r} is no regular expression: {error}") from None
        key = permission.user, permission.exchange
        new = key not in self._given
        self._given[key] = permission
        return new

    def clear(self, user: str, exchange: str | None = None) -> bool:
        """Take back those for one exchange, or all of a user's; False if there is none."""
        found = [key for key in self._given if key[0] == user and exchange in (None, key[1])]
        for key in found:
            del self._given[key]
        return bool(found)

    def check(self, user: str, operation: str, exchange: Exchange, routing_key: str) -> None:
        """Raise RequestRefused (403) where the user may not `write` or `read` by this key."""
        permission = self._given.get((user, exchange.name))
        if permission is None or exchange.type != "topic":
            return
        given = permission.write if operation == "write" else permission.read
        pattern = given.replace("{username}", user).replace("{vhost}", self._vhost)
        try:
            allowed = bool(compiled(pattern or _NOTHING).search(routing_key))
        except re.error:
            # The user's name made it no expression any more.
            allowed = False
        if not allowed:
            raise RequestRefused(
                ReplyCode.ACCESS_REFUSED,
                f"access to topic '{routing_key}' in exchange '{exchange.name}' in vhost "
                f"'{self._vhost}' refused for user '{user}'",
            )
