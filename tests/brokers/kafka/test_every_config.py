"""Each configuration that is accepted acts, or a warning says that it does not: all keys."""

from functools import partial

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import RequestRefused
from mockforge_brokers.events import Warned
from mockforge_brokers.fairness import finished
from mockforge_brokers.kafka.broker import KafkaBroker
from mockforge_brokers.kafka.codes import AlterConfigOp, ConfigType, ErrorCode
from mockforge_brokers.kafka.events import BrokerConfigured, TopicConfigured
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.records import (
    Record,
    build_batch,
    read_batch_header,
    read_records,
)
from mockforge_brokers.kafka.state.cluster import Cluster
from mockforge_brokers.kafka.state.configs.broker import (
    ALL_NODES,
    BY_RACK,
    OF_A_LISTENER,
    broker_keys,
    is_fixed,
    started_with,
)
from mockforge_brokers.kafka.state.configs.group import GROUP_CONFIGS
from mockforge_brokers.kafka.state.configs.topic import TOPIC_CONFIGS
from mockforge_brokers.kafka.state.groups.consumer.member import HeartbeatRequest

WORDS = {
    # Of threads twice as many are the most, and each cleaner has to have its megabyte.
    "log.cleaner.dedupe.buffer.size": "70000000",
    "log.cleaner.threads": "2",
    "num.network.threads": "4",
    "num.recovery.threads.per.data.dir": "3",
    "num.replica.fetchers": "2",
    "remote.log.manager.follower.thread.pool.size": "3",
    "cleanup.policy": "compact",
    "log.cleanup.policy": "compact",
    "compression.type": "gzip",
    "message.timestamp.type": "LogAppendTime",
    "log.message.timestamp.type": "LogAppendTime",
    "replica.selector.class": BY_RACK,
    "cordoned.log.dirs": "*",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "listeners": "PLAINTEXT://:9093,CONTROLLER://:9094",
    "max.connections.per.ip.overrides": "127.0.0.1:100",
    "group.consumer.migration.policy": "disabled",
    "min.insync.replicas": "2",
    "min.cleanable.dirty.ratio": "0.9",
    "log.cleaner.min.cleanable.ratio": "0.9",
}
"""Other values than the defaults where a number one higher or another word would not do."""


def other_value(key):
    """One that may be and is not the default."""
    if key.name in WORDS:
        return WORDS[key.name]
    if key.type is ConfigType.BOOLEAN:
        return "false" if key.default == "true" else "true"
    if key.type in (ConfigType.SHORT, ConfigType.INT, ConfigType.LONG):
        least = int(key.least) if key.least is not None else 1
        found = min(max(least, 7), int(key.most or 2**60))
        return str(found if str(found) != key.default else found + 1)
    if key.type is ConfigType.DOUBLE:
        return "0.25" if key.default != "0.25" else "0.5"
    return next((one for one in key.allowed if one != key.default), "other")


def shown(name, value):
    """A password is said to nobody, nor what is perhaps one."""
    for keys in (broker_keys(), TOPIC_CONFIGS, GROUP_CONFIGS):
        if name in keys:
            return keys[name].shown(value)
    return "(hidden)"


class Configured:
    def __init__(self, **options):
        self.environment = Environment.create(ManualClock(), seed=1, journal=False)
        self.events = []
        self.environment.spine.watch(self.events.append)
        self.cluster = Cluster(self.environment, KafkaOptions(**options))
        self.configuring = self.cluster.configuring

    def said(self, change, key, value):
        """Whether it was taken, and of which keys it was said that nothing acts on them."""
        self.events.clear()
        try:
            change([(key, AlterConfigOp.SET, value)], source="test")
        except RequestRefused:
            return None
        taken = [e for e in self.events if isinstance(e, BrokerConfigured | TopicConfigured)]
        assert taken, f"{key}={value} was taken without a word"
        warned = [e for e in self.events if isinstance(e, Warned)]
        text = f"{key}={shown(key, value)} is kept and shown"
        assert all(e.text.startswith(text) for e in warned)
        return bool(warned)


def test_each_key_of_a_topic_acts_or_is_named():
    scene = Configured()
    topic = scene.cluster.create_topic("t", 1, source="test")
    change = partial(scene.configuring.topic, topic)
    for key in TOPIC_CONFIGS.values():
        warned = scene.said(change, key.name, other_value(key))
        assert warned is None or warned is not key.served, key.name
    assert scene.said(change, "no.such.key", "1") in (None, True)


