"""What Apache Kafka says to odd requests of which some change something: their order counts.

`python -m tests.brokers.kafka.probing HOST:PORT` keeps what an Apache Kafka answers that has
none of these topics and groups in `recorded/probed.json`.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.wire.messages import (
    cluster,
    configs,
    groups,
    logs,
    offsets,
    producers,
    quotas,
    reassignments,
    topics,
    transactions,
)
from mockforge_brokers.kafka.wire.schema import ZERO_UUID, Message

from .asked import FOREVER, created, produced, said_of, served, until
from .asked_oddly import paged

RECORDED = Path(__file__).parent / "recorded" / "probed.json"
A, B, NONE = "probe.a", "probe.b", "probe.none"
"""Of three partitions with three records in the first, of two that are empty, and not there."""
GROUP, NAME = "probe.g", "probe.x"
NO_ID = b"9" * 16
SET, DELETE, APPEND, SUBTRACT = range(4)
Call = Callable[[Message, int], Any]
Asked = tuple[str, int, Message]
"""What is odd, the version, the request."""


def _changed(
    *changes: tuple[str, int, str | None], kind: int = 2, name: str = A, dry: bool = False
) -> Message:
    return configs.IncrementalAlterConfigsRequest(
        resources=[
            configs.IncrementalAlterConfigsResource(
                resource_type=kind,
                resource_name=name,
                configs=[
                    configs.IncrementalAlterableConfig(
                        name=key, config_operation=operation, value=value
                    )
                    for key, operation, value in changes
                ],
            )
        ],
        validate_only=dry,
    )


POLICY, THROTTLED = "cleanup.policy", "leader.replication.throttled.replicas"
CHANGES: list[tuple[str, tuple[tuple[str, int, str | None], ...]]] = [
    ("append to a default", ((POLICY, APPEND, "compact"),)),
    ("append what is there", ((POLICY, APPEND, "compact"),)),
    ("append two, of which one is there", ((POLICY, APPEND, "delete,compact"),)),
    ("subtract one of two", ((POLICY, SUBTRACT, "delete"),)),
    ("subtract what is not there", ((POLICY, SUBTRACT, "delete"),)),
    ("subtract what none can be", ((POLICY, SUBTRACT, "foo"),)),
    ("append what none can be", ((POLICY, APPEND, "foo"),)),
    ("append with blanks", ((POLICY, APPEND, " delete "),)),
    ("append nothing", ((POLICY, APPEND, ""),)),
    ("append null", ((POLICY, APPEND, None),)),
    ("subtract nothing", ((POLICY, SUBTRACT, ""),)),
    ("subtract null", ((POLICY, SUBTRACT, None),)),
    ("subtract all", ((POLICY, SUBTRACT, "compact,delete"),)),
    ("subtract from nothing", ((POLICY, SUBTRACT, "compact"),)),
    ("append to nothing", ((POLICY, APPEND, "delete"),)),
    ("delete with a value", ((POLICY, DELETE, "compact"),)),
    ("delete what is not set", ((POLICY, DELETE, None),)),
    ("delete what is none", (("foo", DELETE, None),)),
    ("append to a number", (("retention.ms", APPEND, "5"),)),
    ("subtract from a number", (("retention.ms", SUBTRACT, "5"),)),
    ("append to what is none", (("foo", APPEND, "5"),)),
    ("subtract from what is none", (("foo", SUBTRACT, "5"),)),
    ("append to an empty list", ((THROTTLED, APPEND, "0:1"),)),
    ("append another one", ((THROTTLED, APPEND, "1:1,2:1"),)),
    ("append all to some", ((THROTTLED, APPEND, "*"),)),
    ("append what is no replica", ((THROTTLED, APPEND, "x"),)),
    ("subtract one of three", ((THROTTLED, SUBTRACT, "1:1"),)),
    ("subtract the others", ((THROTTLED, SUBTRACT, "0:1,2:1,*"),)),
    ("one right, one wrong", (("retention.ms", SET, "7"), ("segment.bytes", SET, "x"))),
    ("two right", (("retention.ms", SET, "7"), ("segment.bytes", SET, "2097152"))),
    ("set and delete", (("retention.ms", DELETE, None), ("segment.bytes", SET, "3145728"))),
    ("nothing", ()),
    ("set with blanks", ((POLICY, SET, " compact , delete "),)),
    ("subtract from blanks", ((POLICY, SUBTRACT, "compact"),)),
    ("subtract with blanks", ((POLICY, SUBTRACT, " delete "),)),
    ("set twice the same", ((POLICY, SET, "compact,compact"),)),
    ("subtract one of two alike", ((POLICY, SUBTRACT, "compact"),)),
    ("append a comma", ((POLICY, APPEND, ","),)),
    ("append with a comma behind", ((POLICY, APPEND, "delete,"),)),
    ("append with a comma before", ((POLICY, APPEND, ",delete"),)),
    ("nothing appended to nothing", ((THROTTLED, APPEND, ""),)),
    ("nothing appended to something", ((THROTTLED, SET, "0:1"),)),
    ("nothing appended", ((THROTTLED, APPEND, ""),)),
    ("back again", ((THROTTLED, DELETE, None), (POLICY, DELETE, None))),
]
"""Of a topic's values, one after the other."""


