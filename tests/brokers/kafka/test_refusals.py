"""Refused requests are answered as Apache Kafka's own library answers them (`getErrorResponse`).

`recorded/refusals.txt` has what kafka-clients 4.4 made of `example_of` each request, refused with
error 6: API key, versions, answer in hex. `recorded/Refuse.java` asks it again.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.wire.catalog import REQUESTS, RESPONSES
from mockforge_brokers.kafka.wire.codec import decode, encode
from mockforge_brokers.kafka.wire.refusals import refused
from mockforge_brokers.kafka.wire.schema import Struct

from .generated import example_of

CODE = 6


def recorded() -> Iterator[tuple[ApiKey, int, str]]:
    path = Path(__file__).with_name("recorded") / "refusals.txt"
    for line in path.read_text().splitlines():
        api_key, versions, answer = line.split()
        first, last = map(int, versions.split("-"))
        for version in range(first, last + 1):
            yield ApiKey(int(api_key)), version, answer


ANSWERS = list(recorded())
OTHERWISE = {
    # The answer of part of a request is merged with that of the rest: its code stands by the part.
    ApiKey.FETCH: ("error_code", "responses"),
    ApiKey.METADATA: ("error_code",),
    ApiKey.OFFSET_FETCH: ("topics",),
    ApiKey.OFFSET_DELETE: ("topics",),
    # One code in all; Kafka lists the partitions beside it, without anything about them.
    ApiKey.LIST_PARTITION_REASSIGNMENTS: ("topics",),
    # Before version 3 there is no code at the top, and Kafka's answer is silently empty.
    ApiKey.DESCRIBE_LOG_DIRS: ("results",),
    # Kafka's rows have the code, and not the name.
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS: ("results",),
    # Null in Kafka, empty here: nobody's quotas.
    ApiKey.DESCRIBE_CLIENT_QUOTAS: ("entries",),
    # Kafka's library takes everybody for anonymous here.
    ApiKey.CREATE_DELEGATION_TOKEN: (
        "principal_type",
        "principal_name",
        "token_requester_principal_type",
        "token_requester_principal_name",
        "issue_timestamp_ms",
        "expiry_timestamp_ms",
        "max_timestamp_ms",
    ),
}
"""Where we differ on purpose: the fields by API."""


def facts(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value of a message by its path; texts of errors are ours to choose."""
    if isinstance(value, Struct):
        for field in value.fields:
            if field.name != "error_message":
                yield from facts(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, list):
        yield f"{path}#", len(value)
        # The order says nothing: Kafka's comes from hash maps.
        for number, item in enumerate(sorted(map(list, map(facts, value)), key=repr)):
            yield from ((f"{path}[{number}]{inner}", found) for inner, found in item)
    else:
        yield path, value


@pytest.mark.table
@pytest.mark.parametrize(
    ("api_key", "version", "answer"), ANSWERS, ids=[f"{key.name}-v{v}" for key, v, _ in ANSWERS]
)
def test_a_refusal_is_what_apache_kafka_makes_of_the_same_request(
    api_key: ApiKey, version: int, answer: str
) -> None:
    response = RESPONSES[api_key]
    theirs = decode(response, version, bytes.fromhex(answer), 0)
    made = refused(example_of(REQUESTS[api_key], version), response, version, CODE, "refused")
    ours = decode(response, version, encode(made, version), 0)
    apart = OTHERWISE.get(api_key, ())
    for name in apart:
        setattr(ours, name, getattr(theirs, name))
    assert list(facts(ours)) == list(facts(theirs))
