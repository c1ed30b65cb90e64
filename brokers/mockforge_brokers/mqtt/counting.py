"""Which packets and reason codes passed, of all connections since the start."""

from collections.abc import Iterable, Iterator
from typing import Final

from ..journal import IN, OUT
from .codes import PacketType, reason_name

WAYS: Final = {IN: "in", OUT: "out"}
_KINDS: Final = max(PacketType) + 1
_BARE: Final = (
    PacketType.CONNACK,
    PacketType.PUBACK,
    PacketType.PUBREC,
    PacketType.PUBREL,
    PacketType.PUBCOMP,
    PacketType.DISCONNECT,
    PacketType.AUTH,
)
"""What has one reason code, which is success where the packet ends without it."""


class PacketCounts:
    """`received` and `sent` are by packet type, which is an index: the fast path adds many at once.

    PUBLISH is not among them: each connection counts its messages. Of what may have a reason code
    only others than 0 are counted apart, so that an acknowledgement costs one addition.
    `payload_in` and `payload_out` are the bytes of all messages without what surrounds them.
    """

    __slots__ = ("_codes", "_others", "payload_in", "payload_out", "received", "sent")

    def __init__(self) -> None:
        self.received = [0] * _KINDS
        self.sent = [0] * _KINDS
        self.payload_in = 0
        self.payload_out = 0
        self._codes: dict[tuple[int, int, int, int], int] = {}
        """By direction, packet type, code and version."""
        self._others: dict[tuple[int, str], int] = {}

    @property
    def total_received(self) -> int:
        """All that is no PUBLISH."""
        return sum(self.received) + self._other(IN)

    @property
    def total_sent(self) -> int:
        return sum(self.sent) + self._other(OUT)

    def other(self, direction: int, name: str) -> None:
        """A message of a protocol that has types of its own (MQTT-SN)."""
        self._others[direction, name] = self._others.get((direction, name), 0) + 1

    def codes(self, direction: int, kind: int, codes: Iterable[int], version: int) -> None:
        """Reason codes of one packet; 0 is left out but where each of several has its own."""
        counts = self._codes
        for code in codes:
            key = (direction, kind, code, version)
            counts[key] = counts.get(key, 0) + 1

    def packets(self, messages_in: int, messages_out: int) -> Iterator[tuple[str, str, int]]:
        """Direction, type and how many."""
        for direction, counts, messages in (
            (IN, self.received, messages_in),
            (OUT, self.sent, messages_out),
        ):
            for kind in PacketType:
                count = messages if kind is PacketType.PUBLISH else counts[kind]
                if count:
                    yield WAYS[direction], kind.name, count
        for (direction, name), count in sorted(self._others.items()):
            yield WAYS[direction], f"MQTT-SN {name}", count

    def reasons(self) -> dict[tuple[str, str, str], int]:
        """How many by direction, type and the reason code's name."""
        found: dict[tuple[str, str, str], int] = {}
        plain = {
            (direction, kind): counts[kind]
            for direction, counts in ((IN, self.received), (OUT, self.sent))
            for kind in _BARE
        }
        for (direction, kind, code, version), count in sorted(self._codes.items()):
            packet = PacketType(kind)
            if packet in _BARE:
                plain[direction, packet] -= count
            key = (WAYS[direction], packet.name, reason_name(packet, code, version))
            found[key] = found.get(key, 0) + count
        for (direction, packet), count in plain.items():
            if count > 0:
                key = (WAYS[direction], packet.name, reason_name(packet, 0))
                found[key] = found.get(key, 0) + count
        return found

    def _other(self, wanted: int) -> int:
        return sum(count for (direction, _), count in self._others.items() if direction == wanted)
