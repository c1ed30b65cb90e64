"""The WebSocket frames around a protocol's bytes, for who looks: a tape of their heads alone.

A head is what RFC 6455, 5.2 puts before a payload; of a control frame (ping, pong, close) the
payload belongs to it here. So the journal keeps no message twice, and a raw listener has nothing
of this.
"""

from collections.abc import Callable
from typing import Final

from .journal import IN, OUT, Past, Row

PREFIX: Final = "ws."
"""Of the operations of these rows."""

_NAMES: Final = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
OPERATIONS: Final = tuple(PREFIX + name for name in _NAMES.values())
_CONTROL: Final = 8
"""The least opcode of a control frame."""
_CLOSE: Final = 8
_WIDTH: Final = {126: 2, 127: 8}
"""Bytes of a length that does not fit into the second byte."""


class Heads:
    """The heads in one direction's bytes, as they come; `feed` skips payloads."""

    def __init__(self) -> None:
        self._rest = b""
        self._left = 0
        """Bytes of a payload that are yet to come."""

    def feed(self, data: bytes) -> bytes:
        """The heads that are whole now, joined."""
        found: list[bytes] = []
        data, position = self._rest + data, 0
        while True:
            skipped = min(self._left, len(data) - position)
            position += skipped
            self._left -= skipped
            size, length = _head(data, position)
            if not size or position + size > len(data):
                break
            found.append(data[position : position + size])
            position += size
            self._left = length
        self._rest = data[position:]
        return b"".join(found)


class HeadSplitter:
    """Cuts heads that are joined."""

    pending = 0

    def feed(self, data: bytes) -> list[bytes]:
        found, position = [], 0
        while position < len(data):
            size = _head(data, position)[0] or len(data)
            found.append(data[position : position + size])
            position += size
        return found

    def take(self) -> bytes:
        return b""


class OuterFrames:
    """Whose heads a tape holds; `name` says what the client is called by now."""

    def __init__(self, name: Callable[[], str]) -> None:
        self._name = name

    @property
    def client(self) -> str:
        return self._name()

    def splitter(self, direction: int) -> HeadSplitter:
        return HeadSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return [read_head(direction, frame)]

    def past(self) -> Past:
        return Past(self._name(), self.splitter, self.rows)


def read_head(direction: int, head: bytes) -> Row:
    """What one frame says of itself, and a control frame's payload without its mask."""
    opcode, masked = head[0] & 0x0F, bool(head[1] & 0x80)
    size, length = _head(head, 0)
    payload = None
    if opcode >= _CONTROL:
        length = head[1] & 0x7F
        payload = head[size - length : size]
        if masked:
            mask = head[size - length - 4 : size - length]
            payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    detail: dict[str, object] = {"fin": bool(head[0] & 0x80), "masked": masked, "length": length}
    if head[0] & 0x70:
        # Bits for extensions, of which none was agreed on.
        detail["reserved"] = head[0] >> 4 & 0x07
    if opcode == _CLOSE and payload:
        detail["code"] = int.from_bytes(payload[:2])
        detail["reason"] = payload[2:].decode("utf-8", "replace")
    name = PREFIX + _NAMES.get(opcode, f"opcode-{opcode}")
    return Row("", direction, name, kind="noise", payload=payload, size=length, detail=detail)


def _head(data: bytes, position: int) -> tuple[int, int]:
    """Bytes of the head that begins there (0: not to be told yet), and of the payload behind it."""
    if len(data) - position < 2:
        return 0, 0
    second = data[position + 1]
    width = _WIDTH.get(second & 0x7F, 0)
    size = 2 + width + (4 if second & 0x80 else 0)
    if len(data) - position < size:
        return 0, 0
    length = second & 0x7F
    if width:
        length = int.from_bytes(data[position + 2 : position + 2 + width])
    if data[position] & 0x0F >= _CONTROL:
        # [RFC 6455, 5.5] At most 125 bytes; a longer one ends the connection.
        return size + length, 0
    return size, length


class Outer:
    """Both directions of one connection; `keep` gets a direction with the heads in it."""

    def __init__(self, keep: Callable[[int, bytes], object]) -> None:
        self._keep = keep
        self._heads = {IN: Heads(), OUT: Heads()}

    def passed(self, direction: int, data: bytes) -> None:
        heads = self._heads[direction].feed(data) if data else b""
        if heads:
            self._keep(direction, heads)
