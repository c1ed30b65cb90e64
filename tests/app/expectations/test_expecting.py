"""Expectations against real brokers on a manual clock."""

from collections import deque
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import LintFound, MessageSeen
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.logs import FetchPartition, FetchRequest, FetchTopic
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)

from app.console.scene import Scene
from mockforge_tui.embedded.spelling import asked_of
from mockforge_tui.expectations.failure import Failure
from mockforge_tui.expectations.record import Record
from mockforge_tui.expectations.waiting import Outcome, Waiting
from mockforge_tui.fixtures.expected.conditions import conditions
from mockforge_tui.fixtures.expected.model import (
    Came,
    Client,
    Consumers,
    Drained,
    Expectation,
    FaultHit,
    GroupAt,
    InOrder,
    LintClean,
)
from mockforge_tui.fixtures.messages import Watch
from mockforge_tui.fixtures.requests import expectation_of
from mockforge_tui.fixtures.templates.scope import Scope

ORDERS = Watch("kafka", "orders", "topic")


class Expecting:
    """A scene, and what its expectations came to."""

    def __init__(self, *, furnished: bool = False) -> None:
        self.scene = Scene(furnished=furnished)
        self.outcomes: list[Outcome] = []

    def begin(self, expectation: Expectation, since: int | None = None) -> Waiting:
        return Waiting(expectation, self.scene, self.outcomes.append, since)

    def failure(self) -> Failure:
        (outcome,) = self.outcomes
        assert outcome.failure is not None
        return outcome.failure

    def fail(self, expectation: Expectation) -> Failure:
        self.begin(expectation)
        self.scene.advance(60)
        return self.failure()


@pytest.fixture
def expecting() -> Expecting:
    return Expecting()


# When it ends ---------------------------------------------------------------------------------


def test_what_came_before_is_met_at_once(expecting: Expecting) -> None:
    expecting.scene.run("pub kafka:orders 1")
    expecting.begin(Came(ORDERS))
    assert [outcome.ok for outcome in expecting.outcomes] == [True]


def test_what_comes_in_time_meets_it_in_the_turn_after(expecting: Expecting) -> None:
    expecting.begin(Came(ORDERS))
    expecting.scene.advance(4)
    expecting.scene.run("pub kafka:orders 1 -k o-1")
    assert expecting.outcomes == []
    expecting.scene.advance(0)
    (outcome,) = expecting.outcomes
    assert outcome.ok
    assert outcome.took == pytest.approx(4)
    assert [each.key for each in outcome.messages] == ["o-1"]


def test_what_comes_too_late_does_not(expecting: Expecting) -> None:
    expecting.begin(Came(ORDERS, within=5))
    expecting.scene.advance(5)
    expecting.scene.run("pub kafka:orders 1")
    assert "a message to kafka:orders within 5s" in expecting.failure().expected


def test_one_too_many_breaks_a_count_before_its_time_is_over(expecting: Expecting) -> None:
    expecting.begin(Came(ORDERS, least=2, most=2, within=60))
    expecting.scene.run("pub kafka:orders[0] 1 -n 3")
    expecting.scene.advance(0)
    assert expecting.failure().seen == "3 messages"
    assert expecting.failure().surplus == ("orders p0@2  1",)


def test_a_count_that_settles_waits_for_one_too_many(expecting: Expecting) -> None:
    expecting.scene.run("pub kafka:orders 1")
    expecting.begin(Came(ORDERS, least=1, most=1, settle=0.2))
    expecting.scene.advance(0.1)
    assert expecting.outcomes == []
    expecting.scene.advance(0.1)
    assert expecting.outcomes[0].ok


def test_none_waits_its_whole_time_and_ends_at_the_first(expecting: Expecting) -> None:
    expecting.begin(Came(ORDERS, least=0, most=0, within=1))
    expecting.scene.advance(0.9)
    assert expecting.outcomes == []
    expecting.scene.advance(0.1)
    assert expecting.outcomes.pop().ok
    expecting.begin(Came(ORDERS, least=0, most=0, within=1))
    expecting.scene.run("pub kafka:orders 1")
    expecting.scene.advance(0)
    assert expecting.failure().seen == "1 message"


