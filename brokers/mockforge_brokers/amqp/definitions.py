"""Definitions as RabbitMQ exports them are taken up: one JSON document of all that is declared."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..access import ALL_TAGS, Access, User
from ..errors import InvalidInput
from ..fairness import Stepped
from . import granting
from .granting import OPERATIONS
from .state.refusals import RESERVED

if TYPE_CHECKING:
    from .broker import AmqpBroker

Item = Mapping[str, Any]
Loaded = Stepped[dict[str, int]]
"""How many of each section."""
_HASHES: Final = {
    "rabbit_password_hashing_sha256": "sha256",
    "rabbit_password_hashing_sha512": "sha512",
    "rabbit_password_hashing_md5": "md5",
}
NO_PASSWORD: Final = b64encode(bytes(36)).decode()
"""The hash of no password."""


def load(broker: AmqpBroker, document: Mapping[str, Any], vhost: str | None = None) -> Loaded:
    """Take up a whole document in steps; comes to how many of each kind. Raises InvalidInput.

    `vhost` is where all of a document goes that is of one virtual host: what else is in it, users
    for example, is not looked at.
    """
    counts: dict[str, int] = {}
    # What is no document is refused before anything changes.
    found = list(_items(document, SECTIONS if vhost is None else OF_A_VHOST))
    loading = Loading(broker, document, vhost)
    of_access = sum(section in _OF_ACCESS for section, _ in found)
    with broker.environment.access.together():
        for section, item in found[:of_access]:
            loading.take(section, item)
    for section, item in found[of_access:]:
        loading.take(section, item)
        yield
    for section, _ in found:
        counts[section] = counts.get(section, 0) + 1
    return counts


class Loading:
    """A document that is taken up item by item, in the order of `SECTIONS`.

    Users that come with it have just the rights that it says, if these are not all. Those that
    were there before keep what they had, but where it says what they may.
    """

    def __init__(
        self, broker: AmqpBroker, document: Mapping[str, Any], vhost: str | None = None
    ) -> None:
        access = broker.environment.access
        self._broker = broker
        self._vhost = vhost
        self._users = {str(item.get("name")) for item in document.get("users", ())}
        self._vhosts = {str(item.get("name")) for item in document.get("vhosts", ())}
        self._rows: Sequence[Item] = document.get("permissions", ())
        self._before = frozenset(access.users), tuple(broker.vhosts)
        self._loaders: Loaders = _LOADERS

    def take(self, section: str, item: Item) -> None:
        """Raises InvalidInput with what it is called."""
        if section == "permissions" and self._loaders is _LOADERS and self._restricts():
            self._loaders = {**_LOADERS, section: _permit}
            if not granting.ruled(self._broker.environment.access):
                self._leave_rights()
        define(self._broker, section, item, self._vhost, self._loaders)

    def _restricts(self) -> bool:
        """Whether somebody of the document may not do all in one of its virtual hosts."""
        rows = self._rows
        if any(row.get(each) != granting.EVERYTHING for row in rows for each in OPERATIONS):
            return True
        given = {(_user_of(row), str(row.get("vhost", "/"))) for row in rows}
        users = self._users | {user for user, _ in given}
        vhosts = self._vhosts | {vhost for _, vhost in given}
        return len(given) < len(vhosts) * len(users)

    def _leave_rights(self) -> None:
        """From here on rights are those of rules."""
        access, (users, vhosts) = self._broker.environment.access, self._before
        named = self._users | {_user_of(row) for row in self._rows}
        granting.leave_others(access, self._broker.vhosts, named)
        granting.leave_others(access, vhosts, access.users.keys() - (named & users))


def _user_of(row: Item) -> str:
    return str(row.get("user"))


def _items(document: Mapping[str, Any], sections: Sequence[str]) -> Iterator[tuple[str, Item]]:
    for section in sections:
        found = document.get(section, [])
        if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
            raise InvalidInput(f"{section} is a list of objects")
        for item in found:
            yield section, item


Loaders = Mapping[str, Callable[["AmqpBroker", Item, str], None]]


def define(
    broker: AmqpBroker,
    section: str,
    item: Item,
    vhost: str | None = None,
    loaders: Loaders | None = None,
) -> None:
    """One item of a section; raises InvalidInput with what it is called.

    It goes to `vhost`, whichever it names.
    """
    name = item.get("name") or item.get("user") or item.get("source") or "?"
    try:
        where = str(item.get("vhost", "/")) if vhost is None else vhost
        (loaders or _LOADERS)[section](broker, item, where)
    except KeyError as error:
        raise InvalidInput(f"{section}, {name}: {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{section}, {name}: {error}") from None


def _user(broker: AmqpBroker, item: Item, vhost: str) -> None:
    access = broker.environment.access
    name = str(item["name"])
    before = access.users.get(name)
    password = item.get("password")
    if password is None:
        kind = str(item.get("hashing_algorithm", "rabbit_password_hashing_sha256"))
        if kind not in _HASHES:
            raise InvalidInput(f"users, {name}: {kind} is none of {', '.join(_HASHES)}")
        # Without a hash no password is right, as in RabbitMQ.
        given = str(item.get("password_hash") or NO_PASSWORD)
        password = f"$rabbit${_HASHES[kind]}${given}"
    protocols = {*before.protocols, "amqp"} if before else ("amqp",)
    access.add_user(name, str(password), protocols, _tags(item, before))
    if limits := _object(item, "limits"):
        broker.limit_user(name, limits)


def _tags(item: Item, before: User | None) -> Sequence[str]:
    """A list, or, as releases before 3.9 have it, a text with commas."""
    given = item.get("tags")
    if given is None:
        return before.tags if before else ALL_TAGS
    return words(given)


def words(given: object) -> list[str]:
    """Tags as a list, or as a text with commas; none of null. Raises TypeError for the rest."""
    if given is None:
        return []
    if not isinstance(given, (str, list)):
        raise TypeError(f"tags are a list or a text with commas, not {given!r}")
    each = given.split(",") if isinstance(given, str) else map(str, given)
    return [word.strip() for word in each if word.strip()]


def _vhost(broker: AmqpBroker, item: Item, vhost: str) -> None:
    name, kind = str(item["name"]), queue_type_of(item)
    metadata = item.get("metadata")
    parts = (metadata, item) if isinstance(metadata, Mapping) else (item,)
    said = {key: value for part in parts for key, value in part.items() if value is not None}
    # What may be refused is looked at before anything changes.
    description, tags = str(said.get("description", "")), words(said.get("tags"))
    if name not in broker.vhosts:
        broker.add_vhost(name, default_queue_type=kind or "", description=description, tags=tags)
        return
    if kind is not None:
        broker.default_queue_type(kind, vhost=name)
    if "description" in said or "tags" in said:
        broker.describe_vhost(name, description, tags)


def queue_type_of(item: Item) -> str | None:
    """What a virtual host's object says of queues without a type; None where it says nothing."""
    metadata = item.get("metadata")
    inner = metadata.get("default_queue_type") if isinstance(metadata, Mapping) else None
    # The second one is what 3.10 and the first of 3.11 called it.
    found = item.get("default_queue_type", item.get("defaultqueuetype", inner))
    return None if found is None else str(found)


