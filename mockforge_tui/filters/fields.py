"""What a filter may ask about: the fields of a row, and of any table of records."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mockforge_brokers.protocols import PROTOCOLS

Kind = Literal[
    "text",  # compared as it is, globs, ~ and ^=
    "name",  # text whose case does not matter
    "topic",  # text; + and # are MQTT's wildcards
    "address",  # of a client: CIDR, and globs with and without its port
    "bytes",  # bytes, or None
    "number",
    "size",
    "duration",
    "flag",
    "any",  # whatever a table has
]


@dataclass(frozen=True, slots=True)
class Field:
    """One field; `code` is the Python expression that reads it from the row `r`.

    `protocol` names the only protocol that has it; `values` are all it can be; `cost` orders the
    terms of a filter, cheap ones first; `finds` reads fields that are not known by name alone.
    """

    name: str
    kind: Kind
    code: str
    help: str
    protocol: str = ""
    values: tuple[str, ...] = ()
    cost: int = 1
    path: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """What is filtered: its fields, flags, and the expressions that a bare word searches."""

    name: str
    fields: Mapping[str, Field]
    has: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()
    helpers: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    numbered: str = ""

    def find(self, name: str) -> tuple[Field, str] | None:
        """Returns the field of a name, and the path behind it (`json.a.b`: `a.b`)."""
        known = self.fields.get(name.lower())
        if known is not None:
            return None if known.path else (known, "")
        head, dot, path = name.partition(".")
        known = self.fields.get(head.lower())
        if known is not None and known.path and dot and path:
            return known, path
        return None


def header_of(row: Any, name: str) -> Any:
    """The value of a header by name, whatever its case; None if there is none."""
    lowered = name.lower()
    for key, value in row.headers:
        if key.lower() == lowered:
            return _as_text(value)
    return None


def property_of(row: Any, name: str) -> Any:
    """A property of MQTT 5 or AMQP, with - and _ alike; None if there is none."""
    wanted = name.replace("-", "_").lower()
    for place in (row.detail.get("properties"), row.detail):
        if isinstance(place, Mapping) and wanted in place:
            return _as_text(place[wanted])
    return None


_CODES: Final = ("reply_code", "reason", "error_code", "code", "state", "step")
_BEHIND_NAMES: Final = re.compile(" - |: ")
"""NOT_FOUND - no queue 'q' in vhost '/'; released: no route."""


def code_of(row: Any) -> list[Any] | None:
    """The codes that a reply bears: their numbers and names, as people see them and as the codes of
    refusals are spelled; else the error."""
    detail = row.detail
    found = [value for name in _CODES if (value := detail.get(name))]
    for name in ("reasons", "codes"):
        several = detail.get(name)
        if isinstance(several, list | tuple):
            found += filter(None, several)
    texts = [each for each in (*found, row.error) if each and isinstance(each, str)]
    names = [
        name
        for each in texts
        for name in _BEHIND_NAMES.split(each.removeprefix("Rejected: "), 1)[0].split(", ")
    ]
    if "reply_code" in detail:
        names += _reply_name(detail["reply_code"])
    spelled = [each.upper().replace(" ", "_") for each in names]
    return [*found, *texts, *names, *spelled] or None


def _reply_name(code: int) -> list[str]:
    """The name of a reply code, whatever a client's own text says."""
    # Not above: a run without AMQP need not know them.
    from mockforge_brokers.amqp.codes import ReplyCode

    return [each.name for each in ReplyCode if each == code]


def queue_of(row: Any) -> str:
    """The queue of a delivery, else what the row is about."""
    return str(row.detail.get("queue") or row.destination)


def _as_text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else value


def _table(fields: Iterable[Field], **aliases: str) -> dict[str, Field]:
    table = {each.name: each for each in fields}
    return table | {alias: table[name] for alias, name in aliases.items()}


def _detail(name: str) -> str:
    return f"r.detail.get({name!r})"


