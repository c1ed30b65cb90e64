"""CBOR (RFC 8949): arrays, maps and tagged values, as JSON has them."""

from struct import unpack
from typing import Any, Final

from .plain import DEEPEST, MOST, NotThis, integer, name, number, octets

_BREAK: Final = object()
_INDEFINITE: Final = 31
_SIMPLE: Final = {20: False, 21: True, 22: None, 23: "undefined"}
_TEXT_TAGS: Final = frozenset({0, 32, 33, 34, 35, 36, 37})
"""Tags whose value is a text that speaks for itself: a date, an URI, base64, ..."""
_SELF_DESCRIBED: Final = 55_799


def read(payload: bytes) -> Any:
    """The one item that a payload is, where it is an array, a map or tagged; raises NotThis.

    A tag that says more than its value stands around it: `{"tag 1": 1718000000}`.
    """
    if not 0x80 <= payload[0] < 0xE0 or payload in (b"\x9f\xff", b"\xbf\xff"):
        raise NotThis
    reader = _Reader(payload)
    value = reader.item(0)
    if reader.at != len(payload):
        raise NotThis
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self._left = MOST

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise NotThis
        piece, self.at = self.data[self.at : end], end
        return piece

    def item(self, depth: int) -> Any:
        """The next item; _BREAK where an indefinite one ends."""
        self._left -= 1
        if depth > DEEPEST or not self._left:
            raise NotThis
        first = self.take(1)[0]
        kind, more = first >> 5, first & 31
        if kind == 7:
            return self._simple(more)
        if more == _INDEFINITE and kind in (2, 3, 4, 5):
            return self._indefinite(kind, depth)
        argument = self._argument(more)
        match kind:
            case 0:
                return argument
            case 1:
                return integer(-1 - argument)
            case 2:
                return octets(self.take(argument))
            case 3:
                return _text(self.take(argument))
            case 4:
                return [self._inner(depth) for _ in range(self._bounded(argument))]
            case 5:
                return self._map(self._bounded(argument), depth)
        return self._tagged(argument, depth)

    def _argument(self, more: int) -> int:
        if more < 24:
            return more
        if more > 27:
            raise NotThis
        return int.from_bytes(self.take(1 << (more - 24)))

    def _bounded(self, count: int) -> int:
        # Each item has a byte at least: a length that lies is found before anything is made of it.
        if count > len(self.data) - self.at:
            raise NotThis
        return count

    def _inner(self, depth: int) -> Any:
        value = self.item(depth + 1)
        if value is _BREAK:
            raise NotThis
        return value

    def _map(self, count: int, depth: int) -> dict[str, Any]:
        found = {}
        for _ in range(count):
            key = name(self._inner(depth))
            found[key] = self._inner(depth)
        return found

    def _indefinite(self, kind: int, depth: int) -> Any:
        items = []
        while (value := self.item(depth + 1)) is not _BREAK:
            items.append(value)
        match kind:
            case 4:
                return items
            case 5:
                if len(items) % 2:
                    raise NotThis
                return {
                    name(key): value for key, value in zip(items[::2], items[1::2], strict=True)
                }
        # Pieces of a text, or of bytes.
        if not all(isinstance(each, str) for each in items):
            raise NotThis
        if kind == 3:
            return "".join(items)
        return octets(b"".join(bytes.fromhex(each[2:-1]) for each in map(_as_octets, items)))

    def _simple(self, more: int) -> Any:
        match more:
            case 25:
                return number(unpack(">e", self.take(2))[0])
            case 26:
                return number(unpack(">f", self.take(4))[0])
            case 27:
                return number(unpack(">d", self.take(8))[0])
            case 31:
                return _BREAK
        if more not in _SIMPLE:
            raise NotThis
        return _SIMPLE[more]

    def _tagged(self, tag: int, depth: int) -> Any:
        value = self._inner(depth)
        if tag == _SELF_DESCRIBED or (tag in _TEXT_TAGS and isinstance(value, str)):
            return value
        if tag in (2, 3) and isinstance(value, str):
            whole = int.from_bytes(bytes.fromhex(_as_octets(value)[2:-1]))
            return integer(whole if tag == 2 else -1 - whole)
        return {f"tag {tag}": value}


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NotThis from None


def _as_octets(value: str) -> str:
    if not value.startswith("h'"):
        raise NotThis
    return value
