"""What is bounded, and at how much: one table for all brokers."""

from msgspec import Struct

KIB = 1024
MIB = 1024 * 1024


class Limits(Struct, frozen=True):
    """Meeting any of these is a `LimitReached` (or `PeerFellBehind`) event that names it."""

    write_mark: int = MIB
    """Bytes that wait for one peer before its own reading stops."""
    connections: int = 10_000
    """Open connections of one protocol."""
    journal_connection: int = MIB
    """Bytes of the journal for one connection; the oldest chunks leave."""
    journal_total: int = 32 * MIB
    """Bytes of the journal in all."""
    held_frames: int = 100
    """Frames held for a person; what comes after passes unheld."""
    delayed_bytes: int = MIB
    """Bytes that a fault may delay for one connection before its reading stops."""
    kafka_partition: int = 64 * MIB
    """Bytes of one partition's log; the oldest batches leave."""
    kafka_total: int = 512 * MIB
    """Bytes of all logs."""
    kafka_request: int = 100 * MIB
    """Bytes of one request (`socket.request.max.bytes`)."""
    mqtt_session_queue: int = 1_000
    """Messages that wait for one session."""
    mqtt_retained: int = 10_000
    """Retained messages."""
    mqtt_packet: int = 16 * MIB
    """Bytes of one packet."""
    amqp_memory: int = 512 * MIB
    """Bytes of queued messages before publishers are blocked."""
    amqp_message: int = 128 * MIB
    """Bytes of one message's body (`max_message_size`)."""
