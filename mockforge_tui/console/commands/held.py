"""`edit`, `refuse` and `held show`: look into held frames, change them, answer them with a code."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from mockforge_brokers.misbehaviour.holds import HeldFrame

from ..lookup import BadArgument
from ..payloads import Payload
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, done, table_lines
from ..types import CODE, COUNT, PAYLOAD, TEXT
from .changing import Fields, Headers, Key, Null, Properties, Wanted, Without, changes_of
from .holds import SELECTOR, Selector, chosen, codes_of, one_held

if TYPE_CHECKING:
    from ..session import Session

_ONE = Type("held", one_held, "held")
_LONGEST = 64 * 1024
_COLUMNS = (Column("field", "field"), Column("value", "value"))


@command(
    "edit",
    group="faults",
    examples=(
        'edit h1 {"total": 99}',
        "edit h1 cancelled -k o-17 -H trace=abc --release",
        "edit h2 --prop content-type=text/plain --without header.trace",
        "edit h3 hello --record 2",
        "edit h1 --set qos=0 --set topic_name=orders/late",
    ),
)
def edit(
    session: "Session",
    which: Annotated[int, Arg(_ONE, "h3: a held frame with a message")],
    payload: Annotated[Payload | None, Arg(PAYLOAD, "the new payload, as pub takes it")] = None,
    *,
    key: Key = None,
    headers: Headers = (),
    properties: Properties = (),
    without: Without = (),
    record: Annotated[int, Opt(("--record",), COUNT, "which record of a Kafka batch")] = 1,
    null: Null = False,
    fields: Fields = (),
    release: Annotated[bool, Opt(("--release",), None, "and let it go on")] = False,
) -> Result:
    """Change a held message: what is not named stays as it is, and it goes on waiting.

    Changes payload, key, headers or properties of what a client sent (Kafka Produce, MQTT PUBLISH,
    AMQP basic.publish) or is to get (Fetch, PUBLISH, basic.deliver). With --set it changes fields
    of any frame, by their specification's names, legal or not.
    """
    wanted = Wanted(payload, key, headers, properties, without, null, fields)
    changes = changes_of(session, wanted)()
    frame = _held(session, which)
    session.runtime.holds.edit(which, changes, record - 1)
    if release:
        session.runtime.holds.release(which)
    state = "edited and released" if release else "edited; release lets it go on"
    return done(f"h{which} {state}", {"id": which, "released": release, "rows": len(frame.rows)})


@command(
    "refuse",
    group="faults",
    examples=("refuse h1 NOT_LEADER_OR_FOLLOWER", "refuse (op:PUBLISH) QUOTA_EXCEEDED"),
)
def refuse(
    session: "Session",
    which: Annotated[Selector, Arg(SELECTOR, "h3, h3..5, @held (all) or a (filter)")],
    code: Annotated[str, Arg(CODE, "a Kafka error, MQTT reason, AMQP reply code, or NACK")],
    *,
    text: Annotated[str, Opt(("--text",), TEXT, "the words that go with it")] = "",
) -> Result:
    """Answer held requests with an error code of their protocol; they have no effect."""
    codes = codes_of(session, code, "code")
    frames = chosen(session, which)
    for frame in frames:
        first = frame.rows[0]
        if first.protocol not in codes:
            raise BadArgument("code", f"{first.protocol} has no code {code} (h{frame.id})")
        if first.direction:
            raise BadArgument(
                "which", f"h{frame.id} is on its way to the client: drop or release it"
            )
    holds = session.runtime.holds
    words = text or "refused by hand"
    numbers = [f.id for f in frames if holds.refuse(f.id, codes[f.rows[0].protocol], words)]
    shown = ", ".join(f"h{number}" for number in numbers[:10])
    return done(f"{len(numbers)} refused with {code}: {shown}", {"refused": numbers})


@command("held show", group="faults", examples=("held show h1",))
def held_show(session: "Session", which: Annotated[int, Arg(_ONE, "h3: a held frame")]) -> Result:
    """Show a held frame whole: each field, header and payload of what it carries; JSON laid out."""
    frame = _held(session, which)
    records: list[dict[str, Any]] = []
    parts: list[str] = []
    for number, row in enumerate(frame.rows, 1):
        name = f"{number}." if len(frame.rows) > 1 else ""
        before = len(records)
        for field, value in (
            ("broker", row.protocol),
            ("client", row.client),
            ("direction", ("from the client", "to the client")[row.direction]),
            ("operation", row.operation),
            ("destination", row.destination),
            ("key", row.key),
            *((f"header {key}", value) for key, value in row.headers),
            *row.detail.items(),
            ("size", row.size),
            ("error", row.error),
        ):
            if value not in (None, "", (), [], {}):
                records.append({"field": f"{name}{field}", "value": value})
        parts += table_lines(_COLUMNS, records[before:], None)[1 if parts else 0 :]
        if row.payload is not None:
            parts += [f"{name}payload", *_laid_out(row.payload)]
            records.append({"field": f"{name}payload", "value": _readable(row.payload)})
    return Result(text="\n".join(parts), data=records)


def _laid_out(payload: bytes) -> list[str]:
    """The lines of a payload: JSON is indented, its numbers and names as they were written."""
    if payload[:1] in (b"{", b"[") and len(payload) <= _LONGEST:
        with suppress(msgspec.DecodeError):
            payload = msgspec.json.format(payload, indent=2)
    return [f"  {line}" for line in _readable(payload).split("\n")]


def _readable(payload: bytes) -> str:
    text = payload[:_LONGEST].decode("utf-8", "backslashreplace")
    return text if len(payload) <= _LONGEST else f"{text}… ({len(payload):,} bytes)"


def _held(session: "Session", number: int) -> HeldFrame:
    frame = session.runtime.holds.held.get(number)
    if frame is None:
        raise BadArgument("which", f"h{number} is not held; held lists what is")
    return frame


COMMANDS = (edit, refuse, held_show)