def test_only_what_came_after_a_mark_counts(expecting: Expecting) -> None:
    expecting.scene.run("pub kafka:orders 1")
    expecting.begin(Came(ORDERS), since=expecting.scene.record.newest)
    assert expecting.outcomes == []
    expecting.scene.run("pub kafka:orders 2")
    expecting.scene.advance(0)
    (outcome,) = expecting.outcomes
    assert [message.text for message in outcome.messages] == ["2"]


def test_a_cancelled_one_calls_nobody(expecting: Expecting) -> None:
    expecting.begin(Came(ORDERS)).cancel()
    expecting.scene.run("pub kafka:orders 1")
    expecting.scene.advance(60)
    assert expecting.outcomes == []


# Where ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("watch", "line", "met"),
    [
        (Watch("kafka", "orders.*", "topic"), "pub kafka:orders.created 1", True),
        (Watch("kafka", "orders", "topic"), "pub kafka:orders.created 1", False),
        (Watch("kafka", "orders", "topic"), "pub mqtt:orders 1", False),
        (Watch("mqtt", "a/+/c", "filter"), "pub mqtt:a/b/c 1", True),
        (Watch("mqtt", "a/#", "filter"), "pub mqtt:b/c 1", False),
        (Watch("amqp", "amq.topic", "exchange", "a.*"), "pub amqp:amq.topic/a.b 1", True),
        (Watch("amqp", "amq.topic", "exchange", "a.*"), "pub amqp:amq.topic/a.b.c 1", False),
        (Watch("amqp", "amq.*", "exchange"), "pub amqp:amq.topic/x 1", True),
        (Watch("amqp", "q", "queue"), "pub queue:q 1", True),
        (Watch("amqp", "p", "queue"), "pub queue:q 1", False),
    ],
    ids=str,
)
def test_a_destination_is_what_its_protocol_says(watch: Watch, line: str, met: bool) -> None:
    expecting = Expecting()
    expecting.scene.run("queue add q")
    expecting.scene.run(line)
    expecting.begin(Came(watch))
    assert bool(expecting.outcomes) is met


def test_a_queue_gets_its_dead_letters_too(expecting: Expecting) -> None:
    scene = expecting.scene
    scene.run("queue add dlq")
    scene.amqp.declare_queue(
        "work",
        arguments={
            "x-message-ttl": 100,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "dlq",
        },
    )
    scene.run("pub queue:work 1")
    expecting.begin(Came(Watch("amqp", "dlq", "queue")))
    scene.advance(0.2)
    (outcome,) = expecting.outcomes
    assert outcome.messages[0].headers["x-death"][0]["queue"] == "work"


# In order -------------------------------------------------------------------------------------


def in_order(*parts: Came) -> InOrder:
    return InOrder(parts)


def test_order_holds_across_protocols(expecting: Expecting) -> None:
    wanted = in_order(Came(ORDERS), Came(Watch("mqtt", "a", "filter")), Came(ORDERS))
    for line in ("pub kafka:orders 1", "pub mqtt:a 1", "pub kafka:orders 2"):
        expecting.scene.run(line)
    expecting.begin(wanted)
    assert [each.number for each in expecting.outcomes[0].messages] == [1, 2, 3]


def test_the_first_missing_part_of_an_order_is_explained(expecting: Expecting) -> None:
    expecting.scene.run("pub mqtt:a 1")
    expecting.scene.run("pub kafka:orders 1 -k o-1")
    where = conditions({"key": "o-2"})
    failure = expecting.fail(in_order(Came(Watch("mqtt", "a", "filter")), Came(ORDERS, where)))
    assert failure.seen == "the first 1 of 2"
    assert failure.nearest is not None
    assert [str(each) for each in failure.nearest.differences] == ['key: expected "o-2", not "o-1"']


