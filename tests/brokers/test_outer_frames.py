"""What a tape says of the WebSocket frames around a protocol's bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.errors import StreamFailed
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.outer_frames import Heads, HeadSplitter, OuterFrames
from mockforge_brokers.websocket import WebSocketStream
from wsproto import ConnectionType, WSConnection
from wsproto.events import BytesMessage, CloseConnection, Ping, Request
from wsproto.frame_protocol import FrameProtocol, Opcode

from .test_streams import Browser, packet

PINGED = bytes.fromhex("8981 00000000 61")
"""A client's ping of "a", with a mask of zeros."""


class Looked:
    """A browser at a stream whose heads are kept."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, bytes]] = []
        stream = WebSocketStream(
            None, lambda direction, heads: self.kept.append((direction, heads))
        )
        self.browser = Browser(stream)

    def rows(self) -> list[Row]:
        owner = OuterFrames(lambda: "dev-1")
        return [
            row
            for direction, heads in self.kept
            for head in owner.splitter(direction).feed(heads)
            for row in owner.rows(direction, head)
        ]

    def said(self) -> list[tuple[int, str, dict[str, Any]]]:
        return [(row.direction, row.operation, row.detail) for row in self.rows()]


def detail(length: int, *, masked: bool, fin: bool = True) -> dict[str, Any]:
    return {"fin": fin, "masked": masked, "length": length}


def test_fragments_pings_and_closes_are_rows_with_fin_mask_and_length() -> None:
    looked = Looked()
    ws, browser = looked.browser.ws, looked.browser
    browser.send(ws.send(BytesMessage(b"abc", message_finished=False)))
    browser.send(ws.send(Ping(b"between")))
    browser.send(ws.send(BytesMessage(b"d" * 300)))
    browser.hear(browser.stream.sent(packet(70_000) + packet(2)))
    browser.send(ws.send(CloseConnection(1001, "bye")))
    closed = {"code": 1001, "reason": "bye"}
    assert looked.said() == [
        (IN, "ws.binary", detail(3, masked=True, fin=False)),
        (IN, "ws.ping", detail(7, masked=True)),
        (OUT, "ws.pong", detail(7, masked=False)),
        (IN, "ws.continuation", detail(300, masked=True)),
        (OUT, "ws.binary", detail(70_004, masked=False)),
        (OUT, "ws.binary", detail(4, masked=False)),
        (IN, "ws.close", detail(5, masked=True) | closed),
        (OUT, "ws.close", detail(5, masked=False) | closed),
    ]
    rows = looked.rows()
    assert {row.kind for row in rows} == {"noise"}
    assert rows[1].payload == b"between", "without its mask"
    assert sum(len(heads) for _, heads in looked.kept) < 100, "no payload but of control frames"


def test_our_own_close_is_a_row() -> None:
    looked = Looked()
    looked.browser.hear(looked.browser.stream.closed())
    assert looked.said() == [
        (OUT, "ws.close", detail(2, masked=False) | {"code": 1000, "reason": ""})
    ]


def upgrade(subprotocol: str) -> bytes:
    asked = Request(host="localhost", target="/mqtt", subprotocols=[subprotocol])
    return WSConnection(ConnectionType.CLIENT).send(asked)


@pytest.mark.parametrize(
    ("request_", "status"),
    [(upgrade("other"), 400), (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426)],
)
def test_what_comes_behind_a_refused_upgrade_is_no_frame(request_: bytes, status: int) -> None:
    kept: list[bytes] = []
    stream = WebSocketStream(None, lambda direction, heads: kept.append(heads))
    with pytest.raises(StreamFailed):
        stream.received(request_ + PINGED)
    assert stream.answer().startswith(b"HTTP/1.1 %d" % status)
    assert kept == []


def test_what_comes_right_behind_an_upgrade_is_a_frame_once_it_is_accepted() -> None:
    kept: list[tuple[int, bytes]] = []
    stream = WebSocketStream(None, lambda direction, heads: kept.append((direction, heads)))
    whole = upgrade("mqtt") + PINGED
    came = stream.received(whole[:30]) + stream.received(whole[30:])
    assert came == b""
    assert kept == [(IN, PINGED)]
    stream.answer()
    assert [direction for direction, _ in kept] == [IN, OUT]


LENGTHS = st.sampled_from([0, 1, 124, 125, 126, 127, 128, 65_535, 65_536, 70_000])
FRAMES = st.tuples(st.sampled_from([Opcode.BINARY, Opcode.TEXT, Opcode.PING]), LENGTHS)


@given(st.lists(FRAMES, max_size=6), st.booleans(), st.data())
def test_heads_are_the_same_however_bytes_are_cut(
    frames: list[tuple[Opcode, int]], client: bool, data: st.DataObject
) -> None:
    protocol = FrameProtocol(client=client, extensions=[])
    wanted, stream = [], b""
    for opcode, length in frames:
        length = min(length, 125) if opcode is Opcode.PING else length
        wanted.append((opcode, length))
        stream += protocol._serialize_frame(opcode, bytes(length))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    heads, kept = Heads(), b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        kept += heads.feed(stream[start:end])
    owner = OuterFrames(lambda: "")
    rows = [row for head in HeadSplitter().feed(kept) for row in owner.rows(IN, head)]
    assert [(row.operation, row.size) for row in rows] == [
        (f"ws.{opcode.name.lower()}", length) for opcode, length in wanted
    ]
    assert all(row.detail["masked"] is client for row in rows)


@given(st.binary(min_size=1, max_size=40))
def test_whatever_a_client_sends_makes_rows_and_no_exception(data: bytes) -> None:
    owner = OuterFrames(lambda: "")
    for head in HeadSplitter().feed(Heads().feed(data)):
        assert owner.rows(IN, head)
