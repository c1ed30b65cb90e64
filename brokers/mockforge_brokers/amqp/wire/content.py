"""A message's content as raw frames: its header frame and body frames, one after the other."""

import struct
from collections.abc import Mapping
from typing import Any, Final

from .frames import BODY, HEAD_SIZE, HEADER, OVERHEAD, content_head, frame, head, split
from .properties import decode_properties, encode_header

_channel: Final = struct.Struct(">H")


def make_content(
    channel: int, body: bytes, properties: Mapping[str, Any], max_payload: int
) -> bytes:
    """The frames of a message of our own."""
    return frame(HEADER, channel, encode_header(len(body), properties)) + body_frames(
        channel, body, max_payload
    )


def body_frames(channel: int, body: bytes, max_payload: int) -> bytes:
    """`body` in frames of at most `max_payload` bytes of payload (0: no limit); empty has none."""
    step = max_payload or len(body) or 1
    return b"".join(frame(BODY, channel, body[at : at + step]) for at in range(0, len(body), step))


def header_frame(content: bytes) -> bytes:
    """The content header's whole frame."""
    length: int = head.unpack_from(content)[2]
    return content[: length + OVERHEAD]


def flags(content: bytes) -> int:
    """Which properties it has."""
    found: int = content_head.unpack_from(content)[6]
    return found


def header_payload(content: bytes) -> bytes:
    """The content header's payload."""
    size = head.unpack_from(content)[2]
    return content[HEAD_SIZE : HEAD_SIZE + size]


def properties(content: bytes) -> dict[str, Any]:
    """The properties, by name; raises ProtocolError."""
    return decode_properties(header_payload(content))


def body(content: bytes) -> bytes:
    """The body, of however many frames."""
    first = head.unpack_from(content)[2] + OVERHEAD
    frames = split(content[first:])
    return frames[0].payload if len(frames) == 1 else b"".join(item.payload for item in frames)


def readdress(content: bytes, channel: int, max_payload: int) -> bytes:
    """The same content for another channel or a smaller frame-max (0: no limit).

    Its frames stay as they are where they are small enough: a large body is copied once, and not
    at all where the channel is the same.
    """
    heads = _heads(content)
    if not max_payload or max(length for _, _, length in heads) <= max_payload:
        if all(number == channel for _, number, _ in heads):
            return content
        changed = bytearray(content)
        for at, _, _ in heads:
            _channel.pack_into(changed, at + 1, channel)
        return bytes(changed)
    header = frame(HEADER, channel, header_payload(content))
    return header + body_frames(channel, body(content), max_payload)


def _heads(content: bytes) -> list[tuple[int, int, int]]:
    """Of each frame where it begins, its channel and the length of its payload."""
    heads = []
    at = 0
    while at < len(content):
        _, number, length = head.unpack_from(content, at)
        heads.append((at, number, length))
        at += length + OVERHEAD
    return heads
