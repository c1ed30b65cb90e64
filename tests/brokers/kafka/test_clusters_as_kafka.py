"""Three nodes answer as three of Apache Kafka 4.4 do (recorded/clusters.json)."""

import json

import pytest
from mockforge_brokers.listener import Listener

from .clustering import EVERY, RACKED, RECORDED, SCENARIOS, play
from .scene import Scene

RACKS = {
    "racks": ("a", "b", "c"),
    "configs": {
        "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"
    },
}
KAFKAS = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}


class Cluster(Scene):
    """Our three nodes, as a scenario asks them."""

    def __init__(self, **options):
        super().__init__(nodes=3, **options)
        self.listeners = {
            node: Listener("kafka", port=8992 + 100 * node, node=node - 1) for node in EVERY
        }
        self.environment.listeners += self.listeners.values()

    def call(self, node, message, version):
        client = self.network.connect()
        client.peer.listener = self.listeners[node]
        client.peer.local = ("127.0.0.1", self.listeners[node].port)
        self.ask(client, message, version)
        return self.answer(client, message.api_key, version)

    @property
    def stopped(self):
        return self.broker.cluster.nodes.stopped

    def are(self, found, name):
        return all(one.port == self.listeners[getattr(one, name)].port for one in found)

    def stop(self, node):
        self.broker.nodes.stop(node)

    def start(self, node):
        self.broker.nodes.start(node)

    def restart(self):
        self.broker.restart()


@pytest.mark.parametrize("name", SCENARIOS)
def test_answers_are_apache_kafkas(name):
    ours = play(Cluster(**(RACKS if name in RACKED else {})), name, "r.")
    assert json.loads(json.dumps(ours)) == KAFKAS[name]
