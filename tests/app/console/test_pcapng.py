"""A capture has each connection's bytes as packets that follow each other (console/pcapng.py)."""

from collections import defaultdict
from ipaddress import ip_address
from pathlib import Path
from struct import unpack, unpack_from
from typing import NamedTuple

import pytest
from mockforge_brokers.journal import IN, OUT, Origin, Row
from mockforge_brokers.listener import Listener

from mockforge_tui.console.pcapng import Capture

from .scene import Scene

HERE = Origin("", "10.0.0.7:50871", ("plain", "mqtt", "1883"))


class Packet(NamedTuple):
    """`flags` are TCP's, None of UDP; `checked`: all checksums are right."""

    time: float
    direction: int
    source: tuple[str, int]
    target: tuple[str, int]
    flags: int | None
    sequence: int
    acknowledged: int
    data: bytes
    comment: str
    checked: bool


def blocks(capture: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(capture):
        kind, size = unpack_from("<II", capture, at)
        assert size % 4 == 0
        assert capture[at + size - 4 : at + size] == capture[at + 4 : at + 8]
        found.append((kind, capture[at + 8 : at + size - 4]))
        at += size
    return found


def options(data: bytes) -> dict[int, bytes]:
    found = {}
    while True:
        code, size = unpack_from("<HH", data)
        if not code:
            return found
        found[code], data = data[4 : 4 + size], data[4 + size + -size % 4 :]


def packets(capture: bytes) -> list[Packet]:
    section, interface, *rest = blocks(capture)
    assert section[0] == 0x0A0D0D0A
    assert unpack_from("<IHH", section[1]) == (0x1A2B3C4D, 1, 0)
    assert interface[0] == 1
    assert unpack_from("<H", interface[1]) == (101,)
    # Times are in nanoseconds.
    assert options(interface[1][8:])[9] == b"\x09"
    return [packet(body) for kind, body in rest if kind == 6]


def packet(body: bytes) -> Packet:
    number, high, low, size, original = unpack_from("<IIIII", body)
    assert (number, original) == (0, size)
    more = options(body[20 + size + -size % 4 :])
    way = IN if unpack("<I", more[2])[0] & 3 == 1 else OUT
    ip = body[20 : 20 + size]
    if ip[0] >> 4 == 4:
        assert unpack_from(">H", ip, 2) == (size,)
        protocol, ends, data = ip[9], (ip[12:16], ip[16:20]), ip[20:]
        whole = total(ip[:20])
    else:
        protocol, ends, data = ip[6], (ip[8:24], ip[24:40]), ip[40:]
        assert unpack_from(">H", ip, 4) == (len(data),)
        whole = 0xFFFF
    pseudo = b"".join(ends) + bytes((0, protocol)) + len(data).to_bytes(2)
    ports = unpack_from(">HH", data)
    source, target = ((str(ip_address(end)), port) for end, port in zip(ends, ports, strict=True))
    flags, sequence, acknowledged, head = None, 0, 0, 8
    if protocol == 6:
        sequence, acknowledged, offset, flags = unpack_from(">IIBB", data, 4)
        head = (offset >> 4) * 4
    return Packet(
        (high << 32 | low) / 1e9, way, source, target, flags, sequence, acknowledged, data[head:],
        more.get(1, b"").decode(), whole == total(pseudo + data) == 0xFFFF,
    )  # fmt: skip


def total(data: bytes) -> int:
    """The ones' complement sum, word by word."""
    data += b"\0" * (len(data) % 2)
    found = 0
    for (word,) in (unpack_from(">H", data, at) for at in range(0, len(data), 2)):
        found += word
        found = (found & 0xFFFF) + (found >> 16)
    return found


def row(
    frame: bytes, direction: int = IN, connection: int = 7, protocol: str = "mqtt",
    origin: Origin = HERE, **more: float | str,
) -> Row:  # fmt: skip
    return Row(
        protocol, direction, "x", connection, "dev-7", frame=frame, origin=origin, time=1.5, **more
    )  # type: ignore[arg-type]


def captured(*rows: Row) -> list[Packet]:
    capture = Capture()
    return packets(b"".join(map(capture, rows)))


def streams(found: list[Packet]) -> dict[tuple[str, int], bytes]:
    """What each end sent, put together by TCP's rules: nothing missing, nothing twice."""
    expected: dict[tuple[str, int], int] = {}
    sent: dict[tuple[str, int], bytes] = defaultdict(bytes)
    for each in found:
        assert each.checked
        assert each.flags is not None
        if each.flags & 2:
            # SYN: another connection of the same ends begins.
            expected[each.source] = each.sequence + 1
            continue
        assert each.sequence == expected[each.source]
        assert each.acknowledged == expected[each.target]
        expected[each.source] += len(each.data)
        sent[each.source] += each.data
    return sent


def test_a_connection_begins_with_the_handshake_and_its_frames_follow_each_other() -> None:
    found = captured(row(b"one"), row(b"two!", OUT), row(b"three"))
    assert [each.flags for each in found] == [0x02, 0x12, 0x10, 0x18, 0x18, 0x18]
    client, server = ("10.0.0.7", 50871), ("127.0.0.1", 1883)
    assert streams(found) == {client: b"onethree", server: b"two!"}
    assert [each.direction for each in found[3:]] == [IN, OUT, IN]
    assert {each.time for each in found} == {1.5}
    assert found[0].comment == "c7 dev-7 plain"
    assert not any(each.comment for each in found[1:])


@pytest.mark.parametrize(
    ("address", "client", "server"),
    [
        ("10.0.0.7:50871", ("10.0.0.7", 50871), "127.0.0.1"),
        ("[2001:db8::1]:50871", ("2001:db8::1", 50871), "::1"),
        ("[fe80::1%eth0]:50871", ("fe80::1", 50871), "::1"),
        # A Unix socket has no address: one is made of the connection's number.
        ("/run/mqtt.sock", ("127.0.0.1", 49_159), "127.0.0.1"),
        ("", ("127.0.0.1", 49_159), "127.0.0.1"),
    ],
)
@pytest.mark.parametrize(("protocol", "port"), [("mqtt", 1883), ("kafka", 9092), ("amqp", 5672)])
def test_ends_are_the_client_and_the_registered_port(
    address: str, client: tuple[str, int], server: str, protocol: str, port: int
) -> None:
    origin = Origin("", address, ("tls", "", "1"))
    first = captured(row(b"x", protocol=protocol, origin=origin))[0]
    assert (first.source, first.target) == (client, (server, port))
    assert first.checked


def test_mqtt_sn_is_datagrams() -> None:
    origin = Origin("", "10.0.0.9:4000", ("sn", "mqtt-sn", "1884"))
    found = captured(row(b"\x03\x16\0", origin=origin), row(b"\x02\x17", OUT, origin=origin))
    assert [(each.target, each.data, each.flags) for each in found] == [
        (("127.0.0.1", 1884), b"\x03\x16\0", None),
        (("10.0.0.9", 4000), b"\x02\x17", None),
    ]
    assert all(each.checked for each in found)
    assert [each.comment for each in found] == ["c7 dev-7 sn", ""]


@pytest.mark.parametrize("size", [1, 2, 32_768, 32_769, 200_001])
def test_a_frame_that_is_larger_than_a_packet_is_several(size: int) -> None:
    frame = bytes(range(256)) * (size // 256 + 1)
    found = captured(row(frame[:size], OUT), row(b"."))
    assert streams(found) == {("127.0.0.1", 1883): frame[:size], ("10.0.0.7", 50871): b"."}
    assert all(len(each.data) <= 32_768 for each in found)


def test_connections_are_apart_also_where_one_has_the_port_of_another_before_it() -> None:
    other = Origin("", "10.0.0.7:50872", ("plain", "mqtt", "1883"))
    found = captured(row(b"a"), row(b"b", connection=8, origin=other), row(b"c", connection=9))
    begins = [each for each in found if each.flags == 2]
    assert [each.source[1] for each in begins] == [50871, 50872, 50871]
    assert begins[0].sequence != begins[2].sequence
    assert streams(found)["10.0.0.7", 50872] == b"b"


def test_rows_of_one_frame_are_one_and_what_no_socket_carried_is_left_out() -> None:
    frame = b"a frame with two messages"
    inside = row(b"from the prompt", origin=Origin())
    event = Row("mqtt", IN, "closed", 7, kind="event")
    # A fault sent it once more, the same bytes; and the client sent what is equal to it.
    again = row(frame), row(bytes(bytearray(frame)))
    found = captured(row(frame), row(frame, part=1), inside, event, *again)
    assert streams(found) == {("10.0.0.7", 50871): frame * 3}


def test_a_capture_of_nothing_is_one(tmp_path: Path) -> None:
    assert packets(Capture()(Row("mqtt", IN, "closed", kind="event"))) == []


def test_the_console_captures_traffic_and_rows_and_nothing_that_is_stored(tmp_path: Path) -> None:
    made, path = Scene(files=True), tmp_path / "t.pcapng"
    client = made.networks["mqtt"].connect(listener=Listener("mqtt", port=29_876))
    connect = bytes.fromhex("100d 0004 4d51 5454 0402 003c 0001 7a c000")
    client.send(connect)
    made.run(f"export (client:z) --as pcapng > {path}")
    made.advance(0.1)
    found = packets(path.read_bytes())
    _, port = found[0].source
    assert streams(found) == {
        ("127.0.0.1", port): connect,
        ("127.0.0.1", 1883): bytes.fromhex("2002 0000 d000"),
    }
    said = made.session.run("export mqtt:sensors/# --as pcapng").as_text()
    assert "what is stored has no frames: export (FILTER)" in said
