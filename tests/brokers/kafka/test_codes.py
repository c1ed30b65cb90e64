"""Names and ranges as people read them."""

import re
from pathlib import Path

import pytest
from mockforge_brokers.kafka import codes
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode, VersionRange


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("3", [3], [2, 4]), ("0-8", [0, 8], [-1, 9]), ("4+", [4, 99], [3])],
)
def test_version_ranges_read_and_write_kafkas_notation(
    text: str, inside: list[int], outside: list[int]
) -> None:
    versions = VersionRange.parse(text)
    assert all(version in versions for version in inside)
    assert not any(version in versions for version in outside)
    assert str(versions) == text


def test_apis_have_the_names_of_kafkas_documentation() -> None:
    assert ApiKey.OFFSET_FOR_LEADER_EPOCH.title == "OffsetForLeaderEpoch"
    assert ApiKey(18).title == "ApiVersions"


def test_errors_know_whether_clients_retry() -> None:
    assert ErrorCode.NOT_LEADER_OR_FOLLOWER.retriable
    assert not ErrorCode.OFFSET_OUT_OF_RANGE.retriable


NEVER_ANSWERED = {
    "nothing in Apache Kafka 4.4 answers it any more": "4 11 28 43 46 59 94 96",
    "clients say it to themselves": "13 97",
    "of requests between brokers and controllers, which are one here": "41 77 107 119",
    "of the quorum's snapshots and of changes of voters under way": "98 99 125",
    "an answer never waits for another broker, nor for one that loads": "9 14 20 78",
    "replicas move at once": "60 108",
    "all nodes have the same listeners": "72 116",
    "delegation tokens are disabled, as in a Kafka without a secret": "62 63 65 66 67",
    "nothing is moved to another storage": "109",
    "share and streams groups are not served": "121 122 123 124 130 131 132 133",
}
"""Codes by why no request is answered with them."""


def test_each_code_is_answered_somewhere_or_never_for_a_reason() -> None:
    source = Path(codes.__file__)
    files = (each for each in source.parent.rglob("*.py") if each != source)
    named = set(re.findall(r"ErrorCode\.([A-Z_]+)", "".join(each.read_text() for each in files)))
    missing = {int(code) for code in ErrorCode if code.name not in named}
    explained = [int(code) for row in NEVER_ANSWERED.values() for code in row.split()]
    assert sorted(explained) == sorted(missing)