def _configured(call: Call) -> Iterator[tuple[str, Any]]:
    call(_changed(*((key, DELETE, None) for key in FOREVER)), 1)
    for number, (label, changes) in enumerate(CHANGES):
        answer = call(_changed(*changes), 1)
        shown = said_of(answer)
        _all_know(call, number)
        for key in dict.fromkeys(key for key, _, _ in changes if key != "foo"):
            shown[key] = _value(call, key)
        yield f"IncrementalAlterConfigs: {label}", shown
    for label, kind, name, key, operation, value in (
        ("append to a broker's number", 4, "1", "log.retention.ms", APPEND, "1"),
        ("subtract from a broker's number", 4, "1", "num.partitions", SUBTRACT, "1"),
        ("append to what a broker does not know", 4, "1", "foo", APPEND, "1"),
        ("append to all brokers' list", 4, "", "log.cleanup.policy", APPEND, "compact"),
        ("append to a group's number", 32, GROUP, "consumer.session.timeout.ms", APPEND, "1"),
        ("append to a subscription's list", 16, "probe.m", "metrics", APPEND, "a,b"),
        ("append what is no match", 16, "probe.m", "match", APPEND, "foo"),
        ("append to a logger's level", 8, "1", "root", APPEND, "INFO"),
        ("subtract from a logger's level", 8, "1", "root", SUBTRACT, "INFO"),
        ("delete a logger's level that is none", 8, "1", "probe.none", DELETE, None),
    ):
        request = _changed((key, operation, value), kind=kind, name=name, dry=True)
        yield f"IncrementalAlterConfigs: {label}", said_of(call(request, 1))


def _all_know(call: Call, number: int) -> None:
    """Apache Kafka shows a change when all of its parts know of it, and none before an older one:
    a further change, which is seen whatever the older one was."""
    key, value = "retention.ms", str(1_000_000 + number)
    call(_changed((key, SET, value), name=B), 1)
    until(lambda: _value(call, key, B) == value)


def _value(call: Call, key: str, name: str = A) -> str | None:
    wanted = configs.DescribeConfigsResource(
        resource_type=2, resource_name=name, configuration_keys=[key]
    )
    answer = call(configs.DescribeConfigsRequest(resources=[wanted]), 4)
    value: str | None = answer.results[0].configs[0].value
    return value


def _moved(*parts: tuple[str, int, Sequence[int] | None], resize: bool = True) -> Message:
    return reassignments.AlterPartitionReassignmentsRequest(
        allow_replication_factor_change=resize,
        topics=[
            reassignments.ReassignableTopic(
                name=name,
                partitions=[
                    reassignments.ReassignablePartition(partition_index=index, replicas=replicas)
                ],
            )
            for name, index, replicas in parts
        ],
    )


