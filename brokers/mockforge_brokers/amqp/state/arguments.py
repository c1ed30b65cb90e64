"""What declare arguments may be, and when two declarations are the same."""

from collections.abc import Callable, Iterable
from typing import Final

from ...errors import RequestRefused
from ..codes import ReplyCode
from ..profiles import Profile
from ..records import INTEGER_TYPES, Field, Table
from .exchanges import Exchange
from .policies import max_age
from .queues.types import queue_type

Check = Callable[[Field], str]
"""Returns why a value cannot be, in RabbitMQ's words; empty if it can."""

CONSUMER_TIMEOUT: Final = "x-consumer-timeout"
_LONGEST: Final = 10 * 365 * 86_400_000
"""Milliseconds of any time to live."""


def _integer(field: Field) -> str:
    return "" if field.type in INTEGER_TYPES else f'"expected integer, got {field.type_name}"'


def _not_negative(field: Field) -> str:
    reason = _integer(field)
    if not reason and field.value < 0:
        return f"{{value_negative,{field.value}}}"
    return reason


def _milliseconds(field: Field) -> str:
    reason = _not_negative(field)
    if not reason and field.value > _LONGEST:
        return f"{{value_too_large,{field.value}}}"
    return reason


def _positive(field: Field) -> str:
    reason = _milliseconds(field)
    return reason or ("" if field.value else "{value_zero,0}")


def _priority(field: Field) -> str:
    reason = _not_negative(field)
    if not reason and field.value > 255:
        return f"{{max_value_exceeded,{field.value}}}"
    return reason


def _text(field: Field) -> str:
    return "" if field.type == "S" else f"{{unacceptable_type,{field.type_name}}}"


def _bool(field: Field) -> str:
    return "" if field.type == "t" else f"{{unacceptable_type,{field.type_name}}}"


def _overflow(field: Field) -> str:
    known = ("drop-head", "reject-publish", "reject-publish-dlx")
    return _text(field) or ("" if field.value in known else "invalid_overflow")


def _queue_type(field: Field) -> str:
    known = ("classic", "quorum", "stream")
    return _text(field) or (
        "" if field.value in known else f"\"unsupported queue type '{field.value}'\""
    )


def _queue_version(field: Field) -> str:
    return _integer(field) or (
        "" if field.value in (1, 2) else f"\"unsupported queue version '{field.value}'\""
    )


def _queue_mode(field: Field) -> str:
    known = ("default", "lazy")
    return _text(field) or (
        "" if field.value in known else f"\"unsupported queue mode '{field.value}'\""
    )


def _strategy(field: Field) -> str:
    known = ("at-most-once", "at-least-once")
    return _text(field) or ("" if field.value in known else "invalid_dlx_strategy")


def _locator(field: Field) -> str:
    known = ("client-local", "balanced", "random", "least-leaders")
    return _text(field) or ("" if field.value in known else "invalid_queue_locator_arg")


def _max_age(field: Field) -> str:
    """RabbitMQ up to 4.3.0 crashes on what begins with no digit (541); this is what 4.3.1 says."""
    return _text(field) or ("" if max_age(str(field.value)) is not None else "invalid_max_age")


_SEGMENT: Final = "x-stream-max-segment-size-bytes"
_LARGEST_SEGMENT: Final = 3_000_000_000
_QUEUE_CHECKS: Final[dict[str, Check]] = {
    "x-expires": _positive,
    "x-message-ttl": _milliseconds,
    "x-dead-letter-exchange": _text,
    "x-dead-letter-routing-key": _text,
    "x-max-length": _not_negative,
    "x-max-length-bytes": _not_negative,
    "x-max-in-memory-length": _not_negative,
    "x-max-in-memory-bytes": _not_negative,
    "x-max-priority": _priority,
    "x-overflow": _overflow,
    "x-queue-mode": _queue_mode,
    "x-queue-version": _queue_version,
    "x-single-active-consumer": _bool,
    "x-queue-type": _queue_type,
    "x-delivery-limit": _integer,
    "x-dead-letter-strategy": _strategy,
    "x-max-age": _max_age,
    _SEGMENT: _not_negative,
    "x-quorum-initial-group-size": _positive,
    "x-initial-cluster-size": _positive,
    "x-queue-leader-locator": _locator,
    "x-queue-master-locator": _text,
}
"""The arguments that RabbitMQ knows, checks and compares; others are stored and ignored."""

