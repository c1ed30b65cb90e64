"""Bytes of frames that are not whole: kept in pieces, joined once, nothing lost or doubled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.amqp.connection.unread import Unread
from mockforge_brokers.amqp.wire import frames

from .client import Scene, publish


def test_the_pieces_of_a_large_message_are_joined_when_the_last_one_is_there() -> None:
    unread = Unread()
    unread.keep(b"..abc", 2, 4)
    unread.keep(b"de", 0, 2)
    assert (unread.size, unread.missing) == (5, 2)
    assert unread.complete(b"fg next") == (b"abcdefg", 2)
    assert (unread.size, unread.missing) == (0, 0)


def test_without_a_known_length_all_that_comes_is_joined() -> None:
    unread = Unread()
    unread.keep(b"ab", 0, 0)
    assert unread.complete(b"cde") == (b"abcde", 3)


def test_taking_forgets() -> None:
    unread = Unread()
    unread.keep(b"abc", 1, 9)
    assert unread.take() == b"bc"
    assert (unread.take(), unread.size, unread.missing) == (b"", 0, 0)


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=9), st.binary(min_size=1, max_size=9))
def test_every_byte_comes_back_once_and_in_order(pieces: list[bytes], last: bytes) -> None:
    unread = Unread()
    for piece in pieces:
        unread.keep(piece, 0, 0)
    assert unread.size == sum(map(len, pieces))
    joined, used = unread.complete(last)
    assert joined == b"".join(pieces) + last[:used]


@pytest.mark.parametrize(
    "wrong",
    [
        frames.frame(frames.BODY, 1, b"of no message"),
        frames.method(1, "channel.open"),
        publish("", "q", b"x") * 2 + publish("", "q", b"x", immediate=True),
        frames.frame(frames.METHOD, 1, bytes.fromhex("0032000a00")),
    ],
    ids=["unexpected", "second open", "not implemented", "cut short"],
)
def test_the_answer_to_our_close_is_found_wherever_reads_end(wrong: bytes) -> None:
    """What the client sent before it heard of its error is behind it, up to its close-ok."""
    data = wrong + publish("", "q", bytes(50)) * 2 + frames.HEARTBEAT_FRAME
    data += frames.method(0, "connection.close-ok")
    ends = set()
    for cut in range(len(wrong), len(data)):
        client = Scene().client()
        client.fake.send(data[:cut])
        assert [got.name for got in client.received()] == ["connection.close"]
        client.fake.send(data[cut:])
        ends.add(client.peer.ended)
    assert ends == {"closed"}
