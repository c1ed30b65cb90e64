"""What is changed in a held message, as options say it: for `edit` and for `hold`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.misbehaviour.decisions import Changes
from msgspec import UNSET, UnsetType

from ..language import Token
from ..lookup import BadArgument
from ..payloads import Payload, maker, text_maker
from ..registry import Opt, Type
from ..types import PAIR, TEXT
from .publish import Pair, octets, properties_of

if TYPE_CHECKING:
    from ..session import Session


def _part(token: Token) -> Pair:
    kind, _, name = token.value.partition(".")
    if (kind == "key" and not name) or (kind in ("header", "prop") and name):
        return kind, name
    raise ValueError(f"{token.value!r} is none of key, header.NAME or prop.NAME")


Key = Annotated[str | None, Opt(("-k", "--key"), TEXT, "record key; AMQP: routing key", "KEY")]
Headers = Annotated[
    tuple[Pair, ...], Opt(("-H", "--header"), PAIR, "header or user property", repeat=True)
]
Properties = Annotated[
    tuple[Pair, ...], Opt(("--prop",), PAIR, "property of AMQP or MQTT 5", repeat=True)
]
Without = Annotated[
    tuple[Pair, ...],
    Opt(
        ("--without",), Type("part", _part), "takes out key, header.NAME or prop.NAME", repeat=True
    ),
]
Fields = Annotated[
    tuple[Pair, ...], Opt(("--set",), PAIR, "a field of the frame, as fault add set", repeat=True)
]
Null = Annotated[bool, Opt(("--null",), None, "no payload (a tombstone in Kafka)")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options name; all else of a message stays as it is."""

    payload: Payload | None = None
    key: str | None = None
    headers: tuple[Pair, ...] = ()
    properties: tuple[Pair, ...] = ()
    without: tuple[Pair, ...] = ()
    null: bool = False
    fields: tuple[Pair, ...] = ()

    @property
    def named(self) -> set[Pair]:
        """What is set, as `without` names it."""
        pairs = {("header", name) for name, _ in self.headers}
        pairs |= {("prop", name) for name, _ in self.properties}
        return pairs if self.key is None else pairs | {("key", "")}

    @property
    def anything(self) -> bool:
        return self != Wanted()


def changes_of(session: "Session", wanted: Wanted) -> Callable[[], Changes]:
    """What makes the changes of one message after another; raises BadArgument."""
    if wanted.payload is not None and wanted.null:
        raise BadArgument("payload", "--null or a payload, not both")
    for part in wanted.without:
        if part in wanted.named:
            name = ".".join(filter(None, part))
            raise BadArgument("without", f"{name} is set and taken out: only one of both")
    body = None if wanted.payload is None else maker(wanted.payload, files=session.files)
    key = None if wanted.key is None else text_maker(wanted.key)
    headers = [(text_maker(name), text_maker(value)) for name, value in wanted.headers]
    properties = properties_of(wanted.properties)
    fields = [(name, text_maker(value)) for name, value in wanted.fields]
    gone = {kind: {name: None for k, name in wanted.without if k == kind}
            for kind in ("key", "header", "prop")}  # fmt: skip
    scope = session.scope

    def make() -> Changes:
        scope.begin()
        payload: bytes | UnsetType | None = None if wanted.null else UNSET
        new_key: bytes | UnsetType | None = None if gone["key"] else UNSET
        values: dict[str, Any] = {name.replace("-", "_"): None for name in gone["prop"]}
        values |= {name: render(scope) for name, render in properties.items()}
        named: dict[str, Any] = dict(gone["header"])
        named |= {name(scope): value(scope) for name, value in headers}
        return Changes(
            payload=payload if body is None else body(scope),
            key=new_key if key is None else octets(key(scope)),
            headers=named,
            properties=values,
            fields={name: value(scope) for name, value in fields},
        )

    return make
