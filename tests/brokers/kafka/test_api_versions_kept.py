"""ApiVersions' answer is encoded once, and anew as soon as a feature has another level."""

import pytest
from mockforge_brokers.kafka.codes import ApiKey, UpgradeType
from mockforge_brokers.kafka.state.features import FeatureUpdate
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import ApiVersionsRequest

from .scene import Scene

ASKED = ApiVersionsRequest(client_software_name="test", client_software_version="1")


@pytest.mark.parametrize("version", range(6))
def test_each_client_gets_the_same_answer_with_its_own_correlation_id(version: int) -> None:
    scene = Scene()
    answers = []
    for correlation_id in (7, 7, -1):
        client = scene.network.connect()
        client.send(encode_request(ASKED, version, correlation_id, "c"))
        answers.append(client.take())
    first, second, third = answers
    assert first == second
    assert third == first[:4] + b"\xff" * 4 + first[8:]
    assert len(first) == 4 + int.from_bytes(first[:4])


def test_a_feature_that_changed_is_in_the_next_answer() -> None:
    scene = Scene()
    levels = []
    for level in (2, 1):
        update = FeatureUpdate("transaction.version", level, UpgradeType.SAFE_DOWNGRADE)
        scene.broker.cluster.features.update([update])
        client = scene.network.connect()
        scene.ask(client, ASKED, 4)
        answer = scene.answer(client, ApiKey.API_VERSIONS, 4)
        found = {one.name: one.max_version_level for one in answer.finalized_features}
        levels.append((found["transaction.version"], answer.finalized_features_epoch))
    assert levels == [(2, 0), (1, 1)]