def _permission(broker: AmqpBroker, item: Item, vhost: str) -> None:
    """Who may do all needs no rule: as long as nobody has one, everybody may do all."""
    access, user, given = _rights(broker, item, vhost)
    every = all(each == granting.EVERYTHING for each in given.values())
    if granting.ruled(access) or not every:
        granting.grant(access, broker.vhosts, user, vhost, given)


def _permit(broker: AmqpBroker, item: Item, vhost: str) -> None:
    """What others may do is said already."""
    access, user, given = _rights(broker, item, vhost)
    granting.put(access, user, vhost, given)


def _rights(broker: AmqpBroker, item: Item, vhost: str) -> tuple[Access, str, dict[str, str]]:
    """Of whom, and what; raises InvalidInput where the user or the virtual host is none."""
    access, user = broker.environment.access, str(item["user"])
    broker.vhost(vhost)
    if access.user("amqp", user) is None:
        raise InvalidInput(f"permissions in vhost '{vhost}': no such user: {user}")
    return access, user, {operation: str(item[operation]) for operation in OPERATIONS}


def _topic_permission(broker: AmqpBroker, item: Item, vhost: str) -> None:
    user, exchange, write, read = (str(item[key]) for key in ("user", "exchange", "write", "read"))
    broker.permit_topic(user, exchange, write, read, vhost=vhost)


