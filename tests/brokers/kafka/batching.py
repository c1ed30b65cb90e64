"""Batches that are not what their header says, and the code that Apache Kafka 4.4 has for each.

`CASES` are made from one good batch of three records; `codes(call, topic)` asks a broker.
"""

import gzip

import google_crc32c
from mockforge_brokers.kafka.codes import Compression
from mockforge_brokers.kafka.compression import compress
from mockforge_brokers.kafka.records import Record, build_batch, read_batch_header
from mockforge_brokers.kafka.wire.messages import logs, topics

_CODEC = 0x07
GOOD, UNKNOWN, INVALID = 0, -1, 87


def batch(body, codec=0, *, count=3, raw=None):
    """The records in `body`, or the bytes `raw` in their place, under a header for `count`."""
    good = build_batch([Record(0, 1_700_000_000_000, b"k", b"v")] * 3)
    data = compress(Compression(codec), body) if raw is None else raw
    header = read_batch_header(good)
    whole = bytearray(good[:61] + data)
    whole[8:12] = (len(whole) - 12).to_bytes(4, "big")
    whole[22] = whole[22] & ~_CODEC | codec
    whole[23:27] = (count - 1).to_bytes(4, "big")
    whole[57:61] = count.to_bytes(4, "big")
    assert header.magic == 2
    return sealed(whole)


def sealed(whole):
    whole[17:21] = google_crc32c.value(bytes(whole[21:])).to_bytes(4, "big")
    return bytes(whole)


def numbered(*deltas):
    """Records with these offset deltas, key `k` and value `v`."""
    return b"".join(bytes([16, 0, 0, delta << 1, 2, 107, 2, 118, 0]) for delta in deltas)


BODY = numbered(0, 1, 2)
CASES = {
    "good": (batch(BODY), GOOD),
    "one record more than counted": (batch(BODY, count=2), INVALID),
    "one record less than counted": (batch(BODY, count=4), INVALID),
    "offsets in another order": (batch(numbered(0, 2, 1)), GOOD),
    "offsets with a gap": (batch(numbered(0, 1, 3)), GOOD),
    "cut short": (batch(BODY[:-2]), INVALID),
    "bytes behind the records": (batch(BODY + b"\0\0"), INVALID),
    "no records": (batch(b""), INVALID),
    "zeros": (batch(bytes(30)), INVALID),
    "a length beyond the end": (batch(b"\x7e" + BODY[1:]), INVALID),
    "a length within the record": (batch(b"\x0e" + BODY[1:]), INVALID),
    "a negative length": (batch(b"\x01" + BODY[1:]), INVALID),
}
for _codec in list(Compression)[1:]:
    _packed = compress(_codec, BODY)
    CASES |= {
        f"{_codec.name.lower()}: {name}": case
        for name, case in {
            "good": (batch(BODY, _codec), GOOD),
            "other bytes": (batch(b"", _codec, raw=b"bytes that are nothing"), UNKNOWN),
            "not compressed": (batch(b"", _codec, raw=BODY), UNKNOWN),
            "cut short": (batch(b"", _codec, raw=_packed[:-6]), UNKNOWN),
            "no bytes": (
                batch(b"", _codec, raw=b""),
                INVALID if _codec is Compression.ZSTD else UNKNOWN,
            ),
            "one record more than counted": (batch(BODY, _codec, count=2), INVALID),
            "one record less than counted": (batch(BODY, _codec, count=4), INVALID),
            "offsets in another order": (batch(numbered(0, 2, 1), _codec), UNKNOWN),
            "bytes behind the records": (batch(BODY + b"\0\0", _codec), INVALID),
        }.items()
    }


_HALF = len(BODY) // 3
_MEMBERS = gzip.compress(BODY[:_HALF], mtime=0), gzip.compress(BODY[_HALF:], mtime=0)
_WHOLE = gzip.compress(BODY, mtime=0)
CASES |= {
    f"gzip: {name}": (batch(b"", Compression.GZIP, raw=raw), code)
    for name, raw, code in (
        ("two members", b"".join(_MEMBERS), GOOD),
        ("a member without records behind", _WHOLE + gzip.compress(b"", mtime=0), GOOD),
        ("a second member cut short", _MEMBERS[0] + _MEMBERS[1][:-4], UNKNOWN),
        ("a few bytes behind", _WHOLE + b"bytes", GOOD),
        ("many bytes behind", _WHOLE + b"bytes" * 10, GOOD),
        ("zeros behind", _WHOLE + bytes(40), GOOD),
        ("a further header behind", _WHOLE + _WHOLE[:10], GOOD),
    )
}


def produce(call, topic, records):
    data = logs.PartitionProduceData(index=0, records=records)
    one = logs.TopicProduceData(name=topic, partition_data=[data])
    answer = call(logs.ProduceRequest(acks=-1, timeout_ms=5000, topic_data=[one]), 9)
    return answer.responses[0].partition_responses[0].error_code


def create(call, topic):
    one = topics.CreatableTopic(
        name=topic, num_partitions=1, replication_factor=1, assignments=[], configs=[]
    )
    request = topics.CreateTopicsRequest(topics=[one], timeout_ms=5000, validate_only=False)
    assert call(request, 5).topics[0].error_code in (0, 36)


def codes(call, topic):
    """The code of each case, by its name."""
    create(call, topic)
    while produce(call, topic, CASES["good"][0]):
        pass
    return {name: produce(call, topic, records) for name, (records, _) in CASES.items()}
