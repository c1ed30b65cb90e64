"""What can be read of a packet that cannot be: its fields up to where the strict decoder stopped.

For people alone: nothing is served by it, and only a packet that was refused comes here.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from ...bytes_io import ByteReader
from ...errors import ProtocolError
from ..codes import V5, V31, PacketType
from .decode import BY_NUMBER, decode_body
from .frames import decode_varint
from .properties import WILL, decode_properties

_Step = tuple[str, Callable[[ByteReader], Any]]


def _text(reader: ByteReader) -> str:
    return reader.take(reader.uint16()).decode("utf-8", "replace")


_ID: Final[_Step] = ("packet_id", ByteReader.uint16)
_CODE: Final[_Step] = ("code", ByteReader.uint8)
_STEPS: Final[dict[int, tuple[_Step, ...]]] = {
    PacketType.CONNECT: (
        ("protocol_name", _text),
        ("version", ByteReader.uint8),
        ("flags", ByteReader.uint8),
        ("keep_alive", ByteReader.uint16),
    ),
    PacketType.CONNACK: (("flags", ByteReader.uint8), _CODE),
    **dict.fromkeys(
        (PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP), (_ID, _CODE)
    ),
    **dict.fromkeys(
        (
            *(PacketType.SUBSCRIBE, PacketType.SUBACK),
            *(PacketType.UNSUBSCRIBE, PacketType.UNSUBACK),
        ),
        (_ID,),
    ),
    PacketType.DISCONNECT: (_CODE,),
    PacketType.AUTH: (_CODE,),
}
"""Fields in front of the properties, by type; a PUBLISH has its packet identifier by its QoS."""
_WILL_FLAG, _USER_FLAG = 0x04, 0x80


def read_broken(frame: bytes, version: int) -> tuple[dict[str, Any], int]:
    """Its first fields by their names, and the offset at which reading ended.

    Of properties, of CONNECT's payload and of topic filters too those that were right.
    """
    try:
        length, body = decode_varint(frame, 1, len(frame))
    except ProtocolError:
        # Five bytes that all go on: the last is the one too many.
        return {}, min(len(frame), 5)
    if length < 0:
        # The frame ends within its length.
        return {}, len(frame)
    found: dict[str, Any] = {"remaining_length": length}
    if length != len(frame) - body:
        return found, 1
    stopped = _stopped(frame, body, version)
    try:
        found.update(_fields(ByteReader(frame, body), frame[0], version, found, stopped))
    except ProtocolError:
        pass
    return found, stopped


def _fields(
    reader: ByteReader, first: int, version: int, found: dict[str, Any], stopped: int
) -> Iterator[tuple[str, Any]]:
    """Name and value of each field that ends where reading did, or before; properties go straight
    to `found`, since those of them that are right are there though another is wrong."""
    kind = first >> 4
    for name, read in _steps(first):
        value = read(reader)
        if reader.position > stopped:
            return
        yield name, value
    if kind == PacketType.CONNECT:
        # It names its version itself.
        version = found.get("version", version)
    if version == V5 and reader.position < stopped:
        decode_properties(reader, kind, found)
    if kind == PacketType.CONNECT:
        yield from _payload(reader, version, found.get("flags", 0), stopped)
    elif kind in (PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE):
        yield from _filters(reader, kind, stopped)


def _payload(
    reader: ByteReader, version: int, flags: int, stopped: int
) -> Iterator[tuple[str, Any]]:
    """Of a CONNECT, but no password."""
    if reader.position < stopped:
        yield "client_id", _text(reader)
    if flags & _WILL_FLAG and reader.position < stopped:
        will = decode_properties(reader, WILL) if version == V5 else {}
        yield "will", will | {"topic_name": _text(reader)}
        reader.take(reader.uint16())
    if flags & _USER_FLAG and reader.position < stopped:
        yield "user_name", _text(reader)


def _filters(reader: ByteReader, kind: int, stopped: int) -> Iterator[tuple[str, Any]]:
    filters: list[str] = []
    while reader.position < stopped:
        filters.append(_text(reader))
        if kind == PacketType.SUBSCRIBE:
            reader.uint8()
        yield "filters", filters


def _stopped(frame: bytes, body: int, version: int) -> int:
    """How far the strict decoder came; 0 where the type, or the flags beside it, are wrong."""
    reader = ByteReader(frame, body)
    try:
        decode_body(frame[0], reader, version)
    except ProtocolError:
        if reader.position == body and _is_wrong(frame[0], version):
            return 0
    return reader.position


def _is_wrong(first: int, version: int) -> bool:
    kind, flags = first >> 4, first & 0x0F
    if kind == PacketType.PUBLISH:
        return flags & 0b0110 == 0b0110
    return kind == 0 or (version != V31 and flags != BY_NUMBER[kind][2])


def _steps(first: int) -> tuple[_Step, ...]:
    kind = first >> 4
    if kind != PacketType.PUBLISH:
        return _STEPS.get(kind, ())
    return (("topic_name", _text), *((_ID,) if first & 0b0110 else ()))
