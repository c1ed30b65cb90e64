"""Topics that Kafka keeps its own state in, answered as Apache Kafka 4.4 answers of them."""

import json

import pytest
from mockforge_brokers.errors import RequestRefused
from mockforge_brokers.kafka.codes import ErrorCode

from .internal_topics import NAMES, RECORDED, STEPS, play, shown
from .scene import Scene, produce

KAFKAS = json.loads(RECORDED.read_text())
SAYS_NOTHING = (None, "", "This server does not host this topic-partition.")
"""Texts of Kafka's that say no more than the code: ours name the topic."""


def test_each_step_with_each_name_is_answered_as_apache_kafka_does():
    ours = play(Scene().call)
    assert ours.keys() == KAFKAS.keys()
    assert len(KAFKAS) == len(NAMES) * len(STEPS) - 1
    for name, said in KAFKAS.items():
        for path, value in said.items():
            if not (path.endswith("error_message") and value in SAYS_NOTHING):
                assert ours[name].get(path) == value, f"{name}: {path}"


def test_records_of_kafkas_own_admin_client_are_taken():
    scene = Scene()
    scene.broker.cluster.create_topic("__consumer_offsets", 1, source="test")
    client = scene.network.connect()
    codes = []
    for client_id in ("shop", "__admin_client", "__admin_client", "shop"):
        answer = scene.ask_as(client_id, client, produce("__consumer_offsets", b"v"), 9)
        codes.append(answer.responses[0].partition_responses[0].error_code)
    refused = ErrorCode.INVALID_TOPIC_EXCEPTION
    assert codes == [refused, 0, 0, refused]


def test_nobody_makes_a_topic_of_the_quorums_log():
    scene = Scene()
    (topic,) = scene.call(shown("__cluster_metadata", create=True), 12).topics
    assert (topic.error_code, topic.is_internal) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, False)
    with pytest.raises(RequestRefused, match="internal topic __cluster_metadata is prohibited"):
        scene.broker.cluster.create_topic("__cluster_metadata", 1, source="a command")
