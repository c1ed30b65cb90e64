"""TLS and WebSocket as layers, with clients of the standard library and of wsproto."""

import asyncio
import ssl
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.access import Principal
from mockforge_brokers.clock import LoopClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput, StreamFailed
from mockforge_brokers.listener import Listener
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish
from mockforge_brokers.streams import Stream, layers
from mockforge_brokers.tls import Issued, issue, own_names, server_context
from mockforge_brokers.transport import Server
from mockforge_brokers.websocket import WebSocketStream
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    Request,
    TextMessage,
)

pytest.importorskip("cryptography")

_SOMEBODYS = """-----BEGIN CERTIFICATE-----
MIHOMIGBoAMCAQICAQEwBQYDK2VwMBExDzANBgNVBAMMBnRoZWlyczAeFw0yMDAx
MDEwMDAwMDBaFw00MDAxMDEwMDAwMDBaMBExDzANBgNVBAMMBnRoZWlyczAqMAUG
AytlcAMhAD8Gs2z/rRv3i1QYZZD0ELD8VvyYr8c/AiZcKwNAZzeRMAUGAytlcANB
AO093wyamvX7NmSIwqiNt7LLRFa/dnZ5B0XZoVZZv8zSILXtWYoTJphNqYSQyU1H
3bCu47j5kHCIFfUiA+ykawA=
-----END CERTIFICATE-----
"""


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("tls"), own_names("127.0.0.1"))


class Client:
    """A TLS client over memory that talks to one stream."""

    def __init__(self, stream: Stream, context: ssl.SSLContext, name: str = "localhost") -> None:
        self.stream = stream
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.server_got = b""

    def shake_hands(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.exchange()
            except ssl.SSLError:
                self.exchange()
                raise
            else:
                self.exchange()
                return

    def exchange(self, cut: int = 0) -> None:
        data = self.outgoing.read()
        for piece in (data[:cut], data[cut:]) if cut else (data,):
            if piece:
                self.server_got += self.stream.received(piece)
                self.incoming.write(self.stream.answer())


def _nowhere(address: str) -> None:
    raise AssertionError(f"no proxy said {address}")


def trusting(issued: Issued) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(issued.ca))


def serving(context: ssl.SSLContext, seen: list[Principal], **options: bool) -> Stream:
    listener = Listener("mqtt", port=8883, tls=context, **options)
    stream = layers(listener, [listener], seen.append, _nowhere)
    assert stream is not None
    return stream


def plain_context(issued: Issued, client_ca: Path | None = None) -> ssl.SSLContext:
    ca = None if client_ca is None else str(client_ca)
    return server_context(str(issued.certificate), str(issued.key), ca)


def test_a_raw_listener_has_no_layer() -> None:
    assert layers(Listener("kafka"), [], lambda principal: None, _nowhere) is None


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "host.docker.internal"])
def test_the_throw_away_certificate_holds_for_the_names_of_this_machine(
    issued: Issued, name: str
) -> None:
    seen: list[Principal] = []
    client = Client(serving(plain_context(issued), seen), trusting(issued), name)
    client.shake_hands()
    client.tls.write(b"hello")
    client.exchange(cut=3)
    assert client.server_got == b"hello"
    client.incoming.write(client.stream.sent(b"x" * 100_000))
    got = b""
    while len(got) < 100_000:
        got += client.tls.read(100_000)
    assert got == b"x" * 100_000
    (principal,) = seen
    assert (principal.tls, principal.certificate) == ("TLSv1.3", "")
    # An address is no server name (RFC 6066).
    assert principal.server_name == (name if "1" not in name else "")


def test_a_clients_certificate_is_its_principals(issued: Issued) -> None:
    seen: list[Principal] = []
    context = trusting(issued)
    context.load_cert_chain(issued.client_certificate, issued.client_key)
    Client(serving(plain_context(issued, issued.ca), seen), context).shake_hands()
    assert seen[0].certificate == "CN=client"


