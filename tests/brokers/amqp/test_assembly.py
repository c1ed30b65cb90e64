"""Contents of several body frames: kept as they were read, joined once, and no read for long."""

import pytest
from mockforge_brokers.amqp.codes import ReplyCode
from mockforge_brokers.amqp.connection.assembly import WASTE, Assembly, Spare
from mockforge_brokers.amqp.wire import content, frames
from mockforge_brokers.errors import RequestRefused

from .client import Scene

READ = 256 * 1024


def begun(size: int, spare: Spare | None = None) -> Assembly:
    assembly = Assembly(b"method", spare or Spare())
    header = frames.frame(frames.HEADER, 1, content.encode_header(size, {}))
    assert not assembly.add(frames.HEADER, [header], size)
    return assembly


@pytest.mark.parametrize("payload", [1_000, 20_000, 131_064])
def test_pieces_keep_no_more_than_twice_their_bytes_and_two_reads(payload: int) -> None:
    """Each frame is in a read of its own, whose other bytes nobody wants."""
    count = 64
    assembly = begun(count * payload)
    want = assembly.content
    for number in range(count):
        frame = frames.frame(frames.BODY, 1, bytes([number]) * payload)
        want += frame
        read = memoryview(bytes(100) + frame + bytes(READ - 100 - len(frame)))
        half = 100 + len(frame) // 2
        pieces = [read[100:half], read[half : 100 + len(frame)]]
        assert assembly.add(frames.BODY, pieces, READ) == (number == count - 1)
        reads = {id(each.obj): len(each.obj) for each in map(memoryview, assembly._pieces)}
        assert sum(reads.values()) <= 2 * assembly.raw_size + 2 * READ
    assert assembly.content == want


def test_many_begun_messages_of_one_connection_keep_no_more_together() -> None:
    spare = Spare()
    begun_ones = [begun(100_000, spare) for _ in range(100)]
    for assembly in begun_ones:
        frame = frames.frame(frames.BODY, 1, bytes(17_000))
        read = memoryview(frame + bytes(READ - len(frame)))
        assert not assembly.add(frames.BODY, [read[: len(frame)]], READ)
    pieces = [memoryview(piece) for each in begun_ones for piece in each._pieces]
    reads = {id(piece.obj): len(piece.obj) for piece in pieces}
    assert sum(reads.values()) <= 2 * sum(each.raw_size for each in begun_ones) + WASTE
    for assembly in begun_ones:
        assembly.let_go()
    assert spare.left == WASTE


@pytest.mark.parametrize("end", ["whole", "closed"])
def test_a_begun_message_that_ends_leaves_its_room_to_others(end: str) -> None:
    client = Scene().client()
    channels = client.fake.connection.channels
    client.fake.send(
        frames.method(1, "basic.publish", exchange="", routing_key="q")
        + frames.frame(frames.HEADER, 1, content.encode_header(40_000, {}))
        + frames.frame(frames.BODY, 1, bytes(20_000))
        + frames.frame(frames.HEARTBEAT, 0, b"") * 10_000
    )
    assert channels._spare.left < WASTE
    if end == "whole":
        client.fake.send(frames.frame(frames.BODY, 1, bytes(20_000)))
    else:
        refused = RequestRefused(ReplyCode.PRECONDITION_FAILED, "it took too long")
        channels.refuse(channels.open[1], refused, None)
        client.send("channel.close-ok")
    assert channels._spare.left == WASTE


def test_frames_of_one_read_count_it_once() -> None:
    frame = frames.frame(frames.BODY, 1, bytes(1_000))
    read = memoryview(frame * 250)
    assembly = begun(1_000 * 1_000)
    for _ in range(4):
        for at in range(0, len(read), len(frame)):
            assembly.add(frames.BODY, [read[at : at + len(frame)]], READ)
    assert len(assembly._pieces) == 1_001