# States ---------------------------------------------------------------------------------------


def test_a_group_is_waited_for_until_it_has_committed(expecting: Expecting) -> None:
    scene = expecting.scene
    scene.run("pub kafka:orders[0] 1 -n 3")
    scene.join("billing", "svc", {"orders": [0]})[0].vanish()
    scene.advance(11)
    expecting.begin(GroupAt("billing", topic="orders"))
    assert expecting.outcomes == []
    scene.run("group reset billing kafka:orders --to end")
    scene.advance(0.1)
    assert expecting.outcomes[0].ok


def test_a_group_behind_says_by_how_much(expecting: Expecting) -> None:
    scene = expecting.scene
    scene.run("pub kafka:orders[0] 1 -n 3")
    scene.join("billing", "svc", {"orders": [0]})[0].vanish()
    scene.advance(11)
    scene.run("group reset billing kafka:orders --to begin")
    failure = expecting.fail(GroupAt("billing"))
    assert failure.seen.startswith("lag 3, empty")
    assert failure.about == "billing"


def test_a_queue_is_waited_for_until_it_is_empty(expecting: Expecting) -> None:
    scene = expecting.scene
    scene.run("queue add q")
    scene.run("pub queue:q 1 -n 2")
    expecting.begin(Drained("q"))
    scene.advance(1)
    assert expecting.outcomes == []
    scene.run("queue purge q -y")
    scene.advance(0.1)
    assert expecting.outcomes[0].ok


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        (Drained("nope"), "there is no such queue"),
        (Consumers("nope"), "there is no such queue"),
        (GroupAt("nope"), "there is no such group"),
        (Client("nope"), "0 of that name connected"),
    ],
)
def test_what_does_not_exist_is_named(expecting: Expecting, expected: Any, seen: str) -> None:
    assert expecting.fail(expected).seen == seen


def test_clients_come_and_go(expecting: Expecting) -> None:
    expecting.begin(Client("dev-*", protocol="mqtt"))
    client = expecting.scene.mqtt_client("dev-7")
    expecting.scene.advance(0.1)
    assert expecting.outcomes.pop().ok
    expecting.begin(Client("dev-*", connected=False))
    assert expecting.outcomes == []
    client.vanish()
    expecting.scene.advance(0.1)
    assert expecting.outcomes.pop().ok


def test_a_fault_is_waited_for_until_it_fires(expecting: Expecting) -> None:
    scene = expecting.scene
    scene.run("fault add drop topic:a")
    expecting.begin(FaultHit("1"))
    scene.advance(1)
    scene.faults.ask([Row("mqtt", IN, "PUBLISH", destination="a")], (set(), False))
    scene.advance(0.1)
    assert expecting.outcomes[0].ok