def failure(issued: Issued, context: ssl.SSLContext, client_ca: Path | None = None) -> str:
    client = Client(serving(plain_context(issued, client_ca), []), context)
    with pytest.raises(StreamFailed) as failed:
        try:
            client.shake_hands()
        except ssl.SSLError:
            pass
        client.tls.write(b"never read")
        client.exchange()
    return str(failed.value)


def test_a_client_without_a_certificate_is_refused_where_one_is_wanted(issued: Issued) -> None:
    assert "has no certificate" in failure(issued, trusting(issued), issued.ca)


def test_files_that_a_start_made_are_made_anew_and_others_are_left_alone(tmp_path: Path) -> None:
    issue(tmp_path, [])
    made = issue(tmp_path, [])
    for names, text in (
        (("server.pem",), _SOMEBODYS),
        (("ca.pem",), "-----BEGIN CERTIFICATE-----\nno base64\n-----END CERTIFICATE-----\n"),
        (("server.key", "server.pem"), "somebody's own key\n"),
    ):
        files = [tmp_path / name for name in names]
        before = [each.read_bytes() for each in files]
        for other in files[1:]:
            other.unlink()
        files[0].write_text(text)
        with pytest.raises(InvalidInput, match=f"TLS: {files[0]} was not made by --tls auto"):
            issue(tmp_path, [])
        assert files[0].read_text() == text
        for path, data in zip(files, before, strict=True):
            path.write_bytes(data)
    made.certificate.write_bytes(b"")
    issue(tmp_path, [])


def test_a_certificate_of_another_ca_is_refused(issued: Issued, tmp_path: Path) -> None:
    other = issue(tmp_path, [])
    context = trusting(issued)
    context.load_cert_chain(other.client_certificate, other.client_key)
    assert "client's certificate is not accepted" in failure(issued, context, issued.ca)


def test_a_client_that_does_not_trust_us_is_told_of_with_the_remedy(issued: Issued) -> None:
    assert "give it the CA" in failure(issued, ssl.create_default_context())


def test_a_client_too_old_is_named(issued: Issued) -> None:
    context = trusting(issued)
    server = plain_context(issued)
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = Client(serving(server, []), context)
    with pytest.raises(StreamFailed, match="no agreement with the client: unsupported protocol"):
        client.shake_hands()


def test_a_handshake_may_begin_with_its_first_byte_alone(issued: Issued) -> None:
    stream = serving(plain_context(issued), [])
    assert stream.received(b"\x16") == b""
    with pytest.raises(StreamFailed, match="no agreement"):
        stream.received(b"\x03\x01\0\5" + b"\xff" * 5)


def test_plain_bytes_to_a_tls_port_are_named(issued: Issued) -> None:
    with pytest.raises(StreamFailed, match="MQTT without TLS"):
        serving(plain_context(issued), []).received(
            bytes.fromhex("10 0c 00 04 4d 51 54 54 04 02 00 3c 00 00")
        )


def test_a_tls_close_notify_ends_the_stream_on_either_side(issued: Issued) -> None:
    client = Client(serving(plain_context(issued), []), trusting(issued))
    client.shake_hands()
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    client.exchange()
    assert client.stream.ended
    client.incoming.write(client.stream.closed())
    client.tls.unwrap()