@pytest.mark.parametrize("node", [ALL_NODES, "1"])
def test_each_key_of_a_broker_that_may_be_altered_acts_or_is_named(node):
    scene = Configured()
    change = partial(scene.configuring.node, node)
    taken = 0
    for key in broker_keys().values():
        value = other_value(key)
        warned = scene.said(change, key.name, value)
        if warned is None:
            of_all = key.name == "min.insync.replicas"
            of_java = key.type is ConfigType.CLASS or key.name == "metric.reporters"
            refused = of_all or of_java or key.name in OF_A_LISTENER
            assert is_fixed(key.name) or refused or node == ALL_NODES, key.name
            continue
        taken += 1
        assert warned is not key.acts_on(value), key.name
    assert taken > 50
    assert scene.said(change, "a.plugins.key", "1") is True


def test_replicas_in_sync_have_one_value_for_all_nodes_that_stays():
    key = "min.insync.replicas"
    config = Configured(configs={key: "2"}).cluster.config
    assert config.dynamic[ALL_NODES] == {key: "2"}
    for node, changes, text in (
        (ALL_NODES, [(key, AlterConfigOp.DELETE, None)], f"Cluster-level {key} cannot be removed"),
        (ALL_NODES, {"log.retention.ms": "5"}, f"Cluster-level {key} cannot be removed"),
        ("1", [(key, AlterConfigOp.SET, "2")], f"Broker-level {key} cannot be altered"),
        ("1", [(key, AlterConfigOp.DELETE, None)], f"Broker-level {key} cannot be altered"),
    ):
        with pytest.raises(RequestRefused, match=text) as caught:
            config.alter(node, changes)
        assert caught.value.code == ErrorCode.INVALID_CONFIG
    config.alter(ALL_NODES, [(key, AlterConfigOp.SET, "1")])
    assert config.number(key) == 1
    earlier = Configured(as_version="3.9").cluster.config
    earlier.alter("1", [(key, AlterConfigOp.SET, "2")])
    assert earlier.number(key) == 2


def test_a_group_is_held_to_the_brokers_limits_the_lower_ones_where_given():
    scene = Configured(configs={"group.consumer.min.heartbeat.interval.ms": "2000"})
    for name, value, wanted in (
        ("consumer.session.timeout.ms", "60001", "in the range 45000 to 60000 inclusive"),
        ("consumer.session.timeout.ms", "100", ""),
        ("consumer.heartbeat.interval.ms", "1999", "in the range 2000 to 15000 inclusive"),
        ("consumer.heartbeat.interval.ms", "2000", ""),
        ("consumer.assignment.interval.ms", "15001", "in the range 0 to 15000 inclusive"),
    ):
        text = ""
        try:
            scene.configuring.group("g", [(name, AlterConfigOp.SET, value)], source="test")
        except RequestRefused as refusal:
            text = refusal.text
        assert wanted in text
        assert bool(text) is bool(wanted)


def test_each_key_of_a_broker_says_what_it_may_be():
    ranges = [key for key in broker_keys().values() if key.least is not None]
    assert len(ranges) > 170
    for key in ranges:
        for value in (key.least - 1, None if key.most is None else key.most + 1):
            if value is not None and value != key.besides:
                with pytest.raises(RequestRefused, match="Value must be"):
                    key.check(str(value))


def test_each_key_of_a_brokers_start_acts_or_is_named():
    for key in broker_keys().values():
        value = other_value(key)
        options = started_with(KafkaOptions(), {key.name: value})
        events = []
        environment = Environment.create(ManualClock(), seed=1, journal=False)
        environment.spine.watch(events.append)
        Cluster(environment, options)
        texts = [e.text for e in events if isinstance(e, Warned)]
        text = f"{key.name}={key.shown(value)} is kept and shown, but not"
        wanted = [] if key.acts_on(value) else [text]
        assert [text.rpartition(" acted")[0] for text in texts] == wanted, key.name


def test_a_start_shows_what_of_its_lines_does_nothing():
    given = {"log.cleaner.threads": "3", "log.retention.ms": "1000", "num.io.threads": "8"}
    options = started_with(KafkaOptions(), given)
    broker = KafkaBroker(Environment.create(ManualClock(), seed=1, journal=False), options)
    # 8 is Kafka's own default.
    assert broker.notices == [
        "--kafka-config log.cleaner.threads=3 is kept and shown, but not acted on"
    ]