def test_clients_are_looked_for_by_name_and_not_by_their_views(
    expecting: Expecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = expecting.scene
    scene.mqtt_client("dev-7")
    scene.ask(scene.kafka_client(), MetadataRequest(topics=[]), 9, "svc")
    scene.amqp_client()
    for broker in scene.brokers.values():
        assert list(broker.clients()) == [view.client for view in broker.connections()]
        monkeypatch.setattr(broker, "connections", None)
    for name, protocol, connected in (("dev-*", "mqtt", True), ("svc", "", True), ("x", "", False)):
        expecting.begin(Client(name, connected, protocol))
        assert expecting.outcomes.pop().ok


def test_a_fault_that_there_is_not_is_refused(expecting: Expecting) -> None:
    with pytest.raises(InvalidInput, match="there is no fault 9"):
        expecting.begin(FaultHit("9"))


def test_lint_is_clean_until_a_client_breaks_its_protocol(expecting: Expecting) -> None:
    scene = expecting.scene
    # A keep alive of 0 is legal: a warning.
    scene.mqtt_client("dev-6")
    expecting.begin(LintClean())
    assert expecting.outcomes.pop().ok
    scene.mqtt_client("dev-7").send(b"\xf0\x00")
    expecting.begin(LintClean())
    assert expecting.failure().seen.count("dev-7: ") == 1, "it is a finding and an event"
    scene.run("lint clear")
    expecting.outcomes.clear()
    expecting.begin(LintClean())
    assert expecting.outcomes.pop().ok


DUP_OF_QOS_0 = bytes.fromhex("38 03 0001 61")
"""MQTT-3.3.1-2: it is served all the same."""


def test_a_lint_that_is_served_counts_again_behind_lint_clear(expecting: Expecting) -> None:
    client = expecting.scene.mqtt_client("dev-7")
    for _ in range(2):
        # The second one is no event: those are one a connection and statement.
        client.send(DUP_OF_QOS_0)
        expecting.begin(LintClean())
        assert expecting.failure().seen == "dev-7: PUBLISH: DUP with QoS 0"
        expecting.scene.run("lint clear")
        expecting.outcomes.clear()


def test_a_violation_of_what_lint_does_not_list_counts_until_a_reset(expecting: Expecting) -> None:
    scene = expecting.scene
    scene.networks["kafka"].connect().send(b"\xff\xff\xff\xff")
    assert scene.run("lint ls").records == []
    expecting.begin(LintClean())
    assert expecting.failure().seen.startswith("a client without a name: ")
    expecting.outcomes.clear()
    scene.reset()
    expecting.begin(LintClean())
    assert expecting.outcomes.pop().ok


def test_a_lint_stays_found_whatever_happens_behind_it(expecting: Expecting) -> None:
    scene = expecting.scene
    scene.mqtt_client("dev-7").send(b"\xf0\x00")
    for number in range(scene.spine.history.maxlen or 0):
        scene.spine.emit(LintFound("mqtt", 1, f"dev-{number}", "risky", "risky", "warning"))
        scene.mqtt.findings.add(f"dev-{number}", "risky", "risky", "warning")
    expecting.begin(LintClean())
    assert "dev-7" in expecting.failure().seen
    expecting.outcomes.clear()
    expecting.begin(LintClean(warnings=True))
    assert len(expecting.failure().seen) < 1_000


# What a failure says --------------------------------------------------------------------------


def test_the_nearest_message_is_shown_with_what_differs(expecting: Expecting) -> None:
    expecting.scene.run('pub kafka:orders {"id": 7, "total": 1} -k o-7')
    expecting.scene.run('pub kafka:orders {"id": 1, "total": 5} -k o-1')
    failure = expecting.fail(
        Came(ORDERS, conditions({"key": "o-1", "value": {"id": 1, "total": 10}}))
    )
    assert failure.nearest is not None
    assert failure.nearest.payload == '{"id": 1, "total": 5}'
    assert [str(each) for each in failure.nearest.differences] == [
        "value.total: expected 10, not 5"
    ]
    assert "value.total: - 10\n                       + 5" in failure.as_text()


def test_the_right_message_in_the_wrong_place_is_nearer_than_a_wrong_one(
    expecting: Expecting,
) -> None:
    expecting.scene.run('pub kafka:orders {"id": 9, "total": 9, "paid": 1}')
    expecting.scene.run('pub mqtt:orders {"id": 1, "total": 10, "paid": 0}')
    wanted = conditions({"value": {"id": 1, "total": 10, "paid": 0}})
    failure = expecting.fail(Came(ORDERS, wanted))
    assert failure.nearest is not None
    assert [str(each) for each in failure.nearest.differences] == [
        "to: expected kafka:orders, not mqtt:orders"
    ]


@pytest.mark.parametrize(
    ("line", "queue", "named"),
    [
        ("pub amqp:amq.topic/mails hi", "mails", True),
        ("pub amqp:amq.topic/mails hi", "mail*", False),
        ("queue add mails", "mails", False),
    ],
)
def test_a_queue_that_is_not_there_is_named(
    expecting: Expecting, line: str, queue: str, named: bool
) -> None:
    expecting.scene.run(line)
    suggestion = expecting.fail(Came(Watch("amqp", queue, "queue"))).suggestion
    said = "there is no queue mails: who declares it, and is that done before?"
    assert (suggestion == said) is named


def test_a_name_that_is_nearly_right_is_suggested(expecting: Expecting) -> None:
    expecting.scene.run("pub kafka:order.created 1 -n 3")
    failure = expecting.fail(Came(Watch("kafka", "orders.created", "topic")))
    assert failure.suggestion == "3 came to kafka:order.created: is that the name that was meant?"
    assert failure.came == (("kafka:order.created", 3),)


def test_nobody_connected_is_the_first_thing_to_say(expecting: Expecting) -> None:
    failure = expecting.fail(Came(Watch("mqtt", "a", "filter")))
    assert "nobody is connected to MQTT (mqtt://" in failure.suggestion
    assert "connected nobody" in failure.as_text()


def test_what_came_before_messages_were_kept_is_said(expecting: Expecting) -> None:
    expecting.scene.record.stop()
    expecting.scene.run("pub kafka:orders 1")
    expecting.scene.record.start()
    failure = expecting.fail(Came(ORDERS))
    assert "--keep-messages N keeps those before" in failure.suggestion


def test_who_is_connected_and_which_faults_are_live_is_said() -> None:
    text = Expecting(furnished=True).fail(Came(Watch("mqtt", "z", "filter"))).as_text()
    assert "dev-7 (mqtt)" in text
    assert "1: delay client:nobody, 0 hits of 0 matches" in text


def test_hostile_names_and_payloads_cannot_reach_the_terminal(expecting: Expecting) -> None:
    expecting.scene.mqtt_client("\x1b[31mred")
    expecting.scene.run('pub kafka:orders "\\x1b[2J"')
    text = expecting.fail(Came(ORDERS, conditions({"key": "\x1b[0m"}))).as_text()
    assert "\x1b" not in text


# The record -----------------------------------------------------------------------------------


def test_nothing_is_kept_before_it_is_asked_for() -> None:
    scene = Scene(furnished=False)
    record = Record(scene.brokers)
    scene.run("pub kafka:orders 1")
    assert record.newest == 0
    record.start()
    scene.run("pub kafka:orders 1")
    assert record.newest == 1


def test_what_was_too_many_to_be_kept_is_counted_and_said() -> None:
    expecting = Expecting()
    scene = expecting.scene
    scene.record.stop()
    scene.record = Record(scene.brokers, most=2)
    scene.record.start()
    scene.run("pub kafka:orders 1 -n 5")
    assert scene.record.lost(0) == 3
    failure = expecting.fail(Came(ORDERS, conditions({"key": "x"})))
    assert failure.seen == "none (3 messages were too many to be kept)"
    assert "--keep-messages" in failure.suggestion


def test_clearing_forgets_and_goes_on_counting(expecting: Expecting) -> None:
    scene = expecting.scene
    scene.run("pub kafka:orders 1 -n 2")
    scene.record.clear()
    assert list(scene.record.since(0)) == []
    scene.run("pub kafka:orders 1")
    assert [each.number for each in scene.record.since(0)] == [3]
    assert scene.record.lost(0) == 0


def test_a_message_has_its_protocols_own_words(expecting: Expecting) -> None:
    scene = expecting.scene
    scene.run('pub kafka:orders[1] {"id": 1} -k o-1 -H trace=t')
    scene.run("pub mqtt:a 21.5 -q 1 -r")
    scene.run("pub amqp:amq.topic/x.y hi --prop correlation-id=c1")
    kafka, mqtt, amqp = scene.record.since(0)
    assert (kafka.topic, kafka.key, kafka.partition, kafka.offset) == ("orders", "o-1", 1, 0)
    assert kafka.headers == {"trace": "t"}
    assert kafka.json == {"id": 1}
    assert kafka.exchange is None
    assert (mqtt.topic, mqtt.qos, mqtt.retain, mqtt.value) == ("a", 1, True, 21.5)
    assert mqtt.key is None
    assert (amqp.exchange, amqp.routing_key, amqp.text) == ("amq.topic", "x.y", "hi")
    assert amqp.properties["correlation_id"] == "c1"
    assert amqp.topic is None


def test_a_group_is_behind_where_it_has_committed_nothing(expecting: Expecting) -> None:
    scene = expecting.scene
    for partition in range(2):
        scene.run(f"pub kafka:orders[{partition}] 1 -n 3")
    scene.join("billing", "svc", {"orders": [0, 1]})[0].vanish()
    scene.advance(11)
    scene.run("group reset billing kafka:orders[0] --to end")
    failure = expecting.fail(GroupAt("billing"))
    assert failure.seen == "lag 3, empty with 0 members; nothing is committed in orders p1"
    expecting.outcomes.clear()
    scene.run("group reset billing kafka:orders --to end")
    expecting.begin(GroupAt("billing", topic="orders"))
    assert expecting.outcomes[0].ok


def test_of_a_group_with_members_only_their_partitions_count(expecting: Expecting) -> None:
    scene = expecting.scene
    for partition in range(3):
        scene.run(f"pub kafka:orders[{partition}] 1")
    client, member = scene.join("billing", "svc", {"orders": [0, 1]})
    request = OffsetCommitRequest(
        group_id="billing",
        generation_id_or_member_epoch=1,
        member_id=member,
        topics=[
            OffsetCommitRequestTopic(
                name="orders",
                partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=1)],
            )
        ],
    )
    scene.ask(client, request, 2, "svc")
    expecting.begin(GroupAt("billing", lag=0, within=0))
    assert expecting.failure().seen == (
        "lag 1, stable with 1 members; nothing is committed in orders p1"
    )