@pytest.mark.parametrize(
    ("certificate", "key", "problem"),
    [
        ("absent.pem", "server.key", "--tls: .*absent.pem: No such file"),
        ("ca.pem", "server.key", "no certificate with its key"),
        ("server.key", "server.key", "no certificate with its key"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    issued: Issued, certificate: str, key: str, problem: str
) -> None:
    folder = issued.ca.parent
    with pytest.raises(InvalidInput, match=problem):
        server_context(str(folder / certificate), str(folder / key))
    with pytest.raises(InvalidInput, match=r"--tls-client-ca: .* has no certificate as PEM"):
        server_context(str(issued.certificate), str(issued.key), str(issued.key))


# WebSocket ---------------------------------------------------------------------------------


class Browser:
    """wsproto's client at one stream."""

    def __init__(self, stream: Stream, subprotocols: list[str] | None = None) -> None:
        self.stream = stream
        self.ws = WSConnection(ConnectionType.CLIENT)
        offered = ["mqtt"] if subprotocols is None else subprotocols
        self.server_got = b""
        self.events: list[Event] = []
        self.send(self.ws.send(Request(host="localhost", target="/any", subprotocols=offered)))

    def send(self, data: bytes, cuts: tuple[int, ...] = ()) -> None:
        for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
            self.server_got += self.stream.received(data[start:end])
            self.hear(self.stream.answer())

    def hear(self, data: bytes) -> None:
        if data:
            self.ws.receive_data(data)
            self.events += self.ws.events()


@pytest.mark.parametrize("offered", [["mqtt"], ["mqttv3.1"], ["other", "mqtt"]])
def test_an_upgrade_is_accepted_with_the_clients_sub_protocol(offered: list[str]) -> None:
    (accepted,) = Browser(WebSocketStream(), offered).events
    assert isinstance(accepted, AcceptConnection)
    assert accepted.subprotocol == offered[-1]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.data())
def test_frames_may_be_split_and_joined_in_any_way(
    pieces: list[bytes], data: st.DataObject
) -> None:
    browser = Browser(WebSocketStream())
    burst = b"".join(browser.ws.send(BytesMessage(piece)) for piece in pieces)
    cuts = data.draw(st.lists(st.integers(0, len(burst)), max_size=8).map(sorted))
    browser.send(burst, tuple(cuts))
    assert browser.server_got == b"".join(pieces)


def test_a_message_in_fragments_is_one_stream() -> None:
    browser = Browser(WebSocketStream())
    browser.send(browser.ws.send(BytesMessage(b"ab", message_finished=False)))
    browser.send(browser.ws.send(Ping(b"between")))
    browser.send(browser.ws.send(BytesMessage(b"cd")))
    assert browser.server_got == b"abcd"
    assert browser.events[-1] == Pong(b"between")


def test_what_is_sent_is_a_binary_frame() -> None:
    browser = Browser(WebSocketStream())
    browser.hear(browser.stream.sent(b"\x20\x02\x00\x00"))
    assert browser.events[-1].data == b"\x20\x02\x00\x00"  # type: ignore[attr-defined]


def sent(browser: Browser, *pieces: bytes) -> list[bytes]:
    """What comes of what is sent in pieces, frame by frame."""
    heard = len(browser.events)
    for piece in pieces:
        browser.hear(browser.stream.sent(piece))
    return [
        bytes(event.data) for event in browser.events[heard:] if isinstance(event, BytesMessage)
    ]


def packet(size: int) -> bytes:
    """A PUBLISH of `size` bytes behind its head."""
    length, left = b"", size
    while left > 0x7F:
        length, left = length + bytes((left & 0x7F | 0x80,)), left >> 7
    return b"\x30" + length + bytes((left,)) + b"x" * size


def test_each_packet_is_a_frame_of_its_own() -> None:
    burst = [packet(size) for size in (0, 2, 123, 124, 127, 128, 65_531, 65_532, 70_000, 3)]
    assert sent(Browser(WebSocketStream()), b"".join(burst)) == burst


def test_a_packet_that_leaves_in_pieces_is_as_many_frames() -> None:
    long, short = packet(300), packet(4)
    frames = sent(Browser(WebSocketStream()), long[:100], long[100:200], long[200:] + short)
    assert frames == [long[:100], long[100:200], long[200:], short]


@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(0, 200), max_size=5).map(sorted))
def test_whatever_is_sent_arrives_whole(data: bytes, cuts: list[int]) -> None:
    pieces = [data[a:b] for a, b in pairwise([0, *cuts, len(data)]) if data[a:b]]
    assert b"".join(sent(Browser(WebSocketStream()), *pieces)) == b"".join(pieces)


