"""Frames as a capture that Wireshark opens (draft-ietf-opsawg-pcapng).

What the journal has is what clients and brokers said above TLS, WebSocket and the PROXY protocol,
so that the packets around it are made here: IP and TCP, for MQTT-SN UDP, with the client's own
address. The server's port is always the one that is registered for the protocol, since that is how
Wireshark finds the dissector. A connection begins with TCP's handshake when its first frame is
written; its frames follow each other without gaps, whatever was left out.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct, pack
from typing import Final

from mockforge_brokers.journal import IN, Row
from mockforge_brokers.outer_frames import PREFIX

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_RAW: Final = 101
"""LINKTYPE_RAW: a packet begins with its IP header."""
_END: Final = 0
_COMMENT: Final = 1
_APPLICATION: Final = 4
_NAME: Final = 2
_RESOLUTION: Final = 9
_FLAGS: Final = 2
_NANOSECONDS: Final = b"\x09"
_SEGMENT: Final = 32_768
"""Bytes of a frame in one packet at most: an IP packet's length has 16 bits."""

_PORTS: Final = {"kafka": 9092, "mqtt": 1883, "amqp": 5672}
_SN_PORT: Final = 1884
_FIRST_FREE: Final = 49_152
_FREE: Final = 16_384
"""Ports of clients that have none: who came by a Unix socket."""

_TCP: Final = 6
_UDP: Final = 17
_SYN: Final = 0x02
_PUSH: Final = 0x08
_ACK: Final = 0x10

Address = IPv4Address | IPv6Address

_IPV4: Final = Struct(">BBHHHBBH4s4s")
_IPV6: Final = Struct(">IHBB16s16s")
_TCP_HEADER: Final = Struct(">HHIIBBHHH")
_UDP_HEADER: Final = Struct(">HHHH")


class Capture:
    """A form of export: the bytes of each row's frame as packets, behind all that came before.

    Rows of the same frame are one. What no socket carried (prompt, fixtures) and what is no frame
    (events, stored messages) adds nothing.
    """

    def __init__(self) -> None:
        self._begun = False
        self._streams: dict[tuple[str, int], _Stream] = {}
        self._last: Row | None = None

    def __call__(self, row: Row) -> bytes:
        head = b"" if self._begun else _section() + _interface()
        self._begun = True
        if not row.frame or not row.origin.listener or self._has(row):
            return head
        if row.operation.startswith(PREFIX):
            # The frames of a WebSocket are around the bytes that a capture has.
            return head
        self._last = row
        key = row.protocol, row.connection
        stream = self._streams.get(key)
        if stream is None:
            datagrams = "sn" in row.origin.listener
            stream = self._streams[key] = _Datagrams(row) if datagrams else _Tcp(row)
            head += stream.opening(row.time)
        return head + stream.frame(row)

    def _has(self, row: Row) -> bool:
        """Whether it is another row of the frame that came last."""
        last = self._last
        return (
            last is not None
            and row.part > last.part
            and row.connection == last.connection
            and row.frame == last.frame
        )


class _Stream:
    """A connection's two ends."""

    def __init__(self, row: Row, server_port: int) -> None:
        host, _, port = row.origin.address.rpartition(":")
        try:
            self.client: Address = ip_address(host.strip("[]").partition("%")[0])
            self.client_port = int(port)
        except ValueError:
            self.client = IPv4Address("127.0.0.1")
            self.client_port = _FIRST_FREE + row.connection % _FREE
        loopback = "127.0.0.1" if self.client.version == 4 else "::1"
        self.server: Address = ip_address(loopback)
        self.server_port = server_port
        self.comment = f"c{row.connection} {row.client} {row.origin.listener[0]}"
        """Stands at the connection's first packet."""

    def opening(self, time: float) -> bytes:
        return b""

    def frame(self, row: Row) -> bytes:
        raise NotImplementedError

    def _ip(self, protocol: int, data: bytes, way: int) -> bytes:
        """A packet, with its checksum at the place of the header that `data` begins with."""
        ends = (self.client, self.server) if way == IN else (self.server, self.client)
        source, target = (end.packed for end in ends)
        pseudo = source + target + pack(">II", len(data), protocol)
        place = 16 if protocol == _TCP else 6
        # UDP has no checksum where the field is 0.
        checksum = _checksum(pseudo + data) or 0xFFFF
        data = data[:place] + checksum.to_bytes(2) + data[place + 2 :]
        if self.client.version == 6:
            return _IPV6.pack(6 << 28, len(data), protocol, 64, source, target) + data
        fields = (0x45, 0, 20 + len(data), 0, 0x4000, 64, protocol)
        checksum = _checksum(_IPV4.pack(*fields, 0, source, target))
        return _IPV4.pack(*fields, checksum, source, target) + data

    def _ports(self, way: int) -> tuple[int, int]:
        ports = self.client_port, self.server_port
        return ports if way == IN else (ports[1], ports[0])