def fetch(scene: Scene, client: Any, offset: int) -> None:
    part = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1_000_000)
    topic = FetchTopic(topic="orders", partitions=[part])
    scene.ask(client, FetchRequest(max_wait_ms=0, min_bytes=1, topics=[topic]), 11, "svc")


@pytest.mark.parametrize(
    ("start", "lag", "after"),
    [(0, "lag 3", "lag 4"), (3, "lag 0", "lag 1")],
    ids=["earliest", "latest"],
)
def test_a_group_that_has_committed_nothing_is_behind_by_what_came_since_it_reads(
    expecting: Expecting, start: int, lag: str, after: str
) -> None:
    """librdkafka commits what it got, and nothing where there was nothing to get."""
    scene = expecting.scene
    scene.run("topic add orders -p 1")
    scene.run("pub kafka:orders 1 -n 3")
    client, _ = scene.join("billing", "svc", {"orders": [0]})
    expected = GroupAt("billing", within=0)
    expecting.begin(expected)
    assert "committed nothing" in expecting.failure().seen, "nobody knows where it begins"
    for offset, seen in ((start, lag), (3, lag), (3, after)):
        if seen == after:
            scene.run("pub kafka:orders 1")
        expecting.outcomes.clear()
        fetch(scene, client, offset)
        waiting = expecting.begin(expected)
        assert waiting.seen.startswith(f"{seen}, stable with 1 members")
        assert expecting.outcomes[0].ok is (seen == "lag 0")
    expecting.outcomes.clear()
    expecting.begin(GroupAt("billing", topic="typo", within=0))
    assert not expecting.outcomes[0].ok


