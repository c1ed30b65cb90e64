"""How long a client waits for what is held, where its frame says so."""

from collections.abc import Mapping
from typing import Any

from mockforge_brokers.errors import BrokerError
from mockforge_brokers.journal import IN, Row


def patience_of(row: Row) -> float | None:
    """Seconds after which its client gives up, or the message is too old; None: it did not say.

    Kafka's Produce has the producer's request.timeout.ms, JoinGroup the rebalance timeout; an
    AMQP message its expiration (an RPC client's usual way), MQTT 5 the Message Expiry Interval.
    """
    match row.protocol:
        case "kafka":
            return _of_request(row.frame) if row.direction == IN else None
        case "amqp":
            return _number(_property(row, "expiration"), 1000)
        case _:
            return _number(_property(row, "message_expiry_interval"), 1)


def _of_request(frame: bytes) -> float | None:
    if not frame:
        return None
    from mockforge_brokers.kafka.wire.frames import decode_request  # only for who looks

    try:
        message = decode_request(frame)[1]
    except BrokerError:
        return None
    for name in ("timeout_ms", "rebalance_timeout_ms"):
        found = getattr(message, name, None)
        if found is not None:
            return _number(found, 1000)
    return None


def _property(row: Row, name: str) -> Any:
    properties = row.detail.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        return properties[name]
    return row.detail.get(name)


def _number(value: Any, per_second: int) -> float | None:
    """A client may have written anything there."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found / per_second if found > 0 else None