MOVES: list[Asked] = [
    (f"AlterPartitionReassignments: {label}", 1, message)
    for label, message in (
        ("to where it is", _moved((A, 0, [1]))),
        ("to nowhere", _moved((A, 0, []))),
        ("to a node twice", _moved((A, 0, [1, 1]))),
        ("to a node below nothing", _moved((A, 0, [-1]))),
        ("to a node that is not there", _moved((A, 0, [9]))),
        ("to one that is there and one that is not", _moved((A, 0, [1, 9]))),
        ("no longer", _moved((A, 0, None))),
        ("a partition that is not there", _moved((A, 9, [1]))),
        ("a partition that is not there no longer", _moved((A, 9, None))),
        ("a partition of -1", _moved((A, -1, [1]))),
        ("a topic that is not there", _moved((NONE, 0, [1]))),
        ("a topic without name", _moved(("", 0, [1]))),
        ("a topic twice", _moved((A, 0, [1]), (A, 1, [1]))),
        ("a partition twice", _moved((A, 0, [1]), (A, 0, [9]))),
        ("to nowhere as many", _moved((A, 0, []), resize=False)),
        ("to as many", _moved((A, 0, [1]), resize=False)),
        ("to as many that are not there", _moved((A, 0, [9]), resize=False)),
        ("nothing", _moved()),
        (
            "no partitions",
            reassignments.AlterPartitionReassignmentsRequest(
                topics=[reassignments.ReassignableTopic(name=A, partitions=[])]
            ),
        ),
    )
]


def _elected(kind: int, *wanted: tuple[str, list[int]] | None) -> Message:
    return reassignments.ElectLeadersRequest(
        election_type=kind,
        topic_partitions=None
        if wanted == (None,)
        else [
            reassignments.TopicPartitions(topic=one[0], partitions=one[1]) for one in wanted if one
        ],
    )


ELECTIONS: list[Asked] = [
    (f"ElectLeaders: {label}", 2, message)
    for label, message in (
        ("of nothing", _elected(0)),
        ("by no way", _elected(2, (A, [0]))),
        ("by a way below nothing", _elected(-1, (A, [0]))),
        ("by no way of all", _elected(2, None)),
        ("of a topic without partitions", _elected(0, (A, []))),
        ("of a topic without name", _elected(0, ("", [0]))),
        ("of a topic that is not there", _elected(0, (NONE, [0]))),
        ("of a partition of -1", _elected(0, (A, [-1]))),
        ("of a partition twice", _elected(0, (A, [0, 0]))),
        ("of a topic twice", _elected(1, (A, [0]), (A, [1]))),
        ("of one that is there and one that is not", _elected(1, (A, [0, 9]))),
    )
]


PAGES: list[Asked] = [
    (f"DescribeTopicPartitions: {label}", 0, message)
    for label, message in (
        ("in another order", paged(B, A)),
        ("a limit over the most", paged(A, limit=9999)),
        ("from right behind a topic", paged(A, B, after=(A, 3))),
        ("from the last partition", paged(A, B, after=(A, 2))),
        ("a page that ends with a topic", paged(A, B, limit=3)),
        ("a page that ends within the next one", paged(A, B, limit=4)),
        ("a page of all", paged(A, B, limit=5)),
        ("from a name between two", paged(A, B, after=("probe.aa", 0))),
        ("from no name", paged(A, B, after=("", 0))),
        ("from the last one twice", paged(B, B, after=(B, 1))),
        ("one that is not there at the end of a page", paged(A, NONE, limit=3)),
        ("from one that is not there", paged(A, NONE, after=(NONE, 0))),
        ("from one that is not there, further on", paged(A, NONE, after=(NONE, 5))),
    )
]


def _listed(timestamp: int, *, part: int = 0, epoch: int = -1, **more: Any) -> Message:
    wanted = offsets.ListOffsetsPartition(
        partition_index=part, timestamp=timestamp, current_leader_epoch=epoch
    )
    more = {"replica_id": -1} | more
    return offsets.ListOffsetsRequest(
        topics=[offsets.ListOffsetsTopic(name=A, partitions=[wanted])], **more
    )


TIMES: list[Asked] = [
    *(
        (
            f"ListOffsets v{version}: {timestamp} of partition {part}",
            version,
            _listed(timestamp, part=part),
        )
        for version in (11, 10, 8, 7, 6)
        for timestamp in (-1, -3, -4, -5, -6, -7)
        for part in (0, 1)
    ),
    *(
        (f"ListOffsets v11: {label}", 11, message)
        for label, message in (
            ("the beginning of time", _listed(0)),
            ("the end of time", _listed(2**63 - 1)),
            ("the end of its beginning", _listed(-(2**63))),
            ("the time of the second", _listed(2_000)),
            ("between the second and the third", _listed(2_500)),
            ("behind the third", _listed(3_001)),
            ("the newest, committed", _listed(-3, isolation_level=1)),
            ("tiered, committed", _listed(-5, isolation_level=1)),
            ("of epoch 0", _listed(-4, epoch=0)),
            ("of an epoch to come", _listed(-5, epoch=7)),
            ("for a debugger", _listed(-1, replica_id=-2)),
            ("for a follower", _listed(-1, replica_id=1)),
            ("for a node that is not there", _listed(-4, replica_id=7)),
            ("without time to wait", _listed(-5, timeout_ms=-1)),
        )
    ),
]