class _Datagrams(_Stream):
    def __init__(self, row: Row) -> None:
        super().__init__(row, _SN_PORT)

    def frame(self, row: Row) -> bytes:
        way = row.direction
        header = _UDP_HEADER.pack(*self._ports(way), 8 + len(row.frame), 0)
        comment, self.comment = self.comment, ""
        return _packet(row.time, way, self._ip(_UDP, header + row.frame, way), comment)


class _Tcp(_Stream):
    def __init__(self, row: Row) -> None:
        super().__init__(row, _PORTS[row.protocol])
        # Ports are used again: another beginning tells that it is another connection.
        begin = row.connection << 16 & 0xFFFF_FFFF
        self._sent = [begin, begin]
        """By direction: the number of the next byte."""

    def opening(self, time: float) -> bytes:
        """SYN, SYN ACK, ACK."""
        out = 1 - IN
        first = self._segment(time, IN, _SYN, comment=self.comment)
        second = self._segment(time, out, _SYN | _ACK)
        return first + second + self._segment(time, IN, _ACK)

    def frame(self, row: Row) -> bytes:
        pieces = range(0, len(row.frame), _SEGMENT)
        return b"".join(
            self._segment(row.time, row.direction, _PUSH | _ACK, row.frame[at : at + _SEGMENT])
            for at in pieces
        )

    def _segment(
        self, time: float, way: int, flags: int, data: bytes = b"", comment: str = ""
    ) -> bytes:
        sent = self._sent
        acknowledged = sent[1 - way] if flags & _ACK else 0
        header = _TCP_HEADER.pack(
            *self._ports(way), sent[way], acknowledged, 5 << 4, flags, 0xFFFF, 0, 0
        )
        # SYN counts as a byte.
        sent[way] = (sent[way] + len(data) + bool(flags & _SYN)) & 0xFFFF_FFFF
        return _packet(time, way, self._ip(_TCP, header + data, way), comment)


def _checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    # A number of digits of 16 bits is its sum of digits, modulo 65535.
    return 0xFFFF - (int.from_bytes(data + b"\0" * (len(data) % 2)) % 0xFFFF)


def _section() -> bytes:
    head = pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
    return _block(_SECTION, head + _option(_APPLICATION, b"mockforge-tui") + _option(_END))


def _interface() -> bytes:
    options = _option(_NAME, b"mockforge") + _option(_RESOLUTION, _NANOSECONDS) + _option(_END)
    return _block(_INTERFACE, pack("<HHI", _RAW, 0, 0) + options)


def _packet(time: float, way: int, data: bytes, comment: str) -> bytes:
    moment = int(time * 1_000_000) * 1_000
    head = pack("<IIIII", 0, moment >> 32, moment & 0xFFFF_FFFF, len(data), len(data))
    options = _option(_COMMENT, comment.encode(errors="replace")) if comment else b""
    # Inbound is 1, outbound 2.
    options += _option(_FLAGS, pack("<I", 1 if way == IN else 2)) + _option(_END)
    return _block(_PACKET, head + _padded(data) + options)


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return pack("<II", kind, size) + body + pack("<I", size)


def _option(code: int, value: bytes = b"") -> bytes:
    return pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
