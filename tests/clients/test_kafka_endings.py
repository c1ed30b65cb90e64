"""Who ends a Kafka connection, when and in which order: ours beside Apache Kafka's 4.4.

`ENDINGS` is what Apache Kafka did when it was played these scripts; with
`MOCKFORGE_KAFKA_ORIGINAL=HOST:PORT` it is asked again.
"""

import os
import struct
from collections.abc import Callable

import pytest
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import (
    ApiVersionsRequest,
    MetadataRequest,
    MetadataRequestTopic,
)
from mockforge_brokers.kafka.wire.messages.logs import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from recorder import Recorder

from clients.conftest import Servers

pytestmark = pytest.mark.client

TOPIC = "ending"


def frame_names(data: bytes) -> tuple[list[str], int]:
    """`answer 3`: a response to correlation id 3."""
    names: list[str] = []
    position = 0
    while len(data) - position >= 8:
        size, correlation_id = struct.unpack_from(">ii", data, position)
        if len(data) - position < size + 4:
            break
        names.append(f"answer {correlation_id}")
        position += size + 4
    return names, position


def versions(number: int) -> bytes:
    request = ApiVersionsRequest(client_software_name="ending", client_software_version="1")
    return encode_request(request, 3, number, "ending")


def header(key: int, version: int, number: int, body: bytes = b"") -> bytes:
    head = struct.pack(">hhih", key, version, number, -1) + body
    return struct.pack(">i", len(head)) + head


def produce(number: int, *, partition: int, acks: int) -> bytes:
    data = PartitionProduceData(index=partition, records=b"")
    topic = TopicProduceData(name=TOPIC, partition_data=[data])
    request = ProduceRequest(acks=acks, timeout_ms=1000, topic_data=[topic])
    return encode_request(request, 9, number, "ending")


def poll(number: int) -> bytes:
    part = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1000)
    request = FetchRequest(
        max_wait_ms=60_000,
        min_bytes=1,
        topics=[FetchTopic(topic=TOPIC, partitions=[part])],
    )
    return encode_request(request, 11, number, "ending")


def sends(data: bytes, *, then: str = "ending") -> Callable[[Recorder], None]:
    """A client that spoke before sends bytes in one write; then it waits for the end, or leaves."""

    def script(client: Recorder) -> None:
        client.send(versions(1), "ApiVersions")
        client.until("answer 1")
        client.send(data, "bytes")
        if then == "leaves":
            client.finish()
        if then == "stays":
            client.quiet()
        else:
            client.ending()

    return script


BEGUN = ["> ApiVersions", "< answer 1"]
SENT = [*BEGUN, "> bytes"]
SCRIPTS: dict[str, tuple[Callable[[Recorder], None], list[str]]] = {
    "a version that is not served": (sends(header(ApiKey.METADATA, 99, 2)), [*SENT, "< FIN"]),
    "an unknown version of ApiVersions": (
        sends(header(ApiKey.API_VERSIONS, 99, 2, b"\0"), then="stays"),
        [*SENT, "< answer 2", "< open"],
    ),
    "an API that there is not": (sends(header(999, 0, 2)), [*SENT, "< FIN"]),
    "a negative size": (sends(struct.pack(">i", -5)), [*SENT, "< FIN"]),
    "a size over the limit": (sends(struct.pack(">i", 1 << 30)), [*SENT, "< FIN"]),
    "a size over the limit behind a request": (
        sends(versions(2) + struct.pack(">i", 1 << 30)),
        [*SENT, "< answer 2", "< FIN"],
    ),
    "a frame without a header": (sends(struct.pack(">ih", 2, 3)), [*SENT, "< FIN"]),
    "a body that ends too early": (
        sends(header(ApiKey.METADATA, 1, 2, b"\0\0\0\5")),
        [*SENT, "< FIN"],
    ),
    "an error with acks=0": (sends(produce(2, partition=99, acks=0)), [*SENT, "< FIN"]),
    "wrong behind right": (
        sends(versions(2) + header(ApiKey.METADATA, 99, 3) + versions(4)),
        [*SENT, "< answer 2", "< FIN"],
    ),
    "leaving at once": (sends(b"", then="leaves"), [*SENT, "> FIN", "< FIN"]),
    "leaving behind a request": (
        sends(versions(2), then="leaves"),
        [*SENT, "> FIN", "< answer 2", "< FIN"],
    ),
    "leaving behind a long poll": (sends(poll(2), then="leaves"), [*SENT, "> FIN", "< FIN"]),
    "leaving in the middle of a frame": (
        sends(struct.pack(">ih", 100, 3), then="leaves"),
        [*SENT, "> FIN", "< FIN"],
    ),
}  # fmt: skip

# What Kafka is not asked for again, since it differs on purpose.
OTHERWISE = {
    "leaving behind a long poll": "Kafka reads nothing while a request waits, and so learns of the"
    " end only when the poll is answered; we let the client go at once",
}


@pytest.fixture(scope="module")
def ours(servers: Servers) -> int:
    broker = servers.brokers["kafka"]
    if not servers.call(broker.has_topic, TOPIC):
        servers.call(broker.create_topic, TOPIC, 1)
    return servers.ports["kafka"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_connections_end_as_apache_kafka_ends_them(name: str, ours: int) -> None:
    script, expected = SCRIPTS[name]
    with Recorder(ours, frame_names) as client:
        script(client)
        assert client.lines == expected


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in OTHERWISE])
def test_the_original_still_does(name: str) -> None:
    place = os.environ.get("MOCKFORGE_KAFKA_ORIGINAL")
    if not place:
        pytest.skip("MOCKFORGE_KAFKA_ORIGINAL names no Apache Kafka")
    port = int(place.rpartition(":")[2])
    request = MetadataRequest(
        topics=[MetadataRequestTopic(name=TOPIC)], allow_auto_topic_creation=True
    )
    script, expected = SCRIPTS[name]
    with Recorder(port, frame_names) as client:
        client.send(encode_request(request, 9, 1, "ending"))
        client.until("answer 1")
    with Recorder(port, frame_names) as client:
        script(client)
        assert client.lines == expected
