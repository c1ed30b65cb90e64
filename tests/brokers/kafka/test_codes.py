"""Names and ranges as people read them."""

import pytest
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
