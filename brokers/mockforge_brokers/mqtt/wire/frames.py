"""Where a packet begins and ends: the fixed header and its variable byte integer."""

from typing import Final

from ...errors import ProtocolError
from ..codes import Reason

MAXIMUM_LENGTH: Final = 268_435_455
"""What four bytes of Remaining Length can say."""


NOT_PLAIN: Final = (-1, 0)
"""A length and a beginning of which no packet is made: it would end before its topic."""


def encode_varint(value: int) -> bytes:
    """A variable byte integer of one to four bytes, the shortest [MQTT-1.5.5-1]."""
    if value < 0x80:
        return bytes((value,))
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def decode_varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """The value and the position behind it; (-1, position) when it is not all there."""
    # Most have one byte.
    if position < end and data[position] < 0x80:
        return data[position], position + 1
    value = shift = 0
    place = position
    while place < end:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 21:
            raise ProtocolError(
                "a variable byte integer has more than four bytes [MQTT-1.5.5-1]",
                Reason.MALFORMED_PACKET,
            )
    return -1, position


def decode_plain_length(data: bytes, position: int, end: int) -> tuple[int, int]:
    """A Remaining Length of two to four bytes of the packet at `position`, and where its body
    begins; NOT_PLAIN where it is not all there, or not as short as can be."""
    stop = min(position + 5, end)
    # Most have two bytes.
    if position + 2 < stop and 0 < (last_byte := data[position + 2]) < 0x80:
        return data[position + 1] & 0x7F | last_byte << 7, position + 3
    for last in range(position + 2, stop):
        byte = data[last]
        if byte < 0x80:
            # A last byte of 0 adds nothing: the length is not as short as can be.
            return decode_varint(data, position + 1, end) if byte else NOT_PLAIN
    return NOT_PLAIN


class PacketSplitter:
    """Cuts a stream into whole packets; `limit` bounds one packet's bytes."""

    def __init__(self, limit: int = MAXIMUM_LENGTH + 5) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._wanted = 0
        """Bytes that the packet has which is not whole yet, as far as that is known."""

    @property
    def pending(self) -> int:
        return len(self._rest)

    def take(self) -> bytes:
        rest = bytes(self._rest)
        self._rest.clear()
        self._wanted = 0
        return rest

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that are whole now.

        Raises ProtocolError at a length that cannot be; `take` then hands back all bytes.
        """
        self._rest += data
        if len(self._rest) < self._wanted:
            # Else each piece of a large packet would cost a copy of all that came before it.
            return []
        self._wanted = 0
        whole = bytes(self._rest)
        packets: list[bytes] = []
        position, end = 0, len(whole)
        while position < end:
            length, body = decode_varint(whole, position + 1, end)
            if length < 0:
                break
            check_size(body - position + length, self._limit)
            if body + length > end:
                self._wanted = body + length - position
                break
            packets.append(whole[position : body + length])
            position = body + length
        del self._rest[:position]
        return packets


def check_size(size: int, limit: int) -> None:
    """A packet larger than what was announced ends the connection [MQTT-3.2.2-15]."""
    if size > limit:
        raise ProtocolError(
            f"a packet of {size} bytes is larger than the Maximum Packet Size of {limit}",
            Reason.PACKET_TOO_LARGE,
        )
