"""Requests that are wrong, each in one way, and what Apache Kafka says of them: codes and texts.

`python -m tests.brokers.kafka.asked_wrongly HOST:PORT` keeps what a new Apache Kafka answers, each
in its newest version, in `recorded/wrong.json`. `asked` asks them in all versions.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.wire.messages import (
    configs,
    consumer_groups,
    logs,
    offsets,
    quotas,
    reassignments,
    scram,
    topics,
)
from mockforge_brokers.kafka.wire.schema import Message

RECORDED = Path(__file__).parent / "recorded" / "wrong.json"
TOPIC = "differ.t"
"""Of two partitions."""


def _topic(name: str = "differ.wrong", **more: Any) -> topics.CreatableTopic:
    values: dict[str, Any] = {
        "num_partitions": 1,
        "replication_factor": 1,
        "assignments": [],
        "configs": [],
    }
    if "brokers" in more:
        values |= {"num_partitions": -1, "replication_factor": -1}
        values["assignments"] = [
            topics.CreatableReplicaAssignment(partition_index=index, broker_ids=nodes)
            for index, nodes in more.pop("brokers")
        ]
    values["configs"] = [
        topics.CreatableTopicConfig(name=key, value=value)
        for key, value in more.pop("keys", {}).items()
    ]
    return topics.CreatableTopic(name=name, **(values | more))


def _created(*wanted: topics.CreatableTopic) -> topics.CreateTopicsRequest:
    return topics.CreateTopicsRequest(topics=wanted, timeout_ms=5000, validate_only=True)


def _grown(count: int, brokers: list[list[int]] | None = None, *, times: int = 1) -> Message:
    placed = (
        None
        if brokers is None
        else [topics.CreatePartitionsAssignment(broker_ids=one) for one in brokers]
    )
    wanted = topics.CreatePartitionsTopic(name=TOPIC, count=count, assignments=placed)
    return topics.CreatePartitionsRequest(
        topics=[wanted] * times, timeout_ms=1000, validate_only=True
    )


def _altered(
    kind: int, name: str, *changes: tuple[str, int, str | None], times: int = 1
) -> Message:
    resource = configs.IncrementalAlterConfigsResource(
        resource_type=kind,
        resource_name=name,
        configs=[
            configs.IncrementalAlterableConfig(name=key, config_operation=how, value=value)
            for key, how, value in changes
        ],
    )
    return configs.IncrementalAlterConfigsRequest(resources=[resource] * times, validate_only=True)


def _replaced(kind: int, name: str, *values: tuple[str, str | None]) -> Message:
    resource = configs.AlterConfigsResource(
        resource_type=kind,
        resource_name=name,
        configs=[configs.AlterableConfig(name=key, value=value) for key, value in values],
    )
    return configs.AlterConfigsRequest(resources=[resource], validate_only=True)


def _moved(topic: str, partition: int, replicas: list[int] | None) -> Message:
    one = reassignments.ReassignablePartition(partition_index=partition, replicas=replicas)
    return reassignments.AlterPartitionReassignmentsRequest(
        topics=[reassignments.ReassignableTopic(name=topic, partitions=[one])], timeout_ms=1000
    )


def _elected(topic: str, partition: int, kind: int) -> Message:
    wanted = reassignments.TopicPartitions(topic=topic, partitions=[partition])
    return reassignments.ElectLeadersRequest(
        election_type=kind, topic_partitions=[wanted], timeout_ms=1000
    )


def _quota(*entity: tuple[str, str | None], times: int = 1, **ops: float) -> Message:
    entry = quotas.AlteredQuota(
        entity=[quotas.QuotaEntity(entity_type=kind, entity_name=name) for kind, name in entity],
        ops=[
            quotas.QuotaOperation(key=key, value=value, remove=False) for key, value in ops.items()
        ],
    )
    return quotas.AlterClientQuotasRequest(entries=[entry] * times, validate_only=True)


def _scram(name: str, mechanism: int, iterations: int, *, times: int = 1) -> Message:
    one = scram.ScramCredentialUpsertion(
        name=name, mechanism=mechanism, iterations=iterations, salt=b"salt", salted_password=b"p"
    )
    return scram.AlterUserScramCredentialsRequest(deletions=[], upsertions=[one] * times)


def _beat(**more: Any) -> Message:
    values: dict[str, Any] = {
        "group_id": "differ.wrong",
        "member_id": "m",
        "member_epoch": 0,
        "rebalance_timeout_ms": 1000,
        "subscribed_topic_names": [TOPIC],
        "topic_partitions": [],
    }
    return consumer_groups.ConsumerGroupHeartbeatRequest(**(values | more))


_LONG = "x" * 250

PATTERNS = (
    *("(", "a)", "[a", "[b-a]", "*", "a**", "a{1001}", "\\", r"\q", "(?=a)", "(?P<n", "(?z)"),
    *("(?P<n>a)(?P<n>b)", "[[:foo:]]", "a{2,1}", "(?i", r"\pX", r"\p{Foo}", r"[a-\d]", "|*", "[]"),
    *("x{1000}{1000}", r"\8", "(?<n>a", "a++", "(?:", r"\x{110000}", r"\C"),
)
"""None of these is a regular expression to RE2/J."""

WRONG: dict[ApiKey, list[tuple[str, Message]]] = {
    ApiKey.CREATE_TOPICS: [
        ("no name", _created(_topic(""))),
        ("a dot", _created(_topic("."))),
        ("two dots", _created(_topic(".."))),
        ("a blank in the name", _created(_topic("a b"))),
        ("too long a name", _created(_topic(_LONG))),
        ("a name that collides", _created(_topic("differ_t"))),
        ("one that is there", _created(_topic(TOPIC))),
        ("twice", _created(_topic(), _topic())),
        ("partitions of -2", _created(_topic(num_partitions=-2))),
        ("no replica", _created(_topic(replication_factor=0))),
        ("replicas of -2", _created(_topic(replication_factor=-2))),
        ("an unknown key", _created(_topic(keys={"foo": "1"}))),
        ("a key without value", _created(_topic(keys={"retention.ms": None}))),
        ("two keys without value", _created(_topic(keys={"retention.ms": None, "a": None}))),
        ("a word for a number", _created(_topic(keys={"retention.ms": "soon"}))),
        ("too little", _created(_topic(keys={"segment.bytes": "1"}))),
        ("too much", _created(_topic(keys={"min.cleanable.dirty.ratio": "2"}))),
        ("no such policy", _created(_topic(keys={"cleanup.policy": "burn"}))),
        ("no such codec", _created(_topic(keys={"compression.type": "rar"}))),
        ("no switch", _created(_topic(keys={"preallocate": "maybe"}))),
        (
            "lags that contradict",
            _created(_topic(keys={"min.compaction.lag.ms": "9", "max.compaction.lag.ms": "8"})),
        ),
        ("nodes and a count", _created(_topic(brokers=[(0, [1])], num_partitions=1))),
        ("nodes and a factor", _created(_topic(brokers=[(0, [1])], replication_factor=1))),
        ("a node that is not there", _created(_topic(brokers=[(0, [9])]))),
        ("a node twice", _created(_topic(brokers=[(0, [1, 1])]))),
        ("no node", _created(_topic(brokers=[(0, [])]))),
        ("a gap among partitions", _created(_topic(brokers=[(0, [1]), (2, [1])]))),
        ("a partition twice", _created(_topic(brokers=[(0, [1]), (0, [1])]))),
        ("a partition of -1", _created(_topic(brokers=[(-1, [1])]))),
    ],
    ApiKey.CREATE_PARTITIONS: [
        ("to none", _grown(0)),
        ("to -1", _grown(-1)),
        ("twice", _grown(3, times=2)),
        ("too few places", _grown(4, [[1]])),
        ("too many places", _grown(3, [[1], [1]])),
        ("a node that is not there", _grown(3, [[9]])),
        ("a node twice", _grown(3, [[1, 1]])),
        ("no node", _grown(3, [[]])),
    ],
    ApiKey.INCREMENTAL_ALTER_CONFIGS: [
        ("a key twice", _altered(2, TOPIC, ("retention.ms", 0, "1"), ("retention.ms", 0, "2"))),
        ("a topic twice", _altered(2, TOPIC, ("retention.ms", 0, "1"), times=2)),
        ("an operation that is none", _altered(2, TOPIC, ("retention.ms", 9, "1"))),
        ("appended to a number", _altered(2, TOPIC, ("retention.ms", 2, "1"))),
        ("taken from a number", _altered(2, TOPIC, ("retention.ms", 3, "1"))),
        ("appended without value", _altered(2, TOPIC, ("cleanup.policy", 2, None))),
        ("a policy that is none, appended", _altered(2, TOPIC, ("cleanup.policy", 2, "burn"))),
        ("too little", _altered(2, TOPIC, ("segment.bytes", 0, "1"))),
        ("a blank topic name", _altered(2, "a b", ("segment.bytes", 0, "1000000"))),
        ("removed", _altered(2, TOPIC, ("retention.ms", 1, None))),
        ("an unknown key, removed", _altered(2, TOPIC, ("foo", 1, None))),
        ("a broker's name that is no number", _altered(4, "x", ("log.retention.ms", 0, "1"))),
        ("a broker's unknown key", _altered(4, "1", ("foo", 0, "1"))),
        ("two fixed keys", _altered(4, "1", ("num.partitions", 0, "1"), ("node.id", 0, "7"))),
        ("racks while it runs", _altered(4, "1", ("broker.rack", 0, "r"))),
        ("too few threads", _altered(4, "1", ("num.io.threads", 0, "0"))),
        ("many times the threads", _altered(4, "1", ("num.io.threads", 0, "100"))),
        ("a listener's secret", _altered(4, "1", ("ssl.key.password", 0, "x"))),
        ("a listener's secret for all", _altered(4, "", ("ssl.keystore.type", 0, "PEM"))),
        ("a secret, removed", _altered(4, "1", ("ssl.key.password", 1, None))),
        ("a secret for all", _altered(4, "", ("sasl.jaas.config", 0, "x"))),
        ("a listener for all", _altered(4, "", ("listeners", 0, "PLAINTEXT://:1"))),
        ("a policy of all", _altered(4, "", ("log.cleanup.policy", 0, "burn"))),
        ("a session too short", _altered(32, "differ.g", ("consumer.session.timeout.ms", 0, "1"))),
        (
            "beats as long as a session",
            _altered(32, "differ.g", ("consumer.heartbeat.interval.ms", 0, "45000")),
        ),
        ("no group", _altered(32, "", ("consumer.session.timeout.ms", 0, "50000"))),
        ("no subscription", _altered(16, "", ("interval.ms", 0, "1000"))),
        ("too often", _altered(16, "differ.m", ("interval.ms", 0, "1"))),
        ("a match that is none", _altered(16, "differ.m", ("match", 0, "foo=bar"))),
        ("a pattern that is none", _altered(16, "differ.m", ("match", 0, "client_id=("))),
        ("an unknown key of a subscription", _altered(16, "differ.m", ("foo", 0, "1"))),
        ("a type that is none", _altered(99, "x", ("foo", 0, "1"))),
        ("a logger appended to", _altered(8, "1", ("root", 2, "INFO"))),
        ("the root logger removed", _altered(8, "1", ("root", 1, None))),
        ("another broker's logger", _altered(8, "9", ("root", 0, "INFO"))),
        ("no broker's logger", _altered(8, "", ("root", 0, "INFO"))),
    ],
    ApiKey.ALTER_CONFIGS: [
        ("a value", _replaced(2, TOPIC, ("retention.ms", "1000"))),
        ("no value", _replaced(2, TOPIC, ("retention.ms", None))),
        ("a word for a number", _replaced(2, TOPIC, ("retention.ms", "soon"))),
        ("an unknown key", _replaced(2, TOPIC, ("foo", "1"))),
        ("no such topic", _replaced(2, "differ.none", ("retention.ms", "1"))),
        ("loggers", _replaced(8, "1", ("root", "INFO"))),
        ("a fixed key", _replaced(4, "1", ("num.partitions", "2"))),
        ("a broker that is not there", _replaced(4, "9", ("log.retention.ms", "1"))),
        ("a subscription", _replaced(16, "differ.m", ("interval.ms", "1"))),
        ("a group", _replaced(32, "differ.g", ("consumer.session.timeout.ms", "1"))),
    ],
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: [
        ("no such topic", _moved("differ.none", 0, [1])),
        ("no such partition", _moved(TOPIC, 9, [1])),
        ("no node", _moved(TOPIC, 0, [])),
        ("a node that is not there", _moved(TOPIC, 0, [9])),
        ("a node twice", _moved(TOPIC, 0, [1, 1])),
        ("a node of -1", _moved(TOPIC, 0, [-1])),
        ("what is not moved called off", _moved(TOPIC, 0, None)),
        ("to where it is", _moved(TOPIC, 0, [1])),
    ],
    ApiKey.ELECT_LEADERS: [
        ("of an unknown kind", _elected(TOPIC, 0, 7)),
        ("unclean", _elected(TOPIC, 0, 1)),
        ("no such topic", _elected("differ.none", 0, 0)),
        ("no such partition", _elected(TOPIC, 9, 0)),
    ],
    ApiKey.ALTER_CLIENT_QUOTAS: [
        ("of nothing", _quota(producer_byte_rate=1.0)),
        ("twice", _quota(("user", "a"), times=2, producer_byte_rate=1.0)),
        (
            "a user and an address",
            _quota(("user", "a"), ("ip", "1.2.3.4"), connection_creation_rate=1.0),
        ),
        ("no address", _quota(("ip", "x y"), connection_creation_rate=1.0)),
        ("a user twice", _quota(("user", "a"), ("user", "b"), producer_byte_rate=1.0)),
        ("below nothing", _quota(("user", "a"), producer_byte_rate=-1.0)),
        ("part of a connection", _quota(("ip", "1.2.3.4"), connection_creation_rate=1.5)),
        ("over a long", _quota(("user", "a"), producer_byte_rate=1e30)),
        ("a rate of a client", _quota(("client-id", "a"), request_percentage=0.5)),
    ],
    ApiKey.ALTER_USER_SCRAM_CREDENTIALS: [
        ("no name", _scram("", 1, 4096)),
        ("an unknown mechanism", _scram("a", 9, 4096)),
        ("too few rounds", _scram("a", 1, 10)),
        ("too many rounds", _scram("a", 2, 100_000)),
        ("twice", _scram("a", 1, 4096, times=2)),
    ],
    ApiKey.CONSUMER_GROUP_HEARTBEAT: [
        ("no group", _beat(group_id="")),
        ("a blank group", _beat(group_id=" ")),
        ("no instance", _beat(instance_id="")),
        ("no rack", _beat(rack_id="")),
        ("no timeout at first", _beat(rebalance_timeout_ms=-1)),
        ("nothing owned at first", _beat(topic_partitions=None)),
        ("no topics at first", _beat(subscribed_topic_names=None)),
        ("an unknown assignor", _beat(server_assignor="sticky")),
        ("no assignor", _beat(server_assignor="")),
        ("a member that is not there", _beat(member_epoch=3)),
        ("one that leaves a group that is not there", _beat(member_epoch=-1)),
        ("one that leaves for a while without instance", _beat(member_epoch=-2)),
        ("an epoch that is none", _beat(member_epoch=-3)),
        *(
            (
                f"the pattern {pattern}",
                _beat(subscribed_topic_names=None, subscribed_topic_regex=pattern, group_id="d.re"),
            )
            for pattern in PATTERNS
        ),
    ],
    ApiKey.CONSUMER_GROUP_DESCRIBE: [
        (
            f"of {name!r}",
            consumer_groups.ConsumerGroupDescribeRequest(group_ids=[name]),
        )
        for name in ("", "differ.nobody", "differ.g")
    ],
    ApiKey.OFFSET_DELETE: [
        (
            label,
            offsets.OffsetDeleteRequest(
                group_id=group,
                topics=[
                    offsets.OffsetDeleteRequestTopic(
                        name=topic,
                        partitions=[offsets.OffsetDeleteRequestPartition(partition_index=number)],
                    )
                ],
            ),
        )
        for label, group, topic, number in (
            ("no name", "", TOPIC, 0),
            ("of nobody", "differ.nobody", TOPIC, 0),
            ("no such topic", "differ.g", "differ.none", 0),
            ("no such partition", "differ.g", TOPIC, 9),
        )
    ],
    ApiKey.DELETE_RECORDS: [
        (
            f"{offset} of {topic} {number}",
            logs.DeleteRecordsRequest(
                topics=[
                    logs.DeleteRecordsTopic(
                        name=topic,
                        partitions=[
                            logs.DeleteRecordsPartition(partition_index=number, offset=offset)
                        ],
                    )
                ],
                timeout_ms=1000,
            ),
        )
        for topic, number, offset in (
            (TOPIC, 0, -2),
            (TOPIC, 0, -1_000),
            ("differ.compacted", 0, 0),
            (TOPIC, -1, 0),
            ("a b", 0, 0),
        )
    ],
}
"""By API, what is wrong and the request, which is the same in each version."""


def play(call: Callable[[Message, int], Any]) -> dict[str, dict[str, Any]]:
    """What a broker says to each, by name; fields that must differ are left out."""
    from .asked import furnish, said_of, versions

    furnish(call)
    return {
        f"{key.title}: {label}": said_of(call(message, versions(key)[-1]))
        for key, rows in WRONG.items()
        for label, message in rows
    }


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