def _committed(
    name: str, topic_id: bytes, *, part: int = 0, offset: int = 1, **more: Any
) -> Message:
    one = offsets.OffsetCommitRequestPartition(
        partition_index=part,
        committed_offset=offset,
        committed_leader_epoch=more.pop("leader_epoch", -1),
        committed_metadata=more.pop("metadata", ""),
    )
    topic = offsets.OffsetCommitRequestTopic(name=name, topic_id=topic_id, partitions=[one])
    more = {"group_id": GROUP, "member_id": ""} | more
    return offsets.OffsetCommitRequest(topics=[topic] * more.pop("times", 1), **more)


def _fetched(
    *wanted: tuple[str, bytes, list[int]],
    all_topics: bool = False,
    stable: bool = False,
    **more: Any,
) -> Message:
    asked = [
        offsets.OffsetFetchRequestTopics(name=name, topic_id=topic_id, partition_indexes=parts)
        for name, topic_id, parts in wanted
    ]
    more = {"group_id": GROUP} | more
    group = offsets.OffsetFetchRequestGroup(topics=None if all_topics else asked, **more)
    return offsets.OffsetFetchRequest(groups=[group], require_stable=stable)


def _commits(ids: dict[str, bytes]) -> list[Asked]:
    a = ids[A]
    return [
        ("OffsetCommit v10: an id", 10, _committed("", a)),
        ("OffsetCommit v10: no id", 10, _committed(A, ZERO_UUID)),
        ("OffsetCommit v10: an id that is not there", 10, _committed("", NO_ID)),
        ("OffsetCommit v10: no such partition", 10, _committed("", a, part=9)),
        ("OffsetCommit v10: a partition of -1", 10, _committed("", a, part=-1)),
        ("OffsetCommit v10: a topic twice", 10, _committed("", a, part=1, times=2)),
        ("OffsetCommit v10: an id that is not there, of no group", 10,
         _committed("", NO_ID, group_id="probe.new")),
        ("OffsetCommit v10: an epoch without member", 10,
         _committed("", a, generation_id_or_member_epoch=3)),
        ("OffsetCommit v10: a member without epoch", 10, _committed("", a, member_id="m")),
        ("OffsetCommit v9: a member with an epoch", 9,
         _committed(A, ZERO_UUID, member_id="m", generation_id_or_member_epoch=0)),
        ("OffsetCommit v10: an offset of -1", 10, _committed("", a, part=2, offset=-1)),
        ("OffsetCommit v10: an offset of -5", 10, _committed("", a, part=2, offset=-5)),
        ("OffsetCommit v10: an epoch of -2", 10, _committed("", a, part=2, leader_epoch=-2)),
        ("OffsetCommit v10: an epoch to come", 10, _committed("", a, part=2, leader_epoch=7)),
        ("OffsetCommit v10: no metadata", 10, _committed("", a, part=2, metadata=None)),
        ("OffsetCommit v9: a name that is none", 9, _committed("a b", ZERO_UUID)),
        ("OffsetCommit v9: no name", 9, _committed("", ZERO_UUID)),
        ("OffsetFetch v10: an id", 10, _fetched(("", a, [0, 1, 2, 9]))),
        ("OffsetFetch v10: no id", 10, _fetched((A, ZERO_UUID, [0]))),
        ("OffsetFetch v10: an id that is not there", 10, _fetched(("", NO_ID, [0, 1]))),
        ("OffsetFetch v10: one that is there and one that is not", 10,
         _fetched(("", NO_ID, [0]), ("", a, [0]))),
        ("OffsetFetch v10: an id twice", 10, _fetched(("", a, [0]), ("", a, [1]))),
        ("OffsetFetch v10: all", 10, _fetched(all_topics=True)),
        ("OffsetFetch v10: all that is stable", 10, _fetched(all_topics=True, stable=True)),
        ("OffsetFetch v10: all of a group that is not there", 10,
         _fetched(all_topics=True, group_id="probe.nobody")),
        ("OffsetFetch v10: an id that is not there, of nobody", 10,
         _fetched(("", NO_ID, [0]), group_id="probe.nobody")),
        ("OffsetFetch v10: as a member that is not there", 10,
         _fetched(("", a, [0]), member_id="m", member_epoch=0)),
        ("OffsetFetch v9: a name that is none", 9, _fetched(("a b", ZERO_UUID, [0]))),
        ("OffsetFetch v9: no name", 9, _fetched(("", ZERO_UUID, [0]))),
        ("OffsetFetch v9: no partitions", 9, _fetched((A, ZERO_UUID, []))),
        ("OffsetFetch v8: a topic that is not there", 8, _fetched((NONE, ZERO_UUID, [0]))),
    ]  # fmt: skip


