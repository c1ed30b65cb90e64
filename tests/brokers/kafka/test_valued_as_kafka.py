"""Each key of topics and groups with many values: as Apache Kafka 4.4 answered."""

import json

from mockforge_brokers.kafka.wire.messages.configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)

from .scene import Scene
from .valuing import RECORDED, play

OURS = {"consumer.heartbeat.interval.ms", "consumer.session.timeout.ms"}
"""Times below Kafka's least of 5 s and 45 s are taken, so that tests need not wait for those."""


def test_values_are_taken_and_refused_as_by_kafka():
    said = json.loads(json.dumps(play(Scene().connected())))
    recorded = json.loads(RECORDED.read_text())
    assert said.keys() == recorded.keys()
    assert {what for what, answer in recorded.items() if said[what] != answer} == OURS
    for name in OURS:
        (low,) = [text for text in recorded[name] if "must be in the range" in text]
        # What is more than Kafka's greatest is refused here too.
        taken = [value for value in recorded[name].pop(low) if value in ("1", "7", " 5 ")]
        assert set(taken) <= set(said[name]["taken"])


def test_what_was_set_is_shown_and_meant_as_it_was_read():
    scene = Scene()
    values = {
        "compression.type": " gzip ",
        "min.cleanable.dirty.ratio": " 0.250 ",
        "retention.ms": " 070000 ",
        "preallocate": " TRUE ",
        "cleanup.policy": " compact , delete ",
    }
    scene.broker.create_topic("t", 1, values)
    config = scene.broker.cluster.topics["t"].config
    assert (config.value("compression.type"), config.number("retention.ms")) == ("gzip", 70000)
    assert config.compacts
    asked = DescribeConfigsResource(resource_type=2, resource_name="t", configuration_keys=None)
    request = DescribeConfigsRequest(resources=[asked])
    (shown,) = scene.call(request, 4).results
    assert {one.name: one.value for one in shown.configs if one.name in values} == {
        "compression.type": "gzip",
        "min.cleanable.dirty.ratio": "0.25",
        "retention.ms": "70000",
        "preallocate": "true",
        "cleanup.policy": "compact,delete",
    }
