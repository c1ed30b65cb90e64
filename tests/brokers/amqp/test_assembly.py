"""Contents of several body frames: kept as they were read, joined once, and no read for long."""

import pytest
from mockforge_brokers.amqp.connection.assembly import Assembly
from mockforge_brokers.amqp.wire import content, frames

READ = 256 * 1024


def begun(size: int) -> Assembly:
    assembly = Assembly(b"method")
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


def test_frames_of_one_read_count_it_once() -> None:
    frame = frames.frame(frames.BODY, 1, bytes(1_000))
    read = memoryview(frame * 250)
    assembly = begun(1_000 * 1_000)
    for _ in range(4):
        for at in range(0, len(read), len(frame)):
            assembly.add(frames.BODY, [read[at : at + len(frame)]], READ)
    assert len(assembly._pieces) == 1_001
