"""On which nodes replicas are."""

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.logs.topic import Topics
from mockforge_brokers.kafka.state.nodes import Nodes
from mockforge_brokers.kafka.state.placement import Placement

from .scene import Scene as Kafka
from .test_state_topics import make_topic


class Scene:
    def __init__(self, **options):
        environment = Environment.create(ManualClock(), seed=1, journal=False)
        self.changes = 0
        self.nodes = Nodes(environment, KafkaOptions(**options), self.changed)
        self.topics = Topics()
        self.placement = Placement(self.nodes, self.topics, self.changed)

    def changed(self):
        self.changes += 1

    def topic(self, partitions):
        topic = make_topic("t", bytes(16), partitions)
        self.topics.add(topic)
        return topic

    def all(self, topic):
        return [list(self.placement.of(log)) for log in topic.logs]


def test_partitions_begin_at_one_node_after_the_other():
    scene = Scene(nodes=4)
    assert scene.all(scene.topic(5)) == [[1, 2, 3], [2, 3, 4], [3, 4, 1], [4, 1, 2], [1, 2, 3]]
    assert Scene(nodes=1).all(Scene(nodes=1).topic(2)) == [[1], [1]]


def test_one_put_elsewhere_leaves_the_others_where_they_are():
    scene = Scene(nodes=3)
    topic = scene.topic(3)
    scene.placement.put(topic.logs[1], [3])
    assert scene.all(topic) == [[1, 2, 3], [3], [3, 1, 2]]
    topic.grow(4)
    assert scene.all(topic)[3] == [1, 2, 3], "a partition that came later is placed as usual"
    assert scene.changes == 1


def test_all_of_a_topic_are_put_until_it_is_forgotten():
    scene = Scene(nodes=3)
    topic = scene.topic(2)
    scene.placement.put_all("t", [(3, 1), (2, 1)])
    assert scene.all(topic) == [[3, 1], [2, 1]]
    scene.placement.forget("t")
    assert scene.all(topic) == [[1, 2, 3], [2, 3, 1]]


def test_what_is_put_later_is_not_in_what_was_kept_before():
    scene = Kafka(nodes=3)
    cluster = scene.broker.cluster
    scene.broker.create_topic("t", 2)
    cluster.replication.place("t", [[3, 1], [2, 1]])
    kept = cluster.dump()
    cluster.replication.placement.put(cluster.topics["t"].logs[0], [1, 2])
    assert kept.placed == {"t": [[3, 1], [2, 1]]}