def _read(
    session: int,
    epoch: int,
    *parts: tuple[str, int],
    forget: tuple[tuple[str, int], ...] = (),
    ids: dict[str, bytes] | None = None,
) -> Message:
    known = ids or {}
    return logs.FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        session_id=session,
        session_epoch=epoch,
        topics=[
            logs.FetchTopic(
                topic=name,
                topic_id=known.get(name, NO_ID),
                partitions=[
                    logs.FetchPartition(partition=part, fetch_offset=0, partition_max_bytes=1 << 20)
                ],
            )
            for name, part in parts
        ],
        forgotten_topics_data=[
            logs.ForgottenTopic(topic=name, topic_id=known.get(name, NO_ID), partitions=[part])
            for name, part in forget
        ],
    )


Step = tuple[str, int, tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]
"""What is odd, the epoch, what is wanted, what is forgotten."""
SESSION: list[Step] = [
    ("it begins", 0, ((A, 0), (B, 0)), ()),
    ("an epoch too early", 2, (), ()),
    ("the epoch of its beginning", 1, (), ()),
    ("an epoch again", 1, (), ()),
    ("an epoch of -2", -2, (), ()),
    ("one that is not there comes", 2, ((NONE, 0),), ()),
    ("it is still wanted", 3, (), ()),
    ("it is forgotten", 4, (), ((NONE, 0),)),
    ("one is forgotten that nobody wanted", 5, (), ((A, 2),)),
    ("a partition that is not there comes", 6, ((A, 9),), ()),
    ("it is forgotten, too", 7, (), ((A, 9),)),
    ("one comes and is forgotten at once", 8, ((A, 1),), ((A, 1),)),
    ("one comes that is there", 9, ((A, 0),), ()),
    ("all are forgotten", 10, (), ((A, 0), (B, 0))),
    ("it is over", 11, (), ()),
]


def _sessions(call: Call, ids: dict[str, bytes]) -> Iterator[tuple[str, Any]]:
    def told(answer: Any, session: int) -> dict[str, Any]:
        shown = said_of(answer)
        opened = answer.session_id
        shown["session_id"] = "it" if session and opened == session else "new" if opened else 0
        return {key: value for key, value in shown.items() if not isinstance(value, bytes)}

    for version in (12, 17):
        session = 0
        for label, epoch, wanted, forgotten in SESSION:
            request = _read(session, epoch, *wanted, forget=forgotten, ids=ids)
            answer = call(request, version)
            shown = told(answer, session)
            session = session or answer.session_id
            yield f"Fetch v{version} in a session: {label}", shown
    first = call(_read(0, 0, (A, 0)), 12).session_id
    for label, version, request in (
        ("by ids in a session by names", 17, _read(first, 1, (B, 0), ids=ids)),
        ("by names again", 12, _read(first, 1)),
        ("whole in a session", 12, _read(first, 0, (A, 0))),
        ("in what was a session", 12, _read(first, 2)),
        ("the end of what was a session", 12, _read(first, -1, (A, 0))),
        ("in a session below nothing", 12, _read(-5, 1)),
        ("in a session that never was", 12, _read(first + 1, 1)),
        ("whole and empty", 12, _read(0, 0)),
        ("the last epoch of no session", 12, _read(0, 2**31 - 1)),
    ):
        yield f"Fetch of a session: {label}", told(call(request, version), first)


