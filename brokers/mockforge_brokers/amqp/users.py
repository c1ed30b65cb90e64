"""What changed between two looks at users and permissions, in the events of RabbitMQ's plugin."""

from collections.abc import Collection, Iterator
from typing import Any

from ..access import Access
from . import granting

Change = tuple[str, dict[str, Any]]


class Users:
    """As they were at the last look; passwords as they are kept."""

    def __init__(self, access: Access, vhosts: Collection[str]) -> None:
        found = [user for user in access.users.values() if "amqp" in user.protocols]
        self._passwords = {user.name: (user.hashed, user.plain) for user in found}
        self._tags = {user.name: user.tags for user in found}
        self._permissions = {
            (str(row["user"]), str(row["vhost"])): row for row in granting.rows(access, vhosts)
        }

    def changes_to(self, now: "Users") -> Iterator[Change]:
        """A user that goes takes its permissions along, which RabbitMQ does not say."""
        for name, password in now._passwords.items():
            before = self._passwords.get(name)
            if before is None or before != password:
                what = "user.created" if before is None else "user.password.changed"
                yield what, {"name": name}
            if before != password or self._tags.get(name) != now._tags[name]:
                yield "user.tags.set", {"name": name, "tags": list(now._tags[name])}
        for key, row in now._permissions.items():
            if self._permissions.get(key) != row:
                yield "permission.created", dict(row)
        for user, vhost in self._permissions:
            if (user, vhost) not in now._permissions and user in now._passwords:
                yield "permission.deleted", {"user": user, "vhost": vhost}
        for name in self._passwords:
            if name not in now._passwords:
                yield "user.deleted", {"name": name}