_OF_QUORUM: Final = (
    "x-delivery-limit",
    "x-dead-letter-strategy",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-quorum-initial-group-size",
)
_OF_STREAM: Final = ("x-max-age", _SEGMENT, "x-initial-cluster-size")
_OF_CLASSIC: Final = (
    "x-max-priority",
    "x-queue-mode",
    "x-queue-version",
    "x-queue-master-locator",
)
_FOREIGN: Final[dict[str, frozenset[str]]] = {
    "classic": frozenset((*_OF_QUORUM, *_OF_STREAM, "x-queue-leader-locator")),
    "quorum": frozenset((*_OF_CLASSIC, *_OF_STREAM)),
    "stream": frozenset(
        (
            *_OF_CLASSIC,
            *_OF_QUORUM,
            "x-expires",
            "x-message-ttl",
            "x-dead-letter-exchange",
            "x-dead-letter-routing-key",
            "x-max-length",
            "x-overflow",
            "x-single-active-consumer",
        )
    ),
}
"""What a type of queue does not take."""


def with_default_type(
    arguments: Table, kind: str, *, durable: bool, exclusive: bool, auto_delete: bool
) -> Table:
    """With the type that a virtual host has for queues which name none (default_queue_type).

    One that cannot be of that type stays a classic one, as RabbitMQ declares it.
    """
    fits = kind == "classic" or (durable and not exclusive and not auto_delete)
    if not fits or "x-queue-type" in arguments:
        return arguments
    return {**arguments, "x-queue-type": Field("S", kind)}


def check_queue(
    what: str, arguments: Table, *, durable: bool, exclusive: bool, auto_delete: bool, named: bool
) -> None:
    """Raise RequestRefused (406) for arguments that cannot be; `what` names the queue."""
    dead_letters = arguments.get("x-dead-letter-exchange")
    if dead_letters is not None and dead_letters.type != "S":
        raise _refused(
            f"invalid type '{dead_letters.type_name}' for arg 'x-dead-letter-exchange' in {what}"
        )
    kind = queue_type(arguments)
    for name in arguments:
        if name in _FOREIGN.get(kind, ()):
            raise _refused(f"invalid arg '{name}' for {what} of queue type rabbit_{kind}_queue")
    for name, field in arguments.items():
        reason = _QUEUE_CHECKS[name](field) if name in _QUEUE_CHECKS else ""
        if name == "x-dead-letter-routing-key" and not reason and dead_letters is None:
            reason = "routing_key_but_no_dlx_defined"
        if reason:
            raise _refused(f"invalid arg '{name}' for {what}: {reason}")
    if kind == "stream":
        segment = arguments.get(_SEGMENT)
        if segment is not None and segment.value > _LARGEST_SEGMENT:
            raise _refused(f"Exceeded max value for {_SEGMENT}")
    if kind != "classic":
        _check_replicated(what, kind, durable, exclusive, auto_delete, named)


def _check_replicated(
    what: str, kind: str, durable: bool, exclusive: bool, auto_delete: bool, named: bool
) -> None:
    if not named:
        raise _refused(f"Cannot declare a server-named queue for type rabbit_{kind}_queue")
    for broken, name in (
        (auto_delete, "auto-delete"),
        (exclusive, "exclusive-owner"),
        (not durable, "non-durable"),
    ):
        if broken:
            raise _refused(f"invalid property '{name}' for {what}")


def check_exchange(what: str, arguments: Table) -> None:
    alternate = arguments.get("alternate-exchange")
    if alternate is not None and alternate.type != "S":
        raise _refused(
            f"invalid type '{alternate.type_name}' for arg 'alternate-exchange' in {what}"
        )


def check_timeout(what: str, kind: str, arguments: Table) -> None:
    """x-consumer-timeout, which RabbitMQ knows from 4.3 on, of a queue or a consumer."""
    field = arguments.get(CONSUMER_TIMEOUT)
    if field is None:
        return
    if kind != "quorum":
        raise _refused(
            f"invalid arg 'x-consumer-timeout' for {what} of queue type rabbit_{kind}_queue"
        )
    if reason := _not_negative(field):
        raise _refused(f"invalid arg 'x-consumer-timeout' for {what}: {reason}")