def test_of_clients_of_one_name_those_elsewhere_are_others_and_those_beside_it_are_named(
    expecting: Expecting,
) -> None:
    scene = expecting.scene
    scene.run("topic add orders -p 1")
    scene.run("pub kafka:orders 1 -n 3")
    member, _ = scene.join("billing", "svc", {"orders": [0]})
    fetch(scene, member, 3)
    elsewhere = scene.kafka_client()
    elsewhere.peer.address = "10.0.0.9:50000"
    fetch(scene, elsewhere, 0)
    expecting.begin(GroupAt("billing", within=0))
    assert expecting.outcomes.pop().ok, "it has no more to read"
    fetch(scene, scene.kafka_client(), 0)
    expecting.begin(GroupAt("billing", within=0))
    assert expecting.failure().seen == (
        "lag 3, stable with 1 members; nothing is committed in orders p0; several clients are"
        " called svc, give each its own client.id"
    )


def test_a_queue_has_consumers_as_many_as_are_asked_for(expecting: Expecting) -> None:
    scene = expecting.scene
    scene.run("queue add q")
    client = scene.amqp_client()
    for count in range(3):
        for least, most, met in ((1, None, count >= 1), (2, 2, count == 2), (0, 0, count == 0)):
            expecting.outcomes.clear()
            asked = asked_of(Consumers("q", least, most, 0))
            expecting.begin(expectation_of(asked, Scope(Random(0), lambda: 0.0)))
            assert expecting.outcomes[0].ok is met, (count, least, most)
        client.send("basic.consume", queue="q", consumer_tag=f"c{count}")
    expecting.outcomes.clear()
    failure = expecting.fail(Consumers("q", 5))
    assert failure.expected == "at least 5 consumers of queue q within 5s"
    assert failure.seen == "3 consumers"
    assert scene.run("expect consumers q -n 3").ok
    assert "not both" in scene.refused("expect consumers q -n 1 --least 1").as_text()


