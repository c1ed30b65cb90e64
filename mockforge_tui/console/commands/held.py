"""`edit`, `refuse` and `held show`: look into held frames, change them, answer them with a code."""

from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.misbehaviour.actions import Changes, resolve_code
from mockforge_brokers.misbehaviour.holds import HeldFrame
from msgspec import UNSET, UnsetType

from ..asking import BadArgument
from ..language import Token
from ..payloads import Payload, maker, text_maker
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, done, table
from ..types import COUNT, PAIR, PAYLOAD, TEXT, of_text
from .holds import SELECTOR, Selector, chosen, one_held
from .publish import Pair, octets, properties_of

if TYPE_CHECKING:
    from ..session import Session

_ONE = Type("held", one_held, "held")
_CODE = Type("code", of_text(str), "codes")
_LONGEST = 64 * 1024


def _part(token: Token) -> tuple[str, str]:
    kind, _, name = token.value.partition(".")
    if (kind == "key" and not name) or (kind in ("header", "prop") and name):
        return kind, name
    raise ValueError(f"{token.value!r} is none of key, header.NAME or prop.NAME")


@command(
    "edit",
    group="faults",
    examples=(
        'edit h1 {"total": 99}',
        "edit h1 cancelled -k o-17 -H trace=abc --release",
        "edit h2 --prop content-type=text/plain --without header.trace",
        "edit h3 hello --record 2",
    ),
)
def edit(
    session: "Session",
    which: Annotated[int, Arg(_ONE, "h3: a held frame with a message")],
    payload: Annotated[Payload | None, Arg(PAYLOAD, "the new payload, as pub takes it")] = None,
    *,
    key: Annotated[
        str | None, Opt(("-k", "--key"), TEXT, "record key; AMQP: routing key", "KEY")
    ] = None,
    headers: Annotated[
        tuple[Pair, ...], Opt(("-H", "--header"), PAIR, "header or user property", repeat=True)
    ] = (),
    properties: Annotated[
        tuple[Pair, ...], Opt(("--prop",), PAIR, "property of AMQP or MQTT 5", repeat=True)
    ] = (),
    without: Annotated[
        tuple[tuple[str, str], ...],
        Opt(
            ("--without",),
            Type("part", _part),
            "takes out key, header.NAME or prop.NAME",
            repeat=True,
        ),
    ] = (),
    record: Annotated[int, Opt(("--record",), COUNT, "which record of a Kafka batch")] = 1,
    null: Annotated[bool, Opt(("--null",), None, "no payload (a tombstone in Kafka)")] = False,
    release: Annotated[bool, Opt(("--release",), None, "and let it go on")] = False,
) -> Result:
    """Change a held message: what is not named stays as it is, and it goes on waiting.

    Changes payload, key, headers or properties of what a client sent (Kafka Produce, MQTT PUBLISH,
    AMQP basic.publish) or is to get (Fetch, PUBLISH, basic.deliver).
    """
    if payload is not None and null:
        raise BadArgument("payload", "--null or a payload, not both")
    scope = session.scope
    scope.begin()
    body: bytes | UnsetType | None = None if null else UNSET
    if payload is not None:
        body = maker(payload, files=session.files)(scope)
    new_key: bytes | UnsetType | None = UNSET
    if key is not None:
        new_key = octets(text_maker(key)(scope))
    elif ("key", "") in without:
        new_key = None
    gone = {kind: dict.fromkeys(n for k, n in without if k == kind) for kind in ("header", "prop")}
    values: dict[str, Any] = {name.replace("-", "_"): None for name in gone["prop"]}
    values |= {name: make(scope) for name, make in properties_of(properties).items()}
    named: dict[str, Any] = dict(gone["header"])
    named |= {text_maker(name)(scope): text_maker(value)(scope) for name, value in headers}
    changes = Changes(payload=body, key=new_key, headers=named, properties=values)
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
    code: Annotated[str, Arg(_CODE, "a Kafka error, MQTT reason, AMQP reply code, or NACK")],
    *,
    text: Annotated[str, Opt(("--text",), TEXT, "the words that go with it")] = "",
) -> Result:
    """Answer held requests with an error code of their protocol; they have no effect."""
    try:
        codes = resolve_code(code, session.refusals)
    except InvalidInput as error:
        raise BadArgument("code", str(error)) from None
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
    """Show a held frame whole: each field, header and payload of what it carries."""
    frame = _held(session, which)
    records = []
    for number, row in enumerate(frame.rows, 1):
        name = f"{number}." if len(frame.rows) > 1 else ""
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
            ("payload", None if row.payload is None else _readable(row.payload)),
        ):
            if value not in (None, "", (), [], {}):
                records.append({"field": f"{name}{field}", "value": value})
    return table(records, Column("field", "field"), Column("value", "value"))


def _readable(payload: bytes) -> str:
    text = payload[:_LONGEST].decode("utf-8", "backslashreplace")
    return text if len(payload) <= _LONGEST else f"{text}… ({len(payload):,} bytes)"


def _held(session: "Session", number: int) -> HeldFrame:
    frame = session.runtime.holds.held.get(number)
    if frame is None:
        raise BadArgument("which", f"h{number} is not held; held lists what is")
    return frame


COMMANDS = (edit, refuse, held_show)
