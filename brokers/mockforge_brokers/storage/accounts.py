"""Users and rules that were made while the program ran."""

from collections.abc import Collection
from typing import Final

from msgspec import Struct, msgpack

from ..access import ALL_TAGS, Access, Credentials, Rule, User
from .facts import Kept
from .store import Store

_KIND: Final = "access"


class UserRow(Struct):
    """`password` is a hash or plain, as it was given; None where only SCRAM lets the user in."""

    name: str
    password: str | None
    protocols: list[str]
    scram: dict[str, Credentials | None]
    tags: tuple[str, ...] = ALL_TAGS


class AccessRow(Struct):
    """`gone` are users that are there at each start, and were removed."""

    users: list[UserRow]
    rules: list[Rule]
    gone: list[str]


class StoredAccess:
    """Keeps what the program did not begin with; users of these `names` are as they are given."""

    def __init__(self, store: Store, access: Access, names: Collection[str]) -> None:
        self._store = store
        self._access = access
        self._names = names
        self._given = dict(access.users)
        self._rules = list(access.rules.values())

    def take_up(self, found: Kept) -> None:
        value = found.of_kind(_KIND).get(b"")
        if value is not None:
            with self._store.still():
                self._put_up(msgpack.decode(value, type=AccessRow))
        self._access.on_kept_change(lambda: self._store.changed(_KIND, b"", self._encoded))

    def _put_up(self, row: AccessRow) -> None:
        access = self._access
        for each in row.users:
            if each.name not in self._names:
                user = access.add_user(each.name, each.password, each.protocols, each.tags)
                user.scram = dict(each.scram)
        for name in row.gone:
            if name in access.users and name not in self._names:
                access.remove_user(name)
        for rule in row.rules:
            if rule not in self._rules:
                access.add_rule(rule)

    def _encoded(self) -> bytes:
        access = self._access
        users = [
            _row(user) for user in access.users.values() if self._given.get(user.name) is not user
        ]
        rules = [rule for rule in access.rules.values() if rule not in self._rules]
        gone = [name for name in self._given if name not in access.users]
        return msgpack.encode(AccessRow(users, rules, gone))


def _row(user: User) -> UserRow:
    password = None if user.secretless else user.hashed or user.plain
    return UserRow(user.name, password, sorted(user.protocols), dict(user.scram), user.tags)