def _added(who: tuple[int, int], *wanted: tuple[str, list[int]], name: str = NAME) -> Message:
    return transactions.AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=name,
        v3_and_below_producer_id=who[0],
        v3_and_below_producer_epoch=who[1],
        v3_and_below_topics=[
            transactions.AddPartitionsToTxnTopic(name=topic, partitions=parts)
            for topic, parts in wanted
        ],
    )


def _ended(who: tuple[int, int], committed: bool = True, name: str = NAME) -> Message:
    return transactions.EndTxnRequest(
        transactional_id=name, producer_id=who[0], producer_epoch=who[1], committed=committed
    )


def _moved_on(
    who: tuple[int, int], *parts: tuple[str, int], offset: int = 1, **more: Any
) -> Message:
    values = {"group_id": GROUP, "member_id": "", "generation_id": -1, "transactional_id": NAME}
    return transactions.TxnOffsetCommitRequest(
        producer_id=who[0],
        producer_epoch=who[1],
        topics=[
            transactions.TxnOffsetCommitRequestTopic(
                name=name,
                partitions=[
                    transactions.TxnOffsetCommitRequestPartition(
                        partition_index=part, committed_offset=offset, committed_metadata=None
                    )
                ],
            )
            for name, part in parts
        ],
        **(values | more),
    )


def _in_transaction(call: Call) -> Iterator[tuple[str, Any]]:
    request = producers.InitProducerIdRequest(
        transactional_id=NAME, transaction_timeout_ms=60_000, producer_id=-1, producer_epoch=-1
    )
    until(lambda: not call(request, 4).error_code)
    taken = call(request, 4)
    who = taken.producer_id, taken.producer_epoch
    group = transactions.AddOffsetsToTxnRequest(
        transactional_id=NAME, producer_id=who[0], producer_epoch=who[1], group_id=GROUP
    )
    other, older, newer = (who[0] + 5, who[1]), (who[0], who[1] - 1), (who[0], who[1] + 1)
    steps: list[Asked] = [
        ("EndTxn: of nothing", 4, _ended(who)),
        ("EndTxn: of nothing, aborted", 4, _ended(who, False)),
        ("EndTxn: of another producer", 4, _ended(other)),
        ("EndTxn: of an older epoch", 4, _ended(older)),
        ("EndTxn: of a newer epoch", 4, _ended(newer)),
        ("EndTxn: of an epoch of -1", 4, _ended((who[0], -1))),
        ("AddPartitionsToTxn: no topics", 3, _added(who)),
        ("AddPartitionsToTxn: no partitions", 3, _added(who, (A, []))),
        ("AddPartitionsToTxn: one that is not there beside one that is", 3,
         _added(who, (A, [0]), (NONE, [0]))),
        ("AddPartitionsToTxn: a partition of -1", 3, _added(who, (A, [-1]))),
        ("AddPartitionsToTxn: a partition that is not there beside one that is", 3,
         _added(who, (A, [0, 9]))),
        ("EndTxn: of what was refused", 4, _ended(who)),
        ("AddPartitionsToTxn: a partition twice", 3, _added(who, (A, [0, 0]))),
        ("AddPartitionsToTxn: a topic twice", 3, _added(who, (A, [1]), (A, [2]))),
        ("AddPartitionsToTxn: what is there", 3, _added(who, (A, [0]))),
        ("TxnOffsetCommit: to a group that was not added", 3, _moved_on(who, (A, 0))),
        ("AddOffsetsToTxn: a group", 3, group),
        ("AddOffsetsToTxn: a group again", 3, group),
        ("TxnOffsetCommit: the first one without transactional id", 3,
         _moved_on(who, (A, 0), transactional_id="")),
        ("TxnOffsetCommit: the first one by another transactional id", 3,
         _moved_on(who, (A, 0), transactional_id="probe.y")),
        ("TxnOffsetCommit: no topics", 3, _moved_on(who)),
        ("TxnOffsetCommit: a topic that is not there", 3, _moved_on(who, (NONE, 0), (A, 0))),
        ("TxnOffsetCommit: a partition that is not there", 3, _moved_on(who, (A, 9))),
        ("TxnOffsetCommit: an offset of -5", 3, _moved_on(who, (A, 1), offset=-5)),
        ("TxnOffsetCommit: a generation without member", 3,
         _moved_on(who, (A, 0), generation_id=5)),
        ("TxnOffsetCommit: a member that is not there", 3, _moved_on(who, (A, 0), member_id="m")),
        ("TxnOffsetCommit: an instance that is not there", 3,
         _moved_on(who, (A, 0), member_id="m", group_instance_id="i")),
        ("TxnOffsetCommit: of another producer", 3, _moved_on(other, (A, 0))),
        ("TxnOffsetCommit: of an older epoch", 3, _moved_on(older, (A, 0))),
        ("TxnOffsetCommit: without transactional id", 3,
         _moved_on(who, (A, 0), transactional_id="")),
        ("TxnOffsetCommit: by another transactional id", 3,
         _moved_on(who, (A, 0), transactional_id="probe.y")),
        ("TxnOffsetCommit: of an older epoch without transactional id", 3,
         _moved_on(older, (A, 0), transactional_id="")),
        ("TxnOffsetCommit: of an older epoch by another transactional id", 3,
         _moved_on(older, (A, 0), transactional_id="probe.y")),
        ("TxnOffsetCommit: of a newer epoch without transactional id", 3,
         _moved_on(newer, (A, 0), transactional_id="")),
        ("TxnOffsetCommit: of a newer epoch by another transactional id", 3,
         _moved_on(newer, (A, 0), transactional_id="probe.y")),
        ("TxnOffsetCommit: to another group without transactional id", 3,
         _moved_on(who, (A, 0), transactional_id="", group_id="probe.h")),
        ("TxnOffsetCommit: without transactional id, as the protocol of today", 5,
         _moved_on(who, (A, 0), transactional_id="")),
        ("TxnOffsetCommit: to a group without name", 3, _moved_on(who, (A, 0), group_id="")),
        ("OffsetFetch v8: what a transaction would move", 8,
         _fetched((A, ZERO_UUID, [0, 1, 2]), stable=True)),
        ("EndTxn: of another producer, open", 4, _ended(other)),
        ("EndTxn: of a newer epoch, open", 4, _ended(newer)),
        ("EndTxn: aborted", 4, _ended(who, False)),
        ("EndTxn: aborted again", 4, _ended(who, False)),
        ("EndTxn: committed behind", 4, _ended(who, True)),
        ("EndTxn: without name", 4, _ended(who, name="")),
        ("AddPartitionsToTxn: without name", 3, _added(who, (A, [0]), name="")),
    ]  # fmt: skip
    for label, version, message in steps:
        yield label, _settled(call, message, version)