def check_consumer(what: str, arguments: Table) -> int:
    """The consumer's priority."""
    field = arguments.get("x-priority")
    if field is None:
        return 0
    if reason := _integer(field):
        raise _refused(f"invalid arg 'x-priority' for {what}: {reason}")
    return int(field.value)


def check_foreign(what: str, kind: str, arguments: Table, profile: Profile) -> None:
    """Raise RequestRefused (406) for a consumer's argument that another type of queue takes."""
    for name in arguments:
        takes = _OF_CONSUMERS.get(name)
        if takes is not None and kind != takes and profile.knows_consumer_argument(name):
            raise _refused(f"invalid arg '{name}' for {what} of queue type rabbit_{kind}_queue")


_OF_CONSUMERS: Final = {
    "x-stream-offset": "stream",
    "x-stream-filter": "stream",
    "x-stream-match-unfiltered": "stream",
    "x-cancel-on-ha-failover": "classic",
}
"""The type of queue that takes it."""


def same_flag(what: str, name: str, received: object, current: object) -> None:
    """Raise RequestRefused (406) if a redeclaration differs in a flag or type."""
    if received != current:
        raise _refused(
            f"inequivalent arg '{name}' for {what}: "
            f"received '{_lower(received)}' but current is '{_lower(current)}'"
        )


def same_exchange(
    what: str, flags: tuple[str, bool, bool, bool], arguments: Table, exchange: Exchange
) -> None:
    """As `same_flag`, for the type, durable, auto-delete and internal, in RabbitMQ's order."""
    current = exchange.type, exchange.durable, exchange.auto_delete, exchange.internal
    for name, one, other in zip(_EXCHANGE_FLAGS, flags, current, strict=True):
        same_flag(what, name, one, other)
    same_arguments(what, ("alternate-exchange",), arguments, exchange.arguments)


_EXCHANGE_FLAGS: Final = ("type", "durable", "auto_delete", "internal")
_COMPARED: Final[dict[str, tuple[str, ...]]] = {
    "classic": (
        "x-expires",
        "x-message-ttl",
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
        "x-overflow",
        "x-queue-mode",
        "x-queue-version",
        "x-single-active-consumer",
        "x-queue-type",
        "x-queue-master-locator",
    ),
    "quorum": (
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-dead-letter-strategy",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-overflow",
        "x-single-active-consumer",
        "x-queue-type",
        "x-quorum-initial-group-size",
        "x-delivery-limit",
        "x-message-ttl",
        "x-queue-leader-locator",
    ),
    "stream": (
        "x-max-length-bytes",
        "x-queue-type",
        "x-max-age",
        _SEGMENT,
        "x-initial-cluster-size",
        "x-queue-leader-locator",
    ),
}
"""What is compared of which type, in the order in which RabbitMQ 3.10.8 names what differs."""


def same_queue_arguments(what: str, received: Table, current: Table) -> None:
    """Raise RequestRefused (406) if a redeclaration differs; type classic is none at all."""
    kind = queue_type(current)
    names = _COMPARED[kind]
    if queue_type(received) == kind:
        names = tuple(name for name in names if name != "x-queue-type")
    same_arguments(what, names, received, current)


def same_arguments(what: str, names: Iterable[str], received: Table, current: Table) -> None:
    """Raise RequestRefused (406) if a redeclaration differs in one of these arguments."""
    for name in names:
        new, old = received.get(name), current.get(name)
        if new is None and old is None:
            continue
        if new is not None and old is not None:
            if new.equals(old):
                continue
            if new.family == old.family:
                same_flag(what, name, new.value, old.value)
        raise _refused(
            f"inequivalent arg '{name}' for {what}: "
            f"received {_described(new)} but current is {_described(old)}"
        )


def _described(field: Field | None) -> str:
    if field is None:
        return "none"
    return f"the value '{_lower(field.value)}' of type '{field.type_name}'"


def _lower(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refused(text: str) -> RequestRefused:
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, text)
