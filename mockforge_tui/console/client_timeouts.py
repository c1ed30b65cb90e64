"""How long a client waits for what is held, where its frame or its connection says so."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from mockforge_brokers.errors import BrokerError
from mockforge_brokers.journal import IN, OUT, Chunk, Journal, Row
from mockforge_brokers.misbehaviour.holds import HeldFrame
from mockforge_brokers.snapshots import ConnectionView

from ..brokers import Brokers
from ..feed.decoder import frames_of


class Patience(NamedTuple):
    """After so many seconds its client gives up, or the message is too old: by its `name`."""

    seconds: float
    name: str


_REQUEST_FIELDS: Final = (
    ("timeout_ms", "request timeout"),
    ("rebalance_timeout_ms", "rebalance timeout"),
)
_LOOKED_AT: Final = 1_000
"""Chunks of the journal in which the request is looked for that a held response answers."""


def patience_of(
    row: Row, connection: ConnectionView | None = None, journal: Journal | None = None
) -> Patience | None:
    """What runs out first for a held frame that has this row; None: the client said nothing.

    Kafka's Produce has the producer's request.timeout.ms, JoinGroup the rebalance timeout; no
    request has delivery.timeout.ms, until which a producer tries again. An AMQP message has its
    expiration (an RPC client's usual way), MQTT 5 the Message Expiry Interval. Behind a held frame
    its connection's signs of life wait too. The client of a Kafka response waits since its request,
    which the journal has.
    """
    found = (_of_frame(row, journal), _of_connection(row.direction, connection))
    return min((each for each in found if each is not None), default=None)


def patience_with(
    frame: HeldFrame, brokers: Brokers, journal: Journal | None = None
) -> Patience | None:
    """As `patience_of`, of a held frame and its connection."""
    first = frame.rows[0]
    broker = brokers.get(first.protocol)
    view = None if broker is None else broker.connection(first.connection)
    return patience_of(first, view, journal)


def _of_answer(row: Row, journal: Journal | None) -> Patience | None:
    if journal is None:
        return None
    for chunk, request in _requests(row.connection, journal):
        if _correlation(request) == row.correlation:
            found = _of_request(request)
            waited = max(0.0, row.time - chunk.time)
            return None if found is None else Patience(found.seconds - waited, found.name)
    return None


def _requests(connection: int, journal: Journal) -> Iterator[tuple[Chunk, bytes]]:
    """What came of a connection, the newest first."""
    of_this = journal.since(0, lambda tape: tape.connection == connection)
    for chunk in islice(of_this, _LOOKED_AT):
        if chunk.direction == IN:
            for frame in reversed(frames_of(chunk)):
                yield chunk, frame


def _correlation(request: bytes) -> int:
    """Behind size, API and version."""
    return int.from_bytes(request[8:12], "big", signed=True)


def _of_frame(row: Row, journal: Journal | None) -> Patience | None:
    match row.protocol:
        case "kafka":
            return _of_request(row.frame) if row.direction == IN else _of_answer(row, journal)
        case "amqp":
            return _patience(_property(row, "expiration"), 1000, "expiration")
        case _:
            return _patience(_property(row, "message_expiry_interval"), 1, "message expiry")


def _of_connection(direction: int, connection: ConnectionView | None) -> Patience | None:
    if connection is None:
        return None
    match connection.protocol:
        case "mqtt":
            # Its PINGREQ waits, or our PINGRESP: paho allows as long as between two of them.
            return _patience(connection.detail.get("keep_alive"), 1, "keep alive")
        case "amqp" if direction == OUT:
            # AMQP 0-9-1 4.2.7: two intervals without a sign of the peer. Ours wait behind it.
            return _patience(connection.detail.get("heartbeat"), 0.5, "heartbeat")
    return None


def _of_request(frame: bytes) -> Patience | None:
    if not frame:
        return None
    from mockforge_brokers.kafka.wire.frames import decode_request  # only for who looks

    try:
        message = decode_request(frame)[1]
    except BrokerError:
        return None
    for field, name in _REQUEST_FIELDS:
        found = getattr(message, field, None)
        if found is not None:
            return _patience(found, 1000, name)
    return None


def _property(row: Row, name: str) -> Any:
    properties = row.detail.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        return properties[name]
    return row.detail.get(name)


def _patience(value: Any, per_second: float, name: str) -> Patience | None:
    """A client may have written anything there."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return Patience(found / per_second, name) if found > 0 else None
