"""AMQP 0-8, as far as it differs from 0-9-1 on the wire: a few methods, translated both ways.

RabbitMQ serves clients that open with the headers of 0-9 and 0-8; their frames are the same.
"""

from typing import Any, Final

from .frames import HEAD_SIZE, METHOD, PROTOCOL_HEADER, frame, head, method

OLD_VERSION: Final = (8, 0)
VERSIONS: Final = {
    PROTOCOL_HEADER: (0, 9),
    b"AMQP\x01\x01\x00\x09": (0, 9),
    b"AMQP\x01\x01\x08\x00": OLD_VERSION,
    # The specification on the AMQP group's site had it so, and some libraries took it from there.
    b"AMQP\x01\x01\x09\x01": OLD_VERSION,
}
"""Protocol headers that are served, with the version that connection.start then names."""

_NEW_IDS: Final = {
    b"\x00\x0a\x00\x3c": b"\x00\x0a\x00\x32",  # connection.close
    b"\x00\x0a\x00\x3d": b"\x00\x0a\x00\x33",  # connection.close-ok
}
_OLD_IDS: Final = {new: old for old, new in _NEW_IDS.items()}
_CONSUME: Final = b"\x00\x3c\x00\x14"
_OPEN_OK: Final = b"\x00\x14\x00\x0b"
_UNKNOWN: Final = b"\x00\x55"
"""Class confirm: it came with 0-9-1."""


def modern(raw: bytes) -> bytes:
    """A whole method frame of 0-8 (with what follows it, if anything) as one of 0-9-1."""
    kind, channel, size = head.unpack_from(raw)
    payload, rest = raw[HEAD_SIZE : HEAD_SIZE + size], raw[HEAD_SIZE + size + 1 :]
    if kind != METHOD:
        return raw
    ids = payload[:4]
    if ids in _NEW_IDS:
        payload = _NEW_IDS[ids] + payload[4:]
    elif ids == _CONSUME or (ids == _OPEN_OK and size == 4):
        # An empty table of arguments, an empty channel-id.
        payload += bytes(4)
    elif ids.startswith(_UNKNOWN):
        payload = b"\x00\x00" + payload[2:]
    return frame(kind, channel, payload) + rest


def old_method(channel: int, name: str, **values: Any) -> bytes:
    """A method's whole frame in 0-8."""
    raw = method(channel, name, **values)
    payload = raw[HEAD_SIZE:-1]
    ids = payload[:4]
    if ids == _OPEN_OK:
        payload = ids
    return frame(METHOD, channel, _OLD_IDS.get(ids, ids) + payload[4:])