MESSAGES = Subject(
    name="messages",
    fields=_table(
        (
            Field("proto", "name", "r.protocol", "kafka, mqtt or amqp", values=tuple(PROTOCOLS)),
            Field(
                "dir",
                "name",
                "('in', 'out')[r.direction]",
                "in: from the client, out: to it",
                values=("in", "out"),
            ),
            Field("op", "name", "r.operation", "API, packet or method: Produce, basic.ack"),
            Field(
                "kind",
                "name",
                "r.kind",
                "message, control, noise or event",
                values=("message", "control", "noise", "event"),
            ),
            Field("conn", "number", "r.connection", "connection number: conn:7 or conn:c7"),
            Field("client", "text", "r.client", "client id, or what the client calls itself"),
            Field("user", "text", "r.origin.user", "the user that the client logged in as"),
            Field("address", "address", "r.origin.address", "client's: 10.0.0.0/8, 127.0.0.1:*"),
            Field("listener", "any", "r.origin.listener", "plain, tls, ws, mqtt-ws, or its port"),
            Field("topic", "topic", "r.destination", "topic, queue or exchange; +, # as in MQTT"),
            Field("queue", "text", "queue_of(r)", "AMQP queue of a delivery or a method"),
            Field("size", "size", "r.size", "bytes: size>1k"),
            Field("key", "bytes", "r.key", "record key, or routing key"),
            Field("partition", "number", _detail("partition"), "partition", protocol="kafka"),
            Field("offset", "number", _detail("offset"), "offset", protocol="kafka"),
            Field("group", "any", _detail("group"), "consumer group", protocol="kafka"),
            Field("txn", "any", _detail("transactional_id"), "transactional id", protocol="kafka"),
            Field(
                "qos",
                "number",
                _detail("qos"),
                "quality of service",
                protocol="mqtt",
                values=("0", "1", "2"),
            ),
            Field(
                "retain",
                "flag",
                _detail("retain"),
                "retained",
                protocol="mqtt",
                values=("true", "false"),
            ),
            Field("vhost", "text", "r.origin.vhost", "virtual host", protocol="amqp"),
            Field("channel", "number", _detail("channel"), "channel", protocol="amqp"),
            Field("rkey", "any", _detail("routing_key"), "routing key", protocol="amqp"),
            Field(
                "redelivered",
                "flag",
                _detail("redelivered"),
                "delivered before",
                values=("true", "false"),
            ),
            Field("code", "any", "code_of(r)", "error or reply code on the wire"),
            Field("error", "text", "r.error", "protocol error or error code in words"),
            Field("age", "duration", "(wall() - r.time)", "how long ago: age<10s"),
            Field("body", "bytes", "r.payload", 'payload: body~"err(or)?"', cost=8),
            Field("header", "any", "header_of(r, {path})", "header.NAME", cost=4, path=True),
            Field(
                "prop",
                "any",
                "property_of(r, {path})",
                "prop.NAME (MQTT 5, AMQP)",
                cost=4,
                path=True,
            ),
            Field(
                "json",
                "any",
                "json_of(r.payload, {path}, r.destination)",
                "json.PATH: json.lines[0].sku",
                cost=32,
                path=True,
            ),
        ),
        protocol="proto",
        direction="dir",
        api="op",
        exchange="topic",
        routing_key="rkey",
        text="body",
        payload="body",
    ),
    has={
        "error": "bool(r.error)",
        "key": "r.key is not None",
        "payload": "bool(r.payload)",
        "header": "bool(r.headers)",
        "held": "r.held != 0",
        "fault": "r.fault != 0",
        "mark": "r.marked",
    },
    flags={
        "held": "r.held != 0",
        "fault": "r.fault != 0",
        "error": "bool(r.error)",
        "marked": "r.marked",
        "mine": "r.client == '∗prompt'",
        "auto": "r.client[:1] == '∗' and r.client != '∗prompt'",
    },
    texts=("r.destination", "r.client", "r.operation"),
    bodies=("r.key", "r.payload"),
    helpers={
        "header_of": header_of,
        "property_of": property_of,
        "code_of": code_of,
        "queue_of": queue_of,
    },
    numbered="r.seq",
)
"""Rows of the journal."""


def records(name: str, columns: Iterable[str]) -> Subject:
    """Returns the subject of a table whose rows are dicts with these columns."""
    names = tuple(columns)
    return Subject(
        name=name,
        fields={
            column.lower(): Field(column, "any", f"r.get({column!r})", f"column {column}")
            for column in names
        },
        texts=tuple(f"str(r.get({column!r}, ''))" for column in names),
    )
