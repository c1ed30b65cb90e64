"""The compressions of record batches, in every shape that clients send."""

import gzip

import cramjam
import pytest
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.kafka.codes import Compression
from mockforge_brokers.kafka.compression import compress, decompress

PLAIN = b"twelve bytes" * 10_000
COMPRESSED = [codec for codec in Compression if codec is not Compression.NONE]


@pytest.mark.parametrize("codec", Compression)
@pytest.mark.parametrize("data", [b"", b"a", PLAIN])
def test_what_was_compressed_comes_back(codec: Compression, data: bytes) -> None:
    assert decompress(codec, compress(codec, data)) == data


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        (Compression.GZIP, gzip.compress(b"a" * 20, mtime=0).hex()),
        # librdkafka: one bare block.
        (Compression.SNAPPY, "14 00 61 4a0100"),
        # Java: magic, versions, then blocks with their size.
        (Compression.SNAPPY, "82534e4150505900 00000001 00000001 00000006 14 00 61 4a0100"),
        (
            Compression.SNAPPY,
            "82534e4150505900 00000001 00000001" + "00000006 0a 00 61 220100" * 2,
        ),
        # An lz4 frame of one stored block, without content size or checksums.
        (Compression.LZ4, "04224d18 60 40 82 14000080" + "61" * 20 + "00000000"),
        # A zstd frame of one raw block, without content size.
        (Compression.ZSTD, "28b52ffd 00 58 a10000" + "61" * 20),
    ],
)
def test_clients_own_bytes_are_read(codec: Compression, text: str) -> None:
    assert decompress(codec, bytes.fromhex(text)) == b"a" * 20


@pytest.mark.parametrize("more", [b"", b"bytes that begin no member", bytes(40), b"\x1f\x8b\x08"])
def test_all_members_of_gzip_are_read_and_what_follows_them_is_left(more: bytes) -> None:
    made = gzip.compress(b"one ") + gzip.compress(PLAIN) + gzip.compress(b" three")
    assert decompress(Compression.GZIP, made + more) == b"one " + PLAIN + b" three"


@pytest.mark.parametrize("end", [-1, -9, -20])
def test_a_further_member_of_gzip_that_is_cut_short_is_a_protocol_error(end: int) -> None:
    made = gzip.compress(b"one") + gzip.compress(PLAIN)[:end]
    with pytest.raises(ProtocolError, match="truncated"):
        decompress(Compression.GZIP, made)


def test_the_limit_holds_for_all_members_of_gzip_together() -> None:
    made = gzip.compress(b"a" * 60) + gzip.compress(b"a" * 60)
    assert len(decompress(Compression.GZIP, made, limit=120)) == 120
    with pytest.raises(ProtocolError, match="more than 119 bytes when decompressed"):
        decompress(Compression.GZIP, made, limit=119)


def test_more_members_of_gzip_than_any_client_writes_are_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="more than 1,000 members"):
        decompress(Compression.GZIP, gzip.compress(b"") * 1001)


def test_snappy_is_written_in_the_framing_that_java_reads() -> None:
    made = compress(Compression.SNAPPY, PLAIN)
    assert made.startswith(b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")


def test_lz4_is_written_in_independent_blocks_as_java_wants() -> None:
    made = compress(Compression.LZ4, PLAIN)
    assert made[:4] == bytes.fromhex("04224d18")
    assert made[4] & 0x20


def test_a_zstd_frame_without_content_size_is_read() -> None:
    stream = cramjam.zstd.Compressor()
    stream.compress(PLAIN)
    assert decompress(Compression.ZSTD, bytes(stream.finish())) == PLAIN


@pytest.mark.parametrize("codec", COMPRESSED)
def test_every_proper_prefix_is_a_protocol_error(codec: Compression) -> None:
    made = compress(codec, b"a" * 40 + bytes(range(40)))
    # The snappy stream has no end mark: what stops after its header or a block is whole.
    whole = {16} if codec is Compression.SNAPPY else set()
    for end in set(range(len(made))) - whole:
        with pytest.raises(ProtocolError, match=codec.name.lower()):
            decompress(codec, made[:end])


@pytest.mark.parametrize("codec", COMPRESSED)
def test_more_than_the_limit_is_a_protocol_error(codec: Compression) -> None:
    made = compress(codec, PLAIN)
    assert decompress(codec, made, limit=len(PLAIN)) == PLAIN
    with pytest.raises(ProtocolError, match="more than 100000 bytes when decompressed"):
        decompress(codec, made, limit=100_000)


@pytest.mark.parametrize("codec", COMPRESSED)
def test_other_bytes_are_a_protocol_error(codec: Compression) -> None:
    with pytest.raises(ProtocolError, match=f"{codec.name.lower()} "):
        decompress(codec, b"\xff" * 50)


@pytest.mark.parametrize("size", ["00000000", "ffffffff", "00000007"])
def test_a_snappy_block_of_impossible_size_is_a_protocol_error(size: str) -> None:
    header = "82534e4150505900 00000001 00000001"
    with pytest.raises(ProtocolError, match="snappy block"):
        decompress(Compression.SNAPPY, bytes.fromhex(f"{header} {size} 14 00 61 4a0100"))
