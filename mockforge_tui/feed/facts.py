"""Events of the spine as rows between the messages."""

import re
from collections.abc import Callable
from typing import Any

from mockforge_brokers import events
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.kafka.events import ClientThrottled
from mockforge_brokers.mqtt.events import ConnectionRefused, ServerChose
from msgspec.structs import fields

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ASIDE = frozenset({"protocol", "connection", "client", "address", "begun"})
_NAMES = ("topic", "queue", "exchange", "group", "destination", "name", "about")

# Frames of the same moment say these.
_SAID_BY_FRAMES = frozenset(
    {
        "BindingAdded",
        "ChannelOpened",
        "ClientConnected",
        "ConsumerEnded",
        "ConsumerStarted",
        "ExchangeDeclared",
        "MemberJoined",
        "QueueDeclared",
        "Subscribed",
        "Unsubscribed",
    }
)

# Shown by other rows already: a listener is in the header, a name is in CONNECT or its like,
# held frames and messages are rows of their own.
_SILENT: tuple[type[events.Event], ...] = (
    events.ListenerOpened,
    events.ClientIdentified,
    events.FrameHeld,
    events.MessageSeen,
)


_ERRORS = (
    events.ProtocolViolated,
    events.BrokerFailed,
    events.RequestDenied,
    events.AccessDenied,
    events.FeatureNotServed,
)


def event_row(time: float, event: events.Event) -> Row | None:
    """The row of an event, kind `event`; None for events that other rows show."""
    if isinstance(event, _SILENT) or type(event).__name__ in _SAID_BY_FRAMES:
        return None
    row = Row(
        protocol=event.protocol,
        direction=IN,
        operation=_operation(event),
        connection=getattr(event, "connection", 0),
        client=getattr(event, "client", ""),
        kind="event",
        time=time,
    )
    describe = _KNOWN.get(type(event))
    text = describe(event) if describe is not None else _fields_of(event, row)
    row.detail["text"] = text
    if group := getattr(event, "group", ""):
        # So that `group:` finds them beside the frames that name it.
        row.detail["group"] = group
    if isinstance(event, _ERRORS) or getattr(event, "severity", "") == "error":
        row.error = text
    if isinstance(event, events.FaultFired):
        row.fault = event.rule
    return row


def _operation(event: events.Event) -> str:
    """`GroupRebalanced` as `group rebalanced`."""
    return _OPERATIONS.get(type(event)) or _WORDS.sub(" ", type(event).__name__).lower()


def _fields_of(event: events.Event, row: Row) -> str:
    parts = []
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name in _ASIDE or not value or value == "/":
            continue
        if field.name in _NAMES and not row.destination and isinstance(value, str):
            row.destination = value
        elif value is True:
            parts.append(field.name.replace("_", " "))
        elif field.name in ("reason", "why", "text"):
            parts.append(str(value))
        else:
            parts.append(f"{field.name.replace('_', ' ')} {value}")
    return "  ".join(parts)


def _code(event: events.RequestDenied | ConnectionRefused) -> str:
    """In words where the protocol has them for people, as a number where that is the name."""
    return f"{event.code_name}: " if event.code_name else f"{event.code} "


_OPERATIONS: dict[type[events.Event], str] = {
    events.ConnectionOpened: "connected",
    events.ConnectionClosed: "closed",
    events.ProtocolViolated: "protocol error",
    events.LintFound: "lint",
    events.RequestDenied: "refused",
    events.FeatureNotServed: "not served",
    events.AccessDenied: "access denied",
    events.LimitReached: "limit reached",
    events.PeerFellBehind: "fell behind",
    events.PeerCaughtUp: "caught up",
    events.FaultFired: "fault",
    events.HeldFrameLeft: "let go",
    events.BrokerStopped: "stopped",
    events.BrokerStarted: "started",
    events.BrokerFailed: "bug of ours",
    events.Warned: "warning",
    events.DataWriteFailed: "cannot keep",
    events.DataWritable: "keeps again",
    ServerChose: "our choice",
    ClientThrottled: "throttled",
}

_KNOWN: dict[type[events.Event], Callable[[Any], str]] = {
    events.ConnectionOpened: lambda event: f"from {event.address}",
    events.ClientBehindProxy: lambda event: f"{event.address} by way of {event.proxy}",
    events.ConnectionClosed: lambda event: str(event.reason),
    events.ProtocolViolated: lambda event: str(event.reason),
    events.LintFound: lambda event: f"{event.statement}: {event.text}",
    events.RequestDenied: lambda event: f"{event.operation} {_code(event)}{event.reason}",
    ConnectionRefused: lambda event: f"{_code(event)}{event.reason}",
    events.FeatureNotServed: lambda event: f"{event.feature}: {event.reason}",
    events.AccessDenied: lambda event: (
        f"{event.user or 'anonymous'}: {event.operation}: {event.reason}"
    ),
    events.LimitReached: lambda event: (
        f"{event.limit} met at {event.where}: {event.effect} (--limit {event.limit}=N sets it)"
    ),
    events.PeerFellBehind: lambda event: f"{event.pending} bytes wait for it",
    ClientThrottled: lambda event: (
        f"a quota of {event.user} is used up: the next request waits {event.seconds:.1f}s"
    ),
    events.PeerCaughtUp: lambda event: "it reads again",
    events.FaultFired: lambda event: f"rule {event.rule} {event.kind} hit {event.operation}",
    events.HeldFrameLeft: lambda event: f"held frame {event.held} {event.outcome}",
    events.BrokerStopped: lambda event: "killed" if event.hard else "by hand",
    events.BrokerStarted: lambda event: "accepts connections again",
    events.BrokerFailed: lambda event: str(event.error),
    events.Warned: lambda event: f"{event.about}: {event.text}",
    events.DataWriteFailed: lambda event: (
        f"{event.reason}; confirms wait, new durable messages are refused"
    ),
    events.DataWritable: lambda event: "what waited is on disk",
    ServerChose: lambda event: (
        f"{event.about}: {event.choice}" + (f" as {event.preset}" if event.preset else "")
    ),
}
