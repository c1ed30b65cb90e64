"""Where each configuration's value comes from, as Apache Kafka 4.4 shows it."""

import json

import pytest
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.configs.broker import started_with

from .asked import described
from .listener_keys import alter
from .scene import Scene
from .sourcing import RECORDED, play
from .test_described_as_kafka import OF_OURS

KAFKAS = json.loads(RECORDED.read_text())
STARTED = {
    "auto.create.topics.enable": "true",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@127.0.0.1:1",
    "group.consumer.assignment.interval.ms": "0",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": "/data",
    "transaction.state.log.num.partitions": "4",
}
"""What the Apache Kafka was started with beside what each broker that is alone is."""
NOT_KAFKAS = {f"broker: {name}" for name in OF_OURS} | {"loggers: root"}
"""Our own limits, and how much our own loggers say."""


@pytest.fixture(scope="module")
def ours():
    options = started_with(KafkaOptions(), STARTED)
    return json.loads(json.dumps(play(Scene(configs=dict(options.configs)).connected())))


def test_all_that_is_shown_is_asked_for(ours):
    assert ours.keys() == KAFKAS.keys()
    assert len(KAFKAS) > 500


def test_each_value_comes_from_where_apache_kafkas_does(ours):
    unlike = {
        name: (ours[name], said)
        for name, said in KAFKAS.items()
        if name not in NOT_KAFKAS and ours[name] != said
    }
    assert unlike == {}


def _documented(scene, kind, name, key, *, wanted):
    request = described(kind, name, [key])
    request.include_documentation = wanted
    (one,) = scene.call(request, 4).results[0].configs
    return one.documentation


@pytest.mark.parametrize(
    ("kind", "name", "key", "nothing"),
    [
        (2, "t", "retention.ms", False),
        (4, "1", "log.retention.ms", False),
        (16, "m", "match", False),
        (32, "g", "consumer.session.timeout.ms", False),
        (4, "1", "of.nobody", None),
        (4, "1", "listener.name.internal.ssl.keystore.type", None),
        (8, "1", "root", ""),
    ],
)
def test_only_keys_of_kafkas_tables_have_words_and_those_only_for_who_asks(
    kind, name, key, nothing
):
    scene = Scene()
    scene.broker.create_topic("t", 1)
    for other in ("of.nobody", "listener.name.internal.ssl.keystore.type"):
        assert not scene.call(alter("1", other, "PKCS12"), 1).responses[0].error_code
    text = _documented(scene, kind, name, key, wanted=True)
    assert bool(text) if nothing is False else text == nothing
    # A logger's are empty whether they are asked for or not.
    assert _documented(scene, kind, name, key, wanted=False) == ("" if kind == 8 else None)