def test_a_class_that_chooses_replicas_acts_only_where_it_is_known():
    key = broker_keys()["replica.selector.class"]
    assert [key.acts_on(value) for value in ("", BY_RACK, "org.example.Mine")] == [
        True,
        True,
        False,
    ]


def test_each_key_of_a_group_acts_or_is_named():
    scene = Configured()
    change = partial(scene.configuring.group, "g")
    for key in GROUP_CONFIGS.values():
        warned = scene.said(change, key.name, other_value(key))
        assert warned is None or warned is not key.served, key.name


def test_what_another_node_alone_is_given_is_named_with_the_remedy():
    scene = Configured(nodes=3)
    key = ("log.retention.ms", AlterConfigOp.SET, "1000")
    scene.configuring.node("2", [key], source="test")
    (warned,) = [e for e in scene.events if isinstance(e, Warned)]
    remedy = "it counts when set for all brokers or for broker 1"
    assert warned.text == f"log.retention.ms=1000 is kept and shown: {remedy}"
    assert scene.cluster.config.value("log.retention.ms") != "1000"


def looks(scene):
    """All that a topic's configuration decides, as what acts on it sees it."""
    topic = scene.cluster.topics["t"]
    (log,) = topic.logs
    config = topic.config
    policy = {name: getattr(log.policy, name) for name in log.policy.__struct_fields__[1:]}
    return (
        policy,
        (log.max_bytes, log.max_batch_bytes, log.segment_bytes),
        (config.compacts, config.deletes),
        scene.cluster.replication.least_in_sync(log),
        # What cleaner and bounds ask each time they look.
        {name: config.value(name) for name in ASKED},
    )


ASKED = (
    "delete.retention.ms",
    "max.compaction.lag.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "retention.ms",
    "segment.bytes",
    "segment.ms",
)


@pytest.mark.parametrize("name", [key.name for key in TOPIC_CONFIGS.values() if key.served])
def test_each_served_key_of_a_topic_changes_what_its_log_does_and_so_does_the_brokers(name):
    key = TOPIC_CONFIGS[name]
    value = other_value(key)
    seen = []
    for own, of_broker in ((None, None), (value, None), (None, value)):
        scene = Configured(nodes=3)
        configs = {name: own} if own else {}
        scene.cluster.create_topic("t", 1, configs=configs, source="test")
        if of_broker:
            changes = [(key.broker, AlterConfigOp.SET, of_broker)]
            scene.configuring.node(ALL_NODES, changes, source="test")
        seen.append(looks(scene))
    assert seen[0] != seen[1]
    assert seen[1] == seen[2]


@pytest.mark.parametrize("name", [key.name for key in GROUP_CONFIGS.values() if key.served])
def test_each_served_key_of_a_group_changes_its_timing(name):
    scene = Configured()
    value = str(int(GROUP_CONFIGS[name].default or 0) // 2 or 2000)
    scene.configuring.group("g", [(name, AlterConfigOp.SET, value)], source="test")
    scene.cluster.create_topic("t", 1, source="test")
    wanted = HeartbeatRequest("m", 0, topic_names=frozenset({"t"}), rebalance_timeout=30.0)
    finished(scene.cluster.groups.heartbeat("g", wanted))
    assert scene.configuring.groups.value("g", name) == value


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_a_level_says_how_hard_the_broker_compresses_and_all_can_be_read(codec):
    key = TOPIC_CONFIGS[f"compression.{codec}.level"]
    words = [bytes([number * number % 251]) * (number % 7) for number in range(3000)]
    batch = build_batch([Record(0, 1, None, b"".join(words))])
    sizes = {}
    for level in (key.least, 1, 6, key.most):
        scene = Configured()
        configs = {"compression.type": codec, key.name: f"{level:.0f}"}
        topic = scene.cluster.create_topic("t", 1, configs=configs, source="test")
        (log,) = topic.logs
        scene.cluster.append(log, batch)
        (stored,) = log.batches(0, 0)
        assert [record.value for record in read_records(stored)] == [b"".join(words)]
        assert read_batch_header(stored).compression.name == codec.upper()
        sizes[level] = len(stored)
    assert sizes[key.most] < sizes[1]
