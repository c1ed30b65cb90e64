"""A broker that is like an earlier release: what it shows, and what it takes."""

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.kafka.apis.cluster.api_versions import TELEMETRY
from mockforge_brokers.kafka.codes import ApiKey, VersionRange
from mockforge_brokers.kafka.releases import NOTHING, RELEASES, override
from mockforge_brokers.kafka.served import ADVERTISED
from mockforge_brokers.kafka.wire.messages.cluster import ApiVersionsRequest, MetadataRequest

from .scene import Scene


def shown(scene, version=3):
    request = ApiVersionsRequest(client_software_name="x", client_software_version="1")
    answer = scene.call(request, version)
    assert answer.error_code == 0
    return answer, {one.api_key: (one.min_version, one.max_version) for one in answer.api_keys}


def test_the_newest_release_is_all_that_is_served():
    _, keys = shown(Scene())
    assert keys == {int(k): (v.first, v.last) for k, v in ADVERTISED.items() if k not in TELEMETRY}
    wanted = Scene(client_metrics={"m": {"metrics": "*"}})
    assert shown(wanted)[1] == {int(k): (v.first, v.last) for k, v in ADVERTISED.items()}


@pytest.mark.parametrize(
    ("release", "produce", "fetch", "metadata", "has_consumer_protocol"),
    [
        ("2.8", (0, 9), (4, 12), (0, 11), False),
        ("3.9", (0, 11), (4, 17), (0, 12), True),
        ("4.0", (3, 12), (4, 17), (0, 13), True),
    ],
)
def test_an_earlier_release_shows_its_own_versions(
    release, produce, fetch, metadata, has_consumer_protocol
):
    _, keys = shown(Scene(as_version=release))
    assert (keys[0], keys[1], keys[3]) == (produce, fetch, metadata)
    assert (68 in keys) is has_consumer_protocol
    wanted = RELEASES[release].versions
    for key, (first, last) in keys.items():
        served = ADVERTISED[key]
        assert first == max(wanted[key].first, served.first)
        assert last == min(wanted[key].last, served.last)
    assert ApiKey.API_VERSIONS in keys


def test_what_a_release_does_not_know_is_not_served():
    scene = Scene(as_version="2.8")
    client = scene.network.connect()
    scene.ask(client, MetadataRequest(topics=[]), 12)
    assert client.take() == b""
    assert "Metadata (3) v12 is not served, only 0-11" in client.peer.reason


@pytest.mark.parametrize(
    ("release", "features"),
    [
        ("2.8", {}),
        ("3.9", {"metadata.version": 21}),
        ("4.0", {"group.version": 1, "metadata.version": 25, "transaction.version": 2}),
    ],
)
def test_the_features_in_force_are_those_of_the_release(release, features):
    answer, _ = shown(Scene(as_version=release))
    assert {one.name: one.max_version_level for one in answer.finalized_features} == features


def test_single_apis_are_cut_or_taken_away():
    scene = Scene(api_versions=("Fetch=4-11", "1=4-10", "ConsumerGroupHeartbeat=none"))
    _, keys = shown(scene)
    assert keys[1] == (4, 10)
    assert 68 not in keys
    # Version 3 leaves out features that begin at 0, as group.version does (KAFKA-17011).
    answer, _ = shown(scene, 4)
    assert "group.version" not in {one.name for one in answer.supported_features}
    answer, _ = shown(Scene(), 4)
    assert "group.version" in {one.name for one in answer.supported_features}
    _, keys = shown(Scene(as_version="2.8", api_versions=("Metadata=0-13",)))
    assert keys[3] == (0, 13)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Fetch=4-12", (ApiKey.FETCH, VersionRange(4, 12))),
        ("offsetfetch=3", (ApiKey.OFFSET_FETCH, VersionRange(3, 3))),
        ("0=none", (ApiKey.PRODUCE, NOTHING)),
    ],
)
def test_an_override_is_read(text, found):
    assert override(text) == found


@pytest.mark.parametrize("text", ["Fetch", "Fech=1", "999=1", "Fetch=x", "Fetch=1-x"])
def test_what_is_no_override_is_an_error_in_words(text):
    with pytest.raises(InvalidInput, match=r"is no API|are no versions"):
        override(text)