def test_a_close_is_answered_and_ends_the_stream() -> None:
    browser = Browser(WebSocketStream())
    browser.send(browser.ws.send(CloseConnection(1000)))
    assert browser.stream.ended
    assert isinstance(browser.events[-1], CloseConnection)
    assert browser.stream.closed() == b""


def test_our_close_is_a_close_frame() -> None:
    browser = Browser(WebSocketStream())
    browser.hear(browser.stream.closed())
    assert browser.events[-1] == CloseConnection(1000, "")


def test_a_text_frame_closes_the_connection() -> None:
    browser = Browser(WebSocketStream())
    with pytest.raises(StreamFailed, match="text frame"):
        browser.stream.received(browser.ws.send(TextMessage("hello")))
    browser.hear(browser.stream.answer())
    closed = browser.events[-1]
    assert isinstance(closed, CloseConnection)
    assert closed.code == 1003


def test_an_unmasked_frame_closes_the_connection() -> None:
    browser = Browser(WebSocketStream())
    with pytest.raises(StreamFailed, match="WebSocket"):
        browser.stream.received(b"\x82\x02ab")
    browser.hear(browser.stream.answer())
    assert isinstance(browser.events[-1], CloseConnection)


def test_what_came_before_a_broken_rule_in_the_same_read_is_not_lost() -> None:
    for broken in ("text", "unmasked"):
        browser = Browser(WebSocketStream())
        first = browser.ws.send(BytesMessage(b"one")) + browser.ws.send(BytesMessage(b"two"))
        wrong = browser.ws.send(TextMessage("x")) if broken == "text" else b"\x82\x02ab"
        with pytest.raises(StreamFailed) as failed:
            browser.stream.received(first + wrong)
        assert failed.value.before == b"onetwo", broken


def test_what_came_before_a_broken_record_in_the_same_read_is_not_lost(issued: Issued) -> None:
    stream = serving(plain_context(issued), [])
    client = Client(stream, trusting(issued))
    client.shake_hands()
    client.tls.write(b"hello")
    record = b"\x17\x03\x03\x00\x20" + bytes(32)
    with pytest.raises(StreamFailed) as failed:
        stream.received(client.outgoing.read() + record)
    assert failed.value.before == b"hello"


@pytest.mark.parametrize("turn", [1.0, 0.0])
def test_a_publish_in_front_of_a_text_frame_is_published(turn: float) -> None:
    async def published() -> int:
        environment = Environment.create(LoopClock(asyncio.get_running_loop()))
        broker = MqttBroker(environment)
        server = Server(broker, environment)
        environment.turn.length = turn
        listener = await server.listen(Listener("mqtt", websocket=True))
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        ws = WSConnection(ConnectionType.CLIENT)
        asked = Request(host="localhost", target="/mqtt", subprotocols=["mqtt"])
        writer.write(ws.send(asked))
        ws.receive_data(await reader.readuntil(b"\r\n\r\n"))
        assert isinstance(next(iter(ws.events())), AcceptConnection)
        packets = encode_packet(Connect("c"), 4) + encode_packet(Publish("t", b"x"), 4)
        writer.write(ws.send(BytesMessage(packets)) + ws.send(TextMessage("no")))
        await reader.read()
        writer.close()
        await server.close()
        return broker.router.count("t").published

    assert asyncio.run(published()) == 1


HEAD = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = f"{HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"


