"""What is bounded, and at how much: one table for all brokers.

A limit is one line here. The app makes its setting (`--limit NAME=VALUE`, variable, config key)
and its row of `limits` from it; who keeps the limit says to `Usage` what is in use and when it was
met.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple, get_type_hints

from msgspec import Struct
from msgspec.structs import replace

KIB = 1024
MIB = 1024 * 1024
GIB = 1024 * MIB

Unit = Literal["bytes", "count"]


class Bound(NamedTuple):
    """What a limit counts, and what happens when it is met."""

    unit: Unit
    what: str
    effect: str
    least: int = 1
    most: int = 2**53


class Limits(Struct, frozen=True):
    """The values in force; each field's annotation says what it bounds."""

    write_mark: Annotated[
        int, Bound("bytes", "waiting for one peer to read", "its own bytes are left unread")
    ] = MIB
    connections: Annotated[
        int, Bound("count", "open connections of one protocol", "a new one is reset")
    ] = 10_000
    journal_connection: Annotated[
        int, Bound("bytes", "journal of one connection", "its oldest frames leave")
    ] = MIB
    journal_total: Annotated[
        int, Bound("bytes", "journal of all connections", "the oldest frames leave")
    ] = 32 * MIB
    journal_ended: Annotated[
        int, Bound("count", "journals of ended connections", "the oldest one leaves")
    ] = 3_000
    ended_connections: Annotated[
        int, Bound("count", "ended connections that are listed", "the oldest one leaves")
    ] = 1_000
    held_frames: Annotated[
        int, Bound("count", "frames held for a person", "further ones pass unheld")
    ] = 100
    delayed_bytes: Annotated[
        int,
        Bound("bytes", "delayed by faults for one connection", "its own bytes are left unread"),
    ] = MIB
    kafka_total: Annotated[
        int, Bound("bytes", "all logs", "the oldest segments of the largest partitions leave")
    ] = GIB
    kafka_request: Annotated[
        int,
        Bound("bytes", "one request (socket.request.max.bytes)", "the connection ends", 1024),
    ] = 100 * MIB
    # A fetch may name each topic and partition that there can be, and forget each (KIP-227): a
    # client whose request is not taken asks the same again for ever (`limits_of`).
    kafka_request_items: Annotated[
        int,
        Bound("count", "topics, partitions and all else of one request", "the connection ends"),
    ] = 250_000
    kafka_topics: Annotated[int, Bound("count", "topics", "a new one is refused")] = 10_000
    kafka_partitions: Annotated[
        int, Bound("count", "partitions of all topics", "new ones are refused")
    ] = 100_000
    kafka_fetch_sessions: Annotated[
        int,
        Bound(
            "count",
            "fetch sessions (max.incremental.fetch.session.cache.slots)",
            "an old one makes room, or a consumer's fetches are whole",
        ),
    ] = 1000
    kafka_fetch_session_bytes: Annotated[
        int,
        Bound(
            "bytes",
            "the partitions of all fetch sessions",
            "an old one makes room, or a consumer's fetches are whole",
        ),
    ] = 64 * MIB
    kafka_groups: Annotated[int, Bound("count", "consumer groups", "a new one is refused")] = 10_000
    kafka_transactional_ids: Annotated[
        int, Bound("count", "transactional ids", "the longest idle one is forgotten")
    ] = 10_000
    mqtt_sessions: Annotated[
        int, Bound("count", "sessions, connected or not", "a client without one is refused")
    ] = 100_000
    mqtt_session_queue: Annotated[
        int, Bound("count", "messages waiting for one session", "further ones to it are dropped")
    ] = 10_000
    mqtt_session_bytes: Annotated[
        int,
        Bound(
            "bytes",
            "waiting for one session, and as many sent to it and not acknowledged",
            "further messages to it wait, or are dropped",
        ),
    ] = 64 * MIB
    mqtt_subscriptions: Annotated[
        int, Bound("count", "subscriptions of all sessions", "a new one is refused")
    ] = 1_000_000
    mqtt_session_subscriptions: Annotated[
        int, Bound("count", "subscriptions of one session", "a new one is refused")
    ] = 100_000
    mqtt_backlog: Annotated[
        int,
        Bound("bytes", "that a subscriber has not read yet", "QoS 0 messages to it are dropped"),
    ] = 8 * MIB
    mqtt_retained: Annotated[
        int, Bound("count", "retained messages", "further topics retain nothing")
    ] = 100_000
    mqtt_retained_bytes: Annotated[
        int,
        Bound(
            "bytes",
            "retained messages and their topics",
            "what would be more is not retained, and its topic retains nothing",
        ),
    ] = 256 * MIB
    mqtt_packet: Annotated[
        int,
        Bound("bytes", "one packet", "the connection ends with 0x95", 64, 268_435_460),
    ] = 16 * MIB
    mqtt_wills: Annotated[
        int,
        Bound(
            "bytes", "wills of all sessions and their topics", "a client with another is refused"
        ),
    ] = 64 * MIB
    mqtt_sn_topics: Annotated[
        int,
        Bound("count", "topics registered by one MQTT-SN client", "further ones are refused"),
    ] = 5_000
    amqp_memory: Annotated[
        int,
        Bound(
            "bytes",
            "queued messages, and those that are not committed",
            "publishers are blocked until it shrinks",
        ),
    ] = 512 * MIB
    amqp_message: Annotated[
        int, Bound("bytes", "one message's body (max_message_size)", "the channel closes")
    ] = 128 * MIB
    http_body: Annotated[
        int,
        Bound("bytes", "the body of one HTTP request", "it is refused with 413", 1024),
    ] = 128 * MIB


def limits_of(given: Mapping[str, int]) -> Limits:
    """Those in force with what somebody gives; what may be asked for at once follows from it."""
    limits = Limits(**given)
    if "kafka_request_items" in given:
        return limits
    least = 2 * (limits.kafka_topics + limits.kafka_partitions)
    return replace(limits, kafka_request_items=max(limits.kafka_request_items, least))


class Limit(NamedTuple):
    """One row of the table."""

    name: str
    default: int
    bound: Bound


def _rows() -> Mapping[str, Limit]:
    notes = get_type_hints(Limits, include_extras=True)
    default = Limits()
    return MappingProxyType(
        {
            name: Limit(name, getattr(default, name), notes[name].__metadata__[0])
            for name in Limits.__struct_fields__
        }
    )


LIMITS: Final = _rows()
"""By name, in the order of `Limits`."""