def _settled(call: Call, message: Message, version: int) -> dict[str, Any]:
    """Apache Kafka writes its markers a moment later, and says so until then."""
    said: dict[str, Any] = {}

    def settled() -> bool:
        answer = call(message, version)
        added = getattr(answer, "results_by_topic_v3_and_below", [])
        # As a hash has them.
        added.sort(key=lambda one: one.name)
        for topic in added:
            topic.results_by_partition.sort(key=lambda one: one.partition_index)
        said.clear()
        said.update(said_of(answer))
        return ErrorCode.CONCURRENT_TRANSACTIONS not in said.values()

    until(settled)
    return said


def furnish(call: Call) -> dict[str, bytes]:
    for name, partitions in ((A, 3), (B, 2)):
        call(created(name, partitions=partitions, dry=False, configs=FOREVER), 5)
        until(lambda name=name, count=partitions: served(call, name, count))
    records = build_batch([Record(0, 1_000 * n, None, b"v") for n in (1, 2, 3)])
    until(lambda: not call(produced(A, records), 9).responses[0].partition_responses[0].error_code)
    for kind, key in enumerate((GROUP, NAME)):
        asked = groups.FindCoordinatorRequest(key=key, key_type=kind, coordinator_keys=[key])
        until(lambda asked=asked: not call(asked, 4).coordinators[0].error_code)
    until(lambda: not call(_committed(A, ZERO_UUID), 9).topics[0].partitions[0].error_code)
    shown = call(cluster.MetadataRequest(topics=None), 12)
    return {one.name: one.topic_id for one in shown.topics if one.name in (A, B)}