@pytest.mark.parametrize(
    ("request_text", "status", "says"),
    [
        (f"{HEAD}\r\n", 426, "MQTT over WebSocket is served here"),
        (f"{UPGRADE}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 400, "(none) is none of"),
        (f"{UPGRADE}Sec-WebSocket-Protocol: mqtt\r\n\r\n", 400, "Sec-WebSocket-Key"),
        (f"{HEAD}Upgrade: websocket\r\nbad header\r\n\r\n", 400, "No WebSocket"),
        (UPGRADE + "X: y\r\n" * 4000, 431, "too large"),
        (
            f"{UPGRADE}Sec-WebSocket-Key: x\r\n\r\n".replace("13", "12"),
            426,
            "Sec-WebSocket-Version",
        ),
    ],
)
def test_a_wrong_upgrade_gets_an_http_answer(request_text: str, status: int, says: str) -> None:
    listener = Listener("mqtt", port=8083, websocket=True)
    stream = layers(listener, [listener], lambda principal: None, _nowhere)
    assert stream is not None
    with pytest.raises(StreamFailed):
        stream.received(request_text.encode())
    head, _, body = stream.answer().partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"content-length: {len(body)}".encode() in head
    assert says.encode() in body


@given(st.data())
def test_a_request_for_a_web_socket_may_come_in_any_pieces(data: st.DataObject) -> None:
    listener = Listener("mqtt", port=8083, websocket=True)
    stream = layers(listener, [listener], lambda principal: None, _nowhere)
    assert stream is not None
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n"
    request = f"{UPGRADE}{key}\r\n".encode()
    cuts = data.draw(st.lists(st.integers(0, len(request)), max_size=8).map(sorted))
    for start, end in zip((0, *cuts), (*cuts, len(request)), strict=True):
        stream.received(request[start:end])
    assert stream.answer().startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        ([b"G", b"ET / HTTP/1.1\r\n", b"\r\n"], "HTTP"),
        ([b"\x10", b"\x0c\0\4MQTT\4\2\0<\0\0"], "not WebSocket"),
        ([b"\x16", b"\3\1"], "TLS"),
    ],
)
def test_what_is_no_web_socket_is_named_once_it_can_be(pieces: list[bytes], says: str) -> None:
    listener = Listener("mqtt", port=8083, websocket=True)
    stream = layers(listener, [listener], lambda principal: None, _nowhere)
    assert stream is not None

    def speak() -> None:
        for piece in pieces:
            stream.received(piece)

    with pytest.raises(StreamFailed, match=says):
        speak()


@given(st.binary(max_size=40), st.binary(max_size=200))
def test_noise_ends_the_connection_and_nothing_else(host: bytes, noise: bytes) -> None:
    head = b"GET /\xff HTTP/1.1\r\nUpgrade: websocket\r\nHost: " + host + b"\r\n\r\n"
    for data in (head, noise + b"\r\n\r\n"):
        with pytest.raises(StreamFailed):
            WebSocketStream().received(data)
    browser = Browser(WebSocketStream())
    try:
        browser.stream.received(noise)
    except StreamFailed:
        pass


def test_what_is_written_after_the_end_goes_nowhere(issued: Issued) -> None:
    client = Client(serving(plain_context(issued), []), trusting(issued))
    client.shake_hands()
    client.stream.closed()
    assert client.stream.sent(b"too late") == b""


@pytest.fixture
def secure(issued: Issued) -> tuple[Client, Browser]:
    client = Client(serving(plain_context(issued), [], websocket=True), trusting(issued))
    client.shake_hands()

    class Tunnel:
        ended = False

        def received(self, data: bytes) -> bytes:
            before = len(client.server_got)
            client.tls.write(data)
            client.exchange()
            return client.server_got[before:]

        def answer(self) -> bytes:
            try:
                return client.tls.read(100_000)
            except ssl.SSLWantReadError:
                return b""

    return client, Browser(Tunnel())  # type: ignore[arg-type]


def test_a_web_socket_goes_through_tls(secure: tuple[Client, Browser]) -> None:
    client, browser = secure
    assert isinstance(browser.events[0], AcceptConnection)
    browser.send(browser.ws.send(BytesMessage(b"hello")))
    assert browser.server_got == b"hello"
    client.incoming.write(client.stream.sent(b"world"))
    browser.hear(client.tls.read(1000))
    assert browser.events[-1].data == b"world"  # type: ignore[attr-defined]