# What is kept ---------------------------------------------------------------------------------


def test_the_record_counts_keys_and_headers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockforge_tui.expectations.record.MOST_BYTES", 100_000)
    scene = Scene(furnished=False)
    for number in range(20):
        scene.kafka.publish("t", b"", key=b"k" * 5_000, headers=[("h", b"v" * 5_000)])
        assert scene.record.newest == number + 1
    assert 5 < len(scene.record.last(100)) < 12
    assert scene.record.lost(0) == 20 - len(scene.record.last(100))


def test_who_lets_more_messages_be_kept_lets_more_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockforge_tui.expectations.record.MOST", 10)
    monkeypatch.setattr("mockforge_tui.expectations.record.MOST_BYTES", 8_000)
    scene = Scene(furnished=False)
    fewer, more = Record(scene.brokers, most=5), Record(scene.brokers, most=100)
    for record in (fewer, more):
        record.start()
    scene.run("pub kafka:orders[0] 1 -n 100")
    assert len(fewer.last(200)) == 5
    assert 90 <= len(more.last(200)) <= 100
    assert more.lost(0) == 100 - len(more.last(200))


def test_a_message_larger_than_the_record_is_there_for_who_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mockforge_tui.expectations.record.MOST_BYTES", 1_000)
    expecting = Expecting()
    seen: list[int] = []
    record = expecting.scene.record
    record.watch(lambda: seen.extend(each.number for each in record.last(1)))
    expecting.begin(Came(ORDERS, least=2))
    for _ in range(2):
        expecting.scene.run(f"pub kafka:orders {'x' * 2_000}")
        expecting.scene.advance(0)
    assert seen == [1, 2]
    assert expecting.outcomes[0].ok


def test_who_looks_at_the_newest_goes_past_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Scene(furnished=False).record

    class Counted(deque[Any]):
        looked_at = 0

        def __reversed__(self) -> Iterator[Any]:
            for each in super().__reversed__():
                self.looked_at += 1
                yield each

        def __iter__(self) -> Iterator[Any]:
            raise AssertionError("from the older end")

    monkeypatch.setattr(record, "_messages", Counted())
    for number in range(500):
        record._see(MessageSeen("mqtt", 0.0, "t", None, b"%d" % number, (), "c", {}))
    messages: Any = record._messages
    assert [each.text for each in record.since(498)] == ["498", "499"]
    assert [each.text for each in record.last(1)] == ["499"]
    assert messages.looked_at == 3
    assert list(record.since(500)) == record.last(0) == []
