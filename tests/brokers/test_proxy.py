"""The PROXY protocol in front of any other: whose the address is, and that no byte is lost."""

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.clock import LoopClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import StreamFailed
from mockforge_brokers.events import ClientBehindProxy, ProtocolViolated
from mockforge_brokers.listener import Listener
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.proxy import ProxyStream
from mockforge_brokers.transport import Server

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
CONNECT = bytes.fromhex("100d00044d51545404020000000161")


def binary(command: int, family: int, addresses: bytes, more: bytes = b"") -> bytes:
    body = addresses + more
    return SIGNATURE + bytes((command, family)) + struct.pack(">H", len(body)) + body


V4 = bytes((192, 0, 2, 7, 10, 0, 0, 1)) + struct.pack(">HH", 40000, 1883)
V6 = bytes.fromhex("20010db8" + "00" * 11 + "07" + "00" * 15 + "01") + struct.pack(
    ">HH", 40000, 1883
)

# HAProxy's proxy-protocol.txt, 2.1 and 2.2; None: the proxy itself, or nobody knows.
HEADERS = [
    (b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 1883\r\n", "192.0.2.7:40000"),
    (b"PROXY TCP6 2001:db8::7 ::1 40000 1883\r\n", "[2001:db8::7]:40000"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
    (binary(0x21, 0x11, V4), "192.0.2.7:40000"),
    (binary(0x21, 0x21, V6), "[2001:db8::7]:40000"),
    (binary(0x21, 0x11, V4, b"\x03\x00\x04abcd"), "192.0.2.7:40000"),
    (binary(0x20, 0x00, b""), None),
    (binary(0x21, 0x31, b"\0" * 216), None),
]


@pytest.mark.parametrize(("header", "address"), HEADERS)
@given(cuts=st.lists(st.integers(1, 60), max_size=6))
def test_the_address_is_the_headers_and_what_follows_comes_through(
    header: bytes, address: str | None, cuts: list[int]
) -> None:
    seen: list[str] = []
    stream = ProxyStream(seen.append)
    data, got = header + CONNECT, b""
    for cut in [*cuts, len(data)]:
        if data[:cut]:
            got += stream.received(data[:cut])
        data = data[cut:]
    assert (got, seen) == (CONNECT, [address] if address else [])
    assert stream.open
    assert stream.received(b"more") == b"more"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (CONNECT, "--proxy-protocol"),
        (b"PROXZ", "--proxy-protocol"),
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 40000\r\n", "is no header"),
        (b"PROXY TCP4 nowhere 10.0.0.1 40000 1883\r\n", "is no address"),
        (b"PROXY TCP4 ::1 ::1 40000 1883\r\n", "contradicts itself"),
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 99999 1883\r\n", "contradicts itself"),
        (b"PROXY " + b"x" * 110, "does not end in 107 bytes"),
        (binary(0x11, 0x11, V4), "not served"),
        (binary(0x22, 0x11, V4), "not served"),
        (binary(0x21, 0x11, V4[:8]), "ends within"),
        (SIGNATURE + b"\x21\x11\xff\xff", "is none"),
    ],
)
def test_what_is_no_header_ends_the_connection_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(StreamFailed, match=why):
        ProxyStream(lambda address: None).received(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header_or_refused(data: bytes) -> None:
    try:
        ProxyStream(lambda address: None).received(data)
    except StreamFailed:
        pass


@pytest.mark.parametrize(("header", "address"), HEADERS[:1] + HEADERS[4:5])
def test_a_connection_has_the_address_of_who_is_behind_the_proxy(
    header: bytes, address: str
) -> None:
    async def run() -> None:
        environment = Environment.create(LoopClock(asyncio.get_running_loop()), seed=1)
        broker = MqttBroker(environment)
        server = Server(broker, environment)
        listener = await server.listen(Listener("mqtt", proxied=True))
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(header + CONNECT)
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
        [view] = broker.connections()
        assert view.address == address
        events = [event for _, event in environment.spine.history]
        [told] = [event for event in events if isinstance(event, ClientBehindProxy)]
        assert told.address == address
        assert told.proxy.startswith("127.0.0.1:")
        _, direct = await asyncio.open_connection("127.0.0.1", listener.port)
        direct.write(CONNECT)
        while not any(
            isinstance(event, ProtocolViolated) for _, event in environment.spine.history
        ):
            await asyncio.sleep(0)
        for each in (writer, direct):
            each.close()
        await server.close()

    asyncio.run(run())