def _parameter(broker: AmqpBroker, item: Item, vhost: str) -> None:
    """Operator policies and a virtual host's limits; plugins of RabbitMQ's have more."""
    component = item["component"]
    if component not in COMPONENTS:
        raise InvalidInput(f"parameters, {item['name']}: component {component} not found")
    if component == "vhost-limits":
        broker.limit_vhost(vhost, _object(item, "value"))
    else:
        _set_policy(broker, str(item["name"]), item["value"], vhost, operator=True)


COMPONENTS: Final = ("vhost-limits", "operator_policy")
"""Whose parameters there are."""


def _global_parameter(broker: AmqpBroker, item: Item, vhost: str) -> None:
    broker.set_global_parameter(str(item["name"]), item["value"])


def _object(item: Item, key: str) -> Item:
    """Empty where it is not given. An empty one may be Erlang's empty list: limits that are all
    gone. Raises TypeError."""
    value = item.get(key, {})
    if value == []:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{key} is an object, not {value!r}")
    return value


def _policy(broker: AmqpBroker, item: Item, vhost: str) -> None:
    _set_policy(broker, str(item["name"]), item, vhost, operator=False)


def _set_policy(broker: AmqpBroker, name: str, value: Item, vhost: str, *, operator: bool) -> None:
    broker.set_policy(
        name,
        str(value["pattern"]),
        dict(value["definition"]),
        apply_to=str(value.get("apply-to", "all")),
        priority=value.get("priority", 0),
        operator=operator,
        vhost=vhost,
    )


def _is_left_out(name: object) -> bool:
    """Names that a server gave, and the default exchange; RabbitMQ takes none of them either."""
    return not name or str(name).startswith(RESERVED)


def _exchange(broker: AmqpBroker, item: Item, vhost: str) -> None:
    if item["name"] not in broker.vhost(vhost).exchanges and not _is_left_out(item["name"]):
        broker.declare_exchange(
            str(item["name"]),
            str(item["type"]),
            durable=bool(item.get("durable", True)),
            auto_delete=bool(item.get("auto_delete")),
            internal=bool(item.get("internal")),
            arguments=_object(item, "arguments"),
            vhost=vhost,
        )


def _queue(broker: AmqpBroker, item: Item, vhost: str) -> None:
    if item["name"] not in broker.vhost(vhost).queues and not _is_left_out(item["name"]):
        broker.declare_queue(
            str(item["name"]),
            durable=bool(item.get("durable", True)),
            auto_delete=bool(item.get("auto_delete")),
            arguments=_object(item, "arguments"),
            vhost=vhost,
        )


def _binding(broker: AmqpBroker, item: Item, vhost: str) -> None:
    """One of what was left out is left out too."""
    host, source, destination = broker.vhost(vhost), item["source"], item["destination"]
    to_queue = item.get("destination_type", "queue") == "queue"
    for table, name in (
        (host.exchanges, source),
        (host.queues if to_queue else host.exchanges, destination),
    ):
        if name not in table and _is_left_out(name):
            return
    broker.bind(
        str(source),
        str(destination),
        str(item.get("routing_key", "")),
        _object(item, "arguments"),
        kind="queue" if to_queue else "exchange",
        vhost=vhost,
    )


_LOADERS: Final[dict[str, Callable[[AmqpBroker, Item, str], None]]] = {
    "users": _user,
    "vhosts": _vhost,
    "permissions": _permission,
    "topic_permissions": _topic_permission,
    "parameters": _parameter,
    "global_parameters": _global_parameter,
    "policies": _policy,
    "exchanges": _exchange,
    "queues": _queue,
    "bindings": _binding,
}
SECTIONS: Final = tuple(_LOADERS)
"""What is taken up, in this order."""
_OF_ACCESS: Final = SECTIONS[:4]
"""Who may do what: one change, and few."""
OF_A_VHOST: Final = ("parameters", "policies", "exchanges", "queues", "bindings")
"""What a document of one virtual host has."""
