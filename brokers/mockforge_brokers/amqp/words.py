"""The words of AMQP that a rule may ask for: methods of 0-9-1, performatives of 1.0, codes."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from msgspec.structs import replace

from ..journal import IN, OUT
from ..misbehaviour.possible import NO_MESSAGE, NOTHING_NAMED, FrameKind, kinds_of
from .codes import ReplyCode
from .rows import KINDS, PROTOCOL_HEADER, UNREADABLE
from .v1_0.wire.performatives import SHAPES
from .wire.frames import HEARTBEAT, method
from .wire.methods import BY_NAME

_PERFORMATIVES: Final = (range(0x10, 0x19), range(0x40, 0x45))
"""Codes of what a frame begins with (2.7, 5.3.3); others stand within."""

OPERATIONS: Final = tuple(
    dict.fromkeys(
        (
            *BY_NAME,
            *(
                name
                for name, shape in SHAPES.items()
                if any(shape.code in codes for codes in _PERFORMATIVES)
            ),
            *KINDS.values(),
            PROTOCOL_HEADER,
            UNREADABLE,
        )
    )
)

_STATES: Final = range(0x23, 0x28)
"""What 1.0 says of a delivery (3.4)."""

NUMBERED: Final = ("frame type {}",)
"""What a frame is called that is of no kind."""

CODES: Final = (
    *(code.name for code in ReplyCode),
    "REQUEUED",
    *(name.upper() for name, shape in SHAPES.items() if shape.code in _STATES),
)
"""Behind the reply codes: what becomes of a delivery."""

_OF_CLIENTS: Final = frozenset(
    (
        *("connection.start-ok", "connection.secure-ok", "connection.tune-ok", "connection.open"),
        *("connection.update-secret", "channel.open", "access.request", "basic.publish"),
        *("basic.qos", "basic.consume", "basic.get", "basic.reject"),
        *("basic.recover", "basic.recover-async", "confirm.select"),
        *("sasl-init", "sasl-response"),
    )
)
_OF_BOTH: Final = frozenset(
    (
        *("connection.close", "connection.close-ok", "channel.close", "channel.close-ok"),
        *("channel.flow", "channel.flow-ok", "basic.cancel", "basic.cancel-ok"),
        *("basic.ack", "basic.nack"),
    )
)
_OURS: Final = frozenset(
    (
        *("connection.start", "connection.secure", "connection.tune"),
        *("connection.blocked", "connection.unblocked"),
        *("basic.return", "basic.deliver", "basic.get-empty"),
        *("sasl-mechanisms", "sasl-challenge", "sasl-outcome"),
    )
)
_CLASSES: Final = ("exchange.", "queue.", "tx.")
"""Of these a client asks for everything, and we say that it is done."""


_PUBLISHES: Final = ("basic.publish", "transfer")
_CARRIERS: Final = (*_PUBLISHES, "basic.deliver", "basic.return", "basic.get-ok")
_PLACES: Final = frozenset(("exchange", "queue", "source", "routing_key"))
_ON_NO_CHANNEL: Final = ("connection.", "sasl-", KINDS[HEARTBEAT], PROTOCOL_HEADER)
_ANSWERS_NOBODY_WAITS_FOR: Final = ("connection.close-ok", "channel.close-ok")
"""Behind these there is nothing to end any more."""


def frame_kinds() -> Iterator[FrameKind]:
    """What rules can do to its methods, and to the performatives of 1.0."""
    for name in OPERATIONS:
        for kind in kinds_of("amqp", name, partial(_fields, name), sender=_sender(name)):
            yield replace(
                kind,
                check=partial(_check, name),
                refusable=partial(_refusable, name),
                lacks=partial(_lacks, name),
                notified=name in BY_NAME,
            )


def _lacks(name: str) -> list[str]:
    fields = _fields(name)
    found = set(NO_MESSAGE) if name in _CARRIERS else set()
    if name in ("attach", "transfer", "basic.deliver", "basic.cancel") or _PLACES & {*fields}:
        found |= {"topic", "queue"}
    found |= {"redelivered"} & {*fields}
    if "routing_key" in fields:
        found.add("rkey")
    if not name.startswith(_ON_NO_CHANNEL):
        found.add("channel")
    return [each for each in NOTHING_NAMED if each not in found]


def _fields(name: str) -> list[str]:
    found = BY_NAME.get(name) or SHAPES.get(name)
    return [] if found is None else [field for field, _ in found.fields]


def _check(operation: str, name: str, text: str) -> None:
    """Raises InvalidInput."""
    if operation in BY_NAME:
        from .misbehaviour import set_fields  # where somebody sets one

        set_fields(IN, method(0, operation), {name: text})
    else:
        from .v1_0.misbehaviour import check_value

        check_value(operation, name, text)


def _refusable(operation: str, code: int) -> bool:
    """A nack and a return are of a publish alone."""
    from .misbehaviour import NACK

    if operation in _ANSWERS_NOBODY_WAITS_FOR or not (operation in BY_NAME or operation in SHAPES):
        # Heartbeats and the like go on.
        return False
    return operation in _PUBLISHES or code not in (NACK, ReplyCode.NO_ROUTE, ReplyCode.NO_CONSUMERS)


def _sender(name: str) -> int | None:
    """Who alone sends a method (AMQP 1.1, the implementing chassis) or a performative."""
    if name in _OF_CLIENTS:
        return IN
    if name in _OF_BOTH:
        return None
    if name in _OURS or (name.endswith("-ok") and name in BY_NAME):
        return OUT
    return IN if name.startswith(_CLASSES) else None
