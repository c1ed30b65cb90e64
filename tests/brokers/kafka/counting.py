"""Every API and version that is served, counted, and whose bytes they were compared with.

`python -m tests.brokers.kafka.counting` writes each message of each version, lets kio (generated
from Apache Kafka's own message files) read it and write it again, and prints the count. What kio
does not know yet is compared with an Apache Kafka in `tests/clients/test_kafka_differential.py`.
"""

import io
import sys
import zlib
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, Final, NamedTuple

from kio.index import api_key_map, load_entity_schema, load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer
from kio.static.constants import EntityType
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.served import ADVERTISED
from mockforge_brokers.kafka.wire.catalog import REQUESTS, RESPONSES
from mockforge_brokers.kafka.wire.codec import decode, encode
from mockforge_brokers.kafka.wire.schema import Message

from .generated import value_of

NEWER_THAN_KIO: Final = frozenset(
    {
        ("DeleteGroupsRequest", 3),
        ("DeleteGroupsResponse", 3),
        ("ApiVersionsRequest", 5),
        ("ApiVersionsResponse", 5),
        ("TxnOffsetCommitRequest", 6),
        ("TxnOffsetCommitResponse", 6),
    }
)
"""As Kafka 4.4 has them."""

_SHARE = "share groups"
_STREAMS = "streams groups"
_INSIDE = "between brokers and controllers: no client sends it to a broker"
LEFT_OUT: Final[Mapping[int, str]] = {
    **dict.fromkeys((52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82), _INSIDE),
    **dict.fromkeys((76, 77, 78, 79, 90, 91, 92), _SHARE),
    **dict.fromkeys((83, 84, 85, 86, 87), f"{_SHARE}: {_INSIDE}"),
    **dict.fromkeys((88, 89), _STREAMS),
}
"""Why an API of Kafka's is not served, by its key."""


class Count(NamedTuple):
    """Of one API: how many messages (requests and responses) of how many versions."""

    key: ApiKey
    shown: str
    versions: int
    messages: int
    equal: int
    newer: int


def kio_class(message: type[Message], version: int) -> Any:
    if message.api_key is None:
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in message.__name__)
        return load_entity_schema(name.strip("_"), version, EntityType.data)
    load = load_request_schema if message.kind == "request" else load_response_schema
    return load(int(message.api_key), version)


def check(message: type[Message], version: int, values: int = 8) -> None:
    """Raises AssertionError where kio reads or writes other bytes than we do."""
    kio = kio_class(message, version)
    random = Random(zlib.crc32(f"{message.__name__} {version}".encode()))
    for _ in range(values):
        value = value_of(message, version, random)
        ours = encode(value, version)
        theirs, size = entity_reader(kio)(ours, 0)
        assert size == len(ours)
        again = io.BytesIO()
        entity_writer(kio)(again, theirs)
        assert again.getvalue() == ours
        assert decode(message, version, ours) == value


def counts(values: int = 8) -> Iterator[Count]:
    for key, shown in ADVERTISED.items():
        equal = newer = 0
        versions = REQUESTS[key].versions
        numbers = range(versions.first, versions.last + 1)
        for message in (REQUESTS[key], RESPONSES[key]):
            for version in numbers:
                if (message.__name__, version) in NEWER_THAN_KIO:
                    newer += 1
                else:
                    check(message, version, values)
                    equal += 1
        yield Count(key, str(shown), len(numbers), 2 * len(numbers), equal, newer)


def table(rows: list[Count]) -> Iterator[str]:
    for one in rows:
        newer = f", {one.newer} newer than kio" if one.newer else ""
        yield f"{int(one.key):3} {one.key.title:32} {one.shown:>6}  {one.equal} equal{newer}"
    versions, messages = sum(one.versions for one in rows), sum(one.messages for one in rows)
    equal, newer = sum(one.equal for one in rows), sum(one.newer for one in rows)
    yield (
        f"{len(rows)} APIs in {versions} versions, {messages} messages: {equal} byte for byte as"
        f" kio has them, {newer} newer than kio"
    )
    for reason in dict.fromkeys(LEFT_OUT.values()):
        names = [api_key_map[key] for key, why in LEFT_OUT.items() if why == reason]
        yield f"left out, {reason}: {', '.join(names)}"


if __name__ == "__main__":
    for line in table(list(counts())):
        sys.stdout.write(line + "\n")
