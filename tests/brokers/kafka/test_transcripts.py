"""Kafka's golden transcripts, each against a broker of its own."""

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.kafka.broker import KafkaBroker
from mockforge_brokers.kafka.options import KafkaOptions

from ..playback import Playback, transcripts


@pytest.mark.parametrize("path", transcripts("kafka"), ids=lambda path: path.stem)
def test_transcript(path):
    clock = ManualClock()
    environment = Environment.create(clock, seed=1)
    options = KafkaOptions(cluster_id="abcdefghijklmnopqrstuv")
    broker = KafkaBroker(environment, options)
    verbs = {
        "topic": lambda name, partitions: broker.create_topic(name, int(partitions)),
        "delete": broker.delete_topic,
        "publish": lambda name, text: broker.publish(name, text.encode(), partition=0),
        "kick": broker.kick_member,
        "purge": broker.purge_topic,
    }
    Playback(broker, environment, clock, verbs).play(path.read_text())