def _created(
    name: str, *wrong: tuple[str, str], count: int = -1, factor: int = -1, manual: bool = False
) -> Message:
    placed = (
        [topics.CreatableReplicaAssignment(partition_index=0, broker_ids=[1])] if manual else []
    )
    return topics.CreateTopicsRequest(
        timeout_ms=1000,
        validate_only=True,
        topics=[
            topics.CreatableTopic(
                name=name,
                num_partitions=count,
                replication_factor=factor,
                assignments=placed,
                configs=[
                    topics.CreatableTopicConfig(name=key, value=value) for key, value in wrong
                ],
            )
        ],
    )


def _limited(*changes: tuple[str, float, bool]) -> Message:
    ops = [quotas.QuotaOperation(key=key, value=value, remove=gone) for key, value, gone in changes]
    who = quotas.QuotaEntity(entity_type="ip", entity_name="10.9.9.9")
    return quotas.AlterClientQuotasRequest(
        entries=[quotas.AlteredQuota(entity=[who], ops=ops)], validate_only=True
    )


_SHORT, _SLOW = ("retention.ms", "-2"), ("index.interval.bytes", "-1")
_PRODUCED, _READ, _CHANGED = (
    (key, 1.0, False)
    for key in ("producer_byte_rate", "consumer_byte_rate", "controller_mutation_rate")
)
WRONG_TWICE: list[Asked] = [
    ("CreateTopics: there, in two ways", 7, _created(A, count=2, manual=True)),
    ("CreateTopics: there, by a wrong value", 7, _created(A, _SHORT)),
    ("CreateTopics: there, too often", 7, _created(A, factor=2)),
    (
        "CreateTopics: in two ways, by a wrong value",
        7,
        _created(NONE, _SHORT, manual=True, count=1),
    ),
    ("CreateTopics: none, by a wrong value", 7, _created(NONE, _SHORT, count=0)),
    ("CreateTopics: none, too often", 7, _created(NONE, count=0, factor=2)),
    ("CreateTopics: none, not once", 7, _created(NONE, count=0, factor=0)),
    ("CreateTopics: two wrong values", 7, _created(NONE, _SLOW, _SHORT)),
    ("CreateTopics: a wrong value, an unknown key", 7, _created(NONE, _SHORT, ("foo", "1"))),
    *(
        (f"IncrementalAlterConfigs: {label} of a topic that is not there", 1, message)
        for label, message in (
            ("a wrong value", _changed(("retention.ms", SET, "-2"), name=NONE)),
            ("a number appended to", _changed(("retention.ms", APPEND, "1"), name=NONE)),
            ("a right value", _changed(("retention.ms", SET, "1"), name=NONE)),
            (
                "two numbers edited",
                _changed(
                    ("unclean.leader.election.enable", SUBTRACT, "1"),
                    ("compression.type", APPEND, "1"),
                    name=NONE,
                ),
            ),
        )
    ),
    (
        "AlterConfigs: a wrong value of a topic that is not there",
        2,
        configs.AlterConfigsRequest(
            resources=[
                configs.AlterConfigsResource(
                    resource_type=2,
                    resource_name=NONE,
                    configs=[configs.AlterableConfig(name="retention.ms", value="-2")],
                )
            ],
            validate_only=False,
        ),
    ),
    ("AlterClientQuotas: two unknown keys", 1, _limited(_PRODUCED, _CHANGED)),
    ("AlterClientQuotas: two others", 1, _limited(_CHANGED, _READ)),
    ("AlterClientQuotas: three unknown keys", 1, _limited(_PRODUCED, _READ, _CHANGED)),
    ("AlterClientQuotas: an unknown key removed", 1, _limited(("foo", 0.0, True))),
]


def play(call: Call) -> dict[str, Any]:
    """What a broker says to each, by name."""
    ids = furnish(call)
    said: dict[str, Any] = {}
    for label, version, message in (
        *TIMES,
        *_commits(ids),
        *MOVES,
        *ELECTIONS,
        *PAGES,
        *WRONG_TWICE,
    ):
        answer = call(message, version)
        for topic in (one for group in getattr(answer, "groups", ()) for one in group.topics):
            topic.partitions.sort(key=lambda one: one.partition_index)
        said[label] = {
            key: value for key, value in said_of(answer).items() if not isinstance(value, bytes)
        }
    said |= dict(_in_transaction(call))
    said |= dict(_sessions(call, ids))
    said |= dict(_configured(call))
    return said


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
