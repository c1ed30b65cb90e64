"""Bytes of one frame, damaged on purpose."""

from random import Random

from ..journal import Row
from .actions import Corrupt, Truncate


def damaged(
    frame: bytes, rows: list[Row], body: range, action: Corrupt | Truncate, random: Random
) -> bytes:
    """The frame with bits flipped, or without its end: at least one byte of it is missing.

    `body` is where its bytes say nothing of its length.
    """
    if isinstance(action, Truncate):
        keep = len(frame) // 2 if action.keep is None else action.keep
        return frame[: min(keep, len(frame) - 1)]
    found = bytearray(frame)
    places = _places(frame, rows, body, action, random)
    # What a client sends may be shorter than any frame of its protocol.
    places = range(min(places.start, len(frame)), min(places.stop, len(frame)))
    bits = len(places) * 8
    for number in random.sample(range(bits), min(action.bits, bits)):
        found[places[number // 8]] ^= 1 << number % 8
    return bytes(found)


def _places(frame: bytes, rows: list[Row], body: range, action: Corrupt, random: Random) -> range:
    """What has no payload that stands in the frame as it is (a compressed one) has its body, and
    what has no body (a PINGRESP) its head."""
    # The first byte: MQTT's type and flags, AMQP's frame type; Kafka's follows the length.
    first = 5 if rows[0].protocol == "kafka" else 0
    head = range(first, first + 1)
    if action.part == "head":
        return head
    payloads = [row.payload for row in rows if row.payload]
    if action.part == "payload" and payloads:
        payload = random.choice(payloads)
        at = frame.rfind(payload)
        if at >= 0:
            return range(at, at + len(payload))
    return body or head
