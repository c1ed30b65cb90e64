"""The situations in which a consumer gets nothing, and what `why` says of each."""

import re

import pytest
from brokers.fake_peer import FakeClient
from brokers.misbehaving import Waiting
from mockforge_brokers.events import FaultFired
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest, MetadataRequestTopic
from mockforge_brokers.kafka.wire.messages.groups import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    TopicPartition,
)
from mockforge_brokers.kafka.wire.messages.logs import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from mockforge_brokers.kafka.wire.messages.producers import InitProducerIdRequest
from mockforge_brokers.kafka.wire.messages.transactions import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe

from .scene import Scene


def scene(**options: object) -> Scene:
    made = Scene(furnished=False, **options)  # type: ignore[arg-type]
    made.run("topic add orders -p 1")
    made.run("pub kafka:orders x -n 7")
    return made


def causes(made: Scene, about: str) -> list[str]:
    return [each["cause"] for each in made.run(f"why {about}").data["findings"]]


def said(made: Scene, about: str) -> str:
    return made.run(f"why {about}").text.splitlines()[0]


def fetch(made: Scene, client: FakeClient, topic: str, offset: int, name: str) -> None:
    part = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=0, min_bytes=1, topics=[FetchTopic(topic=topic, partitions=[part])]
    )
    made.ask(client, request, 11, name)


# Kafka ------------------------------------------------------------------------------------------


def test_a_topic_in_another_case_is_named_with_the_right_one() -> None:
    made = scene()
    made.join("billing", "order-svc", {"Orders": []})
    assert causes(made, "order-svc") == ["topic-name"]
    assert said(made, "order-svc") == (
        "order-svc reads Orders, which does not exist, while orders got 7 records: "
        "names are case-sensitive, subscribe to orders"
    )
    made.run("topic add Orders")
    assert "Orders, which is empty" in said(made, "billing")


def test_a_topic_that_metadata_was_asked_for_in_vain_is_named() -> None:
    made = scene()
    client = made.kafka_client()
    asked = MetadataRequest(
        topics=[MetadataRequestTopic(name="oders")], allow_auto_topic_creation=False
    )
    made.ask(client, asked, 4, "reader")
    assert "reader reads oders, which does not exist, while orders got" in said(made, "reader")


def test_a_group_at_the_end_is_told_so() -> None:
    made = scene()
    made.kafka.reset_offsets("billing", "orders", {0: 7})
    made.time.advance(10)
    client, _ = made.join("billing", "order-svc", {"orders": [0]})
    fetch(made, client, "orders", 7, "order-svc")
    assert causes(made, "order-svc") == ["at-the-end"]
    assert said(made, "order-svc") == (
        "order-svc has nothing left to read: billing is at the end of orders p0 (7 of 7), so "
        "produce something new, or group reset billing kafka:orders --to begin "
        "(while it has no members)"
    )
    client.vanish()
    made.advance(11)
    assert causes(made, "billing") == ["no-members", "at-the-end"]


def test_who_was_sent_all_and_has_not_committed_it_is_not_at_the_end() -> None:
    made = scene()
    made.kafka.reset_offsets("billing", "orders", {0: 5})
    made.time.advance(10)
    client, _ = made.join("billing", "order-svc", {"orders": [0]})
    fetch(made, client, "orders", 7, "order-svc")
    assert causes(made, "order-svc") == ["uncommitted"]
    assert said(made, "order-svc") == (
        "order-svc was sent all of orders p0, and billing committed 5 of 7: it still has what is "
        "between (records, or only ends of transactions), is paused or busy, or does not commit"
    )


def test_latest_on_an_old_topic_is_told_from_a_group_at_the_end() -> None:
    made = scene()
    client, member = made.join("billing", "order-svc", {"orders": [0]})
    fetch(made, client, "orders", 7, "order-svc")
    assert causes(made, "order-svc") == ["latest"]
    assert (
        "auto.offset.reset is latest, so 7 older records are not for it; set it to earliest"
        in said(made, "order-svc")
    )
    # It stays so once the client has committed the position that it began with.
    made.time.advance(5)
    commit = OffsetCommitRequest(
        group_id="billing",
        generation_id_or_member_epoch=1,
        member_id=member,
        topics=[
            OffsetCommitRequestTopic(
                name="orders",
                partitions=[
                    OffsetCommitRequestPartition(
                        partition_index=0, committed_offset=7, committed_metadata=""
                    )
                ],
            )
        ],
    )
    made.ask(client, commit, 7, "order-svc")
    assert made.kafka.groups()[0].lag == 0
    assert causes(made, "billing") == ["latest"]


def test_a_consumer_without_a_group_that_began_at_the_end() -> None:
    made = scene()
    client = made.kafka_client()
    fetch(made, client, "orders", 7, "assigned")
    assert causes(made, "assigned") == ["latest"]
    other = made.kafka_client()
    fetch(made, other, "orders", 0, "reader")
    fetch(made, other, "orders", 7, "reader")
    assert causes(made, "reader") == ["at-the-end"]


def two_members(made: Scene) -> None:
    """order-svc leads billing and takes the only partition; late gets none."""
    wish = b"\0\0" + encode(ConsumerProtocolSubscription(topics=["orders"]), 0)

    def join(member: str) -> JoinGroupRequest:
        return JoinGroupRequest(
            group_id="billing",
            session_timeout_ms=10_000,
            rebalance_timeout_ms=60_000,
            member_id=member,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=wish)],
        )

    leader, leader_id = made.join("billing", "order-svc", {"orders": [0]})
    late = made.kafka_client()
    assert made.ask(late, join(""), 2, "late") is None
    assert causes(made, "late") == ["rebalancing"]
    generation = made.ask(leader, join(leader_id), 2, "order-svc").generation_id
    made.settle()
    late_id = next(m.member for m in made.kafka.groups()[0].detail["members"] if m.client == "late")
    mine = b"\0\0" + encode(
        ConsumerProtocolAssignment(
            assigned_partitions=[TopicPartition(topic="orders", partitions=[0])]
        ),
        0,
    )
    for client, member, name in ((leader, leader_id, "order-svc"), (late, late_id, "late")):
        client.take()
        assignments = [SyncGroupRequestAssignment(member_id=leader_id, assignment=mine)]
        request = SyncGroupRequest(
            group_id="billing",
            generation_id=generation,
            member_id=member,
            assignments=assignments if client is leader else [],
        )
        made.ask(client, request, 0, name)


def test_a_member_whose_partition_another_one_holds() -> None:
    made = scene()
    two_members(made)
    assert causes(made, "late") == ["no-partition"]
    assert said(made, "late") == (
        "late has no partition: orders has 1 partition, held by order-svc, and billing has "
        "2 members; topic grow orders -p 2, or run fewer members"
    )


def test_a_member_without_a_partition_of_an_empty_topic_hears_of_both() -> None:
    made = Scene(furnished=False)
    made.run("topic add orders -p 1")
    two_members(made)
    assert causes(made, "late") == ["topic-empty", "no-partition"]
    assert causes(made, "order-svc") == ["topic-empty"]


def test_a_member_that_does_not_poll_is_told_from_one_that_reads() -> None:
    made = scene()
    client, _ = made.join("billing", "order-svc", {"orders": [0]})
    assert causes(made, "order-svc") == ["never-fetched"]
    assert said(made, "order-svc") == (
        "order-svc has never fetched orders p0, which has records for it: it must poll; where its "
        "auto.offset.reset is none, it does not know where to begin: billing has committed nothing "
        "there"
    )
    fetch(made, client, "orders", 3, "order-svc")
    assert causes(made, "order-svc") == ["behind"]
    assert "4 records of orders p0 wait for order-svc" in said(made, "order-svc")


def test_a_member_whose_offset_a_transaction_would_move_waits_for_it() -> None:
    made = scene()
    producer = made.kafka_client()
    init = InitProducerIdRequest(transactional_id="pay", transaction_timeout_ms=60_000)
    got = made.ask(producer, init, 4, "pay-svc")
    offset = TxnOffsetCommitRequestPartition(
        partition_index=0, committed_offset=3, committed_metadata=None
    )
    commit = TxnOffsetCommitRequest(
        transactional_id="pay",
        group_id="billing",
        producer_id=got.producer_id,
        producer_epoch=got.producer_epoch,
        topics=[TxnOffsetCommitRequestTopic(name="orders", partitions=[offset])],
    )
    made.ask(producer, commit, 5, "pay-svc")
    made.join("billing", "order-svc", {"orders": [0]})
    made.advance(4)
    assert causes(made, "order-svc") == ["unstable-offset"]
    assert said(made, "order-svc") == (
        "order-svc waits for the offset of orders p0 (UNSTABLE_OFFSET_COMMIT): the open "
        "transaction of pay, begun 4s ago by pay-svc would commit 3; its producer must commit or "
        "abort, or txn abort pay"
    )
    made.run("txn abort pay")
    assert causes(made, "order-svc") == ["never-fetched"]


# MQTT -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic_filter", "hint"),
    [
        ("Sensors/+/temp", "sensors/room1/temp differs in case"),
        ("sensors", "a wildcard is missing; subscribe to sensors/#"),
        ("sensors/room1", "a wildcard is missing; subscribe to sensors/room1/#"),
        ("sensors/+/hum", "sensors/room1/temp has 'temp' where the filter has 'hum'"),
        ("/sensors/room1/temp", "a slash at its beginning or end"),
        ("sensors/room1/temp ", "by spaces"),
        ("$share/g/Sensors/#", "differs in case"),
    ],
)
def test_a_filter_that_nearly_matches_is_told_what_differs(topic_filter: str, hint: str) -> None:
    made = Scene(furnished=False)
    made.mqtt_client("hmi", topic_filter)
    made.run("pub mqtt:sensors/room1/temp 21")
    assert causes(made, "hmi") == ["filter"]
    assert f"hmi subscribes to {topic_filter}, which matches nothing published" in said(made, "hmi")
    assert hint in said(made, "hmi")
    assert hint in said(made, "mqtt:sensors/room1/temp")


def test_two_clients_with_one_client_id() -> None:
    made = Scene(furnished=False)
    for _ in range(3):
        made.mqtt_client("dev-7", "a/#")
        made.time.advance(1)
    made.run("pub mqtt:a/b 1")
    # What each takeover makes of the session is no other cause.
    assert causes(made, "dev-7") == ["taken-over"]
    assert said(made, "dev-7") == (
        "another connection took over the client id dev-7 2 times, last 1s ago: "
        "the two put each other out, give each its own client id"
    )


def test_qos_0_while_the_client_was_away() -> None:
    made = Scene(furnished=False)
    made.mqtt_leave(made.mqtt_client("dev-7", "a/#", clean=False))
    made.run("pub mqtt:a/b 1 -n 2")
    made.run("pub mqtt:a/b kept -q 1")
    assert causes(made, "dev-7") == ["qos-0-while-away", "gone"]
    assert said(made, "dev-7") == (
        "2 messages of QoS 0 came while dev-7 was away, which nobody keeps: publish with QoS 1"
    )
    made.mqtt_client("dev-7", clean=False)
    assert causes(made, "dev-7") == ["qos-0-while-away"]


def test_a_subscription_of_qos_0_makes_all_of_it_qos_0() -> None:
    made = Scene(furnished=False)
    made.mqtt_leave(made.mqtt_client("dev-7", "a/#", qos=0, clean=False))
    made.run("pub mqtt:a/b 1 -q 1")
    assert "subscribe to a/# with QoS 1" in said(made, "dev-7")


def test_a_clean_session_keeps_nothing() -> None:
    made = Scene(furnished=False)
    made.mqtt_leave(made.mqtt_client("dev-7", "a/#"))
    made.time.advance(3)
    made.run("pub mqtt:a/b 1 -q 1")
    assert causes(made, "dev-7") == ["no-session", "gone"]
    assert "its session ended 3s ago" in said(made, "dev-7")
    made.mqtt_client("dev-7", "a/#")
    assert causes(made, "dev-7") == ["clean-session"]


def test_a_client_that_does_not_acknowledge() -> None:
    made = Scene(furnished=False)
    client = made.networks["mqtt"].connect()
    client.send(encode_packet(Connect("slow", 5, properties={"receive_maximum": 1}), 5))
    client.send(encode_packet(Subscribe(1, [Request("a", 1)]), 5))
    made.run("pub mqtt:a 1 -q 1 -n 3")
    assert causes(made, "slow") == ["unacknowledged"]


def test_a_shared_subscription_gives_to_another_member() -> None:
    made = Scene(furnished=False)
    made.mqtt_client("one", "$share/g/a")
    made.mqtt_client("two", "$share/g/a")
    made.run("pub mqtt:a 1")
    assert causes(made, "one") == ["shared"]


# AMQP -------------------------------------------------------------------------------------------


def test_a_queue_whose_routing_key_is_wrong() -> None:
    made = Scene(furnished=False)
    made.run("exchange add events --type topic")
    made.run("queue add q.mail")
    made.run("bind events q.mail order.*")
    made.run("pub amqp:events/orders.paid x")
    assert causes(made, "q.mail") == ["routing-key"]
    assert said(made, "q.mail") == (
        "nothing reached q.mail: it is bound to events by order.*, but what is published there has "
        "orders.paid; publish by a key that matches, or bind events q.mail orders.paid"
    )
    made.run("queue add q.other")
    made.run("bind events q.other orders.#")
    made.run("pub amqp:events/orders.paid x")
    assert causes(made, "q.mail") == ["routing-key"]
    assert causes(made, "events") == ["unroutable"]
    assert "the nearest is order.*" in said(made, "amqp:events/order")


def test_the_routing_key_that_was_probably_meant_comes_first() -> None:
    made = Scene(furnished=False)
    made.run("exchange add events --type topic")
    made.run("queue add q.mail")
    made.run("bind events q.mail order.created")
    for key in ("order.Created", "full.x"):
        made.run(f"pub amqp:events/{key} x")
    assert said(made, "q.mail") == (
        "nothing reached q.mail: it is bound to events by order.created, but what is published "
        "there has order.Created, full.x (keys are case-sensitive); publish by a key that matches, "
        "or bind events q.mail order.Created"
    )


@pytest.mark.parametrize(
    ("kind", "binding", "key", "cause"),
    [
        ("fanout", "", "k", "bound-later"),
        ("direct", "k", "k", "bound-later"),
        ("direct", "k", "K", "routing-key"),
        ("topic", "order.*", "order.paid", "bound-later"),
        ("topic", "order.#", "order", "bound-later"),
        ("topic", "#.paid", "paid", "bound-later"),
        ("topic", "#", "", "bound-later"),
        ("topic", "order.*", "order.paid.now", "routing-key"),
        ("headers", "", "k", "headers"),
    ],
)
def test_what_an_exchange_got_and_a_queue_did_not(
    kind: str, binding: str, key: str, cause: str
) -> None:
    made = Scene(furnished=False)
    made.run(f"exchange add x --type {kind}")
    made.amqp.publish("x", key, b"1")
    made.run("queue add q")
    made.run(
        f'bind x q "{binding}" --arg color=red' if kind == "headers" else f'bind x q "{binding}"'
    )
    assert causes(made, "q") == [cause]


def test_a_route_that_reaches_queues_is_told_what_keeps_it_there() -> None:
    made = Scene()
    assert causes(made, "amqp:events/order.paid") == ["no-consumer"]
    assert "q.inv holds" in said(made, "amqp:events/order.paid")
    assert causes(made, "amqp:/q.inv") == ["no-consumer"]
    assert causes(made, "amqp:events/nope") == ["routing-key"]


def test_a_route_goes_over_exchanges_that_are_bound_to_exchanges() -> None:
    made = Scene()
    made.run("exchange add inner --type fanout")
    made.run("exchange add outer --type direct")
    made.run("bind outer inner key --to-exchange")
    made.run("bind inner q.inv")
    assert causes(made, "amqp:outer/key") == ["no-consumer"]
    assert causes(made, "amqp:outer/nope") == ["routing-key"]


def test_a_binding_key_of_many_wildcards_holds_nobody_up() -> None:
    made = Scene(furnished=False)
    made.run("queue add q")
    made.run("exchange add events --type topic")
    made.run(f"bind events q {'#.' * 100}x")
    made.run(f"pub amqp:events/{'a.' * 100}y 1")
    assert causes(made, "q") == ["routing-key"]
    assert causes(made, f"amqp:events/{'a.' * 100}y") == ["routing-key"]


def test_a_queue_that_is_bound_to_nothing() -> None:
    made = Scene(furnished=False)
    made.run("queue add q.mail")
    made.run("exchange add events")
    made.run("pub amqp:events/q.mail x")
    assert causes(made, "q.mail") == ["unbound"]
    assert said(made, "q.mail") == (
        "q.mail is bound to no exchange, so only the default exchange reaches it, with the "
        "routing key q.mail: bind EXCHANGE q.mail KEY"
    )
    assert causes(made, "events") == ["unbound-exchange"]


def consumers(made: Scene, count: int, prefetch: int = 0) -> list[str]:
    """So many consumers of q.mail on connections of their own; returns the clients' names."""
    for number in range(count):
        client = made.amqp_client()
        if prefetch:
            client.send("basic.qos", prefetch_count=prefetch)
        client.send("basic.consume", queue="q.mail", consumer_tag=f"t{number}", arguments={})
    return [each.client for each in made.session.connections()]


def test_a_prefetch_that_unacknowledged_messages_have_used_up() -> None:
    made = Scene(furnished=False)
    made.run("queue add q.mail")
    (client, *_) = consumers(made, 1, prefetch=2)
    made.run("pub queue:q.mail x -n 5")
    number = made.session.connections()[0].id
    for about in ("q.mail", f"c{number}"):
        assert causes(made, about) == ["prefetch"]
        assert said(made, about) == (
            f"consumer t0 of {client} (c{number}) holds 2 unacked messages of q.mail, all that its "
            "prefetch of 2 allows, and 3 wait: it must acknowledge them, or have a larger prefetch"
        )


def test_another_consumer_that_took_it() -> None:
    made = Scene(furnished=False)
    made.run("queue add q.mail")
    consumers(made, 2)
    made.run("pub queue:q.mail x")
    first, second = made.session.connections()
    text = said(made, f"c{second.id}")
    assert causes(made, f"c{second.id}") == ["other-consumer"]
    assert text == (
        "q.mail has 2 consumers and gives each message to one of them: consumer t0 of "
        f"{first.client} (c{first.id}) got 1; stop the other one, or bind a queue of its own to "
        "each"
    )
    # Who took it all lacks nothing.
    assert causes(made, f"c{first.id}") == []


def test_tags_that_nobody_chose_are_left_out() -> None:
    made = Scene(furnished=False)
    made.run("queue add q.mail")
    client = made.amqp_client()
    client.send("basic.qos", prefetch_count=1)
    tag = "ctag1.3fd86324b7c74ab2a52b774c7d445932"
    client.send("basic.consume", queue="q.mail", consumer_tag=tag, arguments={})
    made.run("pub queue:q.mail x -n 2")
    (view,) = made.session.connections()
    assert said(made, "q.mail").startswith(f"{view.client} (c{view.id}) holds 1 unacked message")


def test_a_consumer_that_stands_by_for_the_single_active_one() -> None:
    made = Scene(furnished=False)
    made.run("queue add q.mail --arg x-single-active-consumer=true")
    consumers(made, 2)
    made.run("pub queue:q.mail x")
    first, second = made.session.connections()
    assert causes(made, f"c{second.id}") == ["single-active"]
    assert f"now consumer t0 of {first.client} (c{first.id}):" in said(made, f"c{second.id}")


def test_messages_that_the_queues_own_arguments_took() -> None:
    made = Scene(furnished=False)
    made.run("queue add q.short --ttl 1s --max 2")
    made.run("pub queue:q.short x -n 5")
    made.advance(2)
    found = causes(made, "q.short")
    assert found[:2] == ["expired", "dropped"]
    assert "3 messages of q.short are gone, since the queue was at its maximum length" in (
        made.run("why q.short").text
    )


def test_a_publisher_whose_messages_reach_no_queue_is_said_so_with_the_nearest_binding() -> None:
    made = Scene(furnished=False)
    for line in ("exchange add orders --type topic", "queue add q", "bind orders q order.created"):
        made.run(line)
    client = made.amqp_client()
    about = f"c{made.session.connections()[0].id}"
    client.publish("orders", "order.created", b"1")
    # It publishes what arrives, and need not consume.
    result = made.run(f"why {about}")
    assert "publishes, and consumes from no queue" in result.text
    assert [each["harmless"] for each in result.data["findings"]] == [True]
    for _ in range(2):
        client.publish("orders", "orders.created", b"2")
    assert causes(made, about) == ["unroutable"]
    text = said(made, about)
    assert "2 messages of " in text
    assert "no binding of orders matches orders.created: the nearest is order.created" in text
    made.run("bind orders q orders.created")
    client.publish("orders", "orders.created", b"3")
    assert "unroutable" not in causes(made, about)


def test_a_queue_without_a_consumer_and_a_client_that_does_not_consume() -> None:
    made = Scene(furnished=False)
    made.run("queue add q.mail")
    made.run("pub queue:q.mail x")
    assert causes(made, "q.mail") == ["no-consumer"]
    made.amqp_client()
    assert "must send basic.consume" in said(made, f"c{made.session.connections()[0].id}")


def produce(made: Scene, client: FakeClient, topic: str, batch: bytes, name: str) -> None:
    data = PartitionProduceData(index=0, records=batch)
    request = ProduceRequest(
        acks=-1, timeout_ms=0, topic_data=[TopicProduceData(name=topic, partition_data=[data])]
    )
    made.ask(client, request, 9, name)


@pytest.mark.parametrize(
    ("config", "key", "ahead", "expected"),
    [
        (
            "cleanup.policy=compact",
            None,
            0,
            "Produce of app was refused just now: events/0: .*message without key.*;"
            " give each record a key, or topic set TOPIC cleanup.policy=delete",
        ),
        (
            "retention.ms=-1",
            b"k",
            7200,
            r"events/0: .* invalid timestamp: Timestamp \d+ of message with offset 0 is"
            " out of range.*; send times in ms by a right clock, or topic set TOPIC"
            " message.timestamp.after.max.ms=N",
        ),
        (
            "max.message.bytes=10",
            b"k",
            0,
            r"events/0: the batch has \d+ bytes, max.message.bytes allows 10; send"
            " smaller batches .*, or topic set TOPIC max.message.bytes=N",
        ),
    ],
)
def test_why_a_producers_records_are_refused(
    config: str, key: bytes | None, ahead: int, expected: str
) -> None:
    made = scene()
    made.run(f"topic add events -p 1 --config {config}")
    client = made.kafka_client()
    now = int((made.environment.clock.wall() + ahead) * 1000)
    produce(made, client, "events", build_batch([Record(0, now, key, b"v")]), "app")
    assert re.search(expected, made.run("why app").text)


# What was refused, held or made to fail ----------------------------------------------------------


def test_a_channel_that_was_closed_for_an_acknowledgement_twice() -> None:
    made = Scene(furnished=False)
    client = made.amqp_client()
    client.send("basic.ack", delivery_tag=7)
    number = made.session.connections()[0].id
    assert causes(made, f"c{number}")[0] == "refused"
    assert "was closed just now (406): PRECONDITION_FAILED - unknown delivery tag 7" in said(
        made, f"c{number}"
    )


def test_a_queue_of_other_arguments_names_who_made_it() -> None:
    made = Scene(furnished=False)
    maker, other = made.amqp_client(), made.amqp_client()
    maker.send("queue.declare", queue="q", durable=True)
    first, second = made.session.connections()
    other.send("queue.declare", queue="q")
    expected = f"current is 'true' ({first.client} declared it with durable); it must open"
    assert expected in said(made, f"c{second.id}")


def test_a_client_that_broke_the_protocol_is_said_though_it_is_gone() -> None:
    made = Scene(furnished=False)
    client = made.mqtt_client("dev-1")
    client.send(bytes.fromhex("36 03 00 01 61"))
    made.time.advance(2)
    assert causes(made, "dev-1") == ["no-session", "gone", "protocol"]
    text = made.run(f"why c{client.peer.id}").text
    assert "dev-1 is not connected: its connection ended 2s ago (" in text
    assert "dev-1 broke the protocol 2s ago and was cut off: " in text


def test_a_connection_without_a_name_that_ended_is_called_by_its_number() -> None:
    made = Scene(furnished=False)
    silent, other = made.networks["mqtt"].connect(), made.networks["mqtt"].connect()
    other.send(b"GET / HTTP/1.1\r\n\r\n")
    silent.vanish()
    assert said(made, f"c{silent.peer.id}") == (
        f"c{silent.peer.id} (it gave no name) is not connected: its connection ended just now "
        "(the client closed the connection); start it again"
    )
    # What another one without a name did is none of its affair.
    assert causes(made, f"c{silent.peer.id}") == ["gone"]
    assert causes(made, f"c{other.peer.id}") == ["gone", "protocol"]


def test_a_kafka_client_that_gave_up_on_a_topic_is_asked_about_when_it_is_gone() -> None:
    made = scene()
    first, client = made.kafka_client(), made.kafka_client()
    made.ask(first, MetadataRequest(topics=[]), 4, "reader")
    asked = MetadataRequest(
        topics=[MetadataRequestTopic(name="oders")], allow_auto_topic_creation=False
    )
    made.ask(client, asked, 4, "reader")
    made.time.advance(1)
    client.vanish()
    first.vanish()
    for about in ("reader", f"c{client.peer.id}", f"c{first.peer.id}"):
        assert causes(made, about) == ["gone", "topic-name"]
    assert (
        "reader asked for oders, which does not exist, while orders got 7 records: the names "
        "differ, subscribe to orders"
    ) in made.run("why reader").text


def test_a_connection_that_ended_while_its_client_goes_on_by_another_one() -> None:
    made = scene()
    old, new = made.kafka_client(), made.kafka_client()
    for client in (old, new):
        fetch(made, client, "orders", 7, "reader")
    old.vanish()
    assert causes(made, f"c{old.peer.id}") == ["latest", "ended"]
    text = made.run(f"why c{old.peer.id}").text
    assert (
        f"ended just now (the client closed the connection); reader is connected by c{new.peer.id}"
        in text
    )


def test_frames_that_are_held_and_faults_that_fired() -> None:
    made = Scene(furnished=False)
    client = made.mqtt_client("dev-7", "a")
    made.run("fault add drop client:dev-7")
    made.run("pub mqtt:a 1")
    made.spine.emit(FaultFired("mqtt", 1, "drop", 1, "dev-7", "PUBLISH"))
    assert causes(made, "dev-7")[0] == "fault"
    assert "fault 1 (drop client:dev-7) hit dev-7 1 time, last just now: fault off 1" in said(
        made, "dev-7"
    )
    made.run("fault clear")
    assert "fault" not in causes(made, "dev-7")
    rule = made.run("hold client:dev-7").data["id"]
    row = Row("mqtt", 1, "PUBLISH", client.peer.id, "dev-7", destination="a", size=3)
    made.holds.hold(made.holds.rules[rule], [row], lambda forward: None)
    assert said(made, "dev-7") == "hold 1 holds 1 frame of dev-7: release, or hold off"
    assert client


def test_what_others_publish_and_a_rule_keeps() -> None:
    made = Scene(furnished=False)
    made.mqtt_client("sub", "a")
    sender = made.mqtt_client("dev-7")
    made.mqtt_publish(sender, "a", b"1")
    assert said(made, "sub").startswith("nothing is wrong with sub")
    rule = made.run("hold op:PUBLISH").data["id"]
    row = Row("mqtt", IN, "PUBLISH", sender.peer.id, "dev-7", kind="message", destination="a")
    made.holds.hold(made.holds.rules[rule], [row], Waiting())
    text = "hold 1 holds 1 message of dev-7 to a: release, or hold off"
    assert said(made, "sub") == text
    made.run("panic")
    made.run("fault add drop op:PUBLISH client:dev-7")
    made.spine.emit(FaultFired("mqtt", 1, "drop", sender.peer.id, "dev-7", "PUBLISH"))
    for about in ("sub", "a", "mqtt:a"):
        assert said(made, about).endswith(
            "fault 1 (drop op:PUBLISH client:dev-7) hit what dev-7 publishes, last just now, "
            f"perhaps for {about}: fault off 1"
        )
    made.run("panic")
    assert "dev-7" not in said(made, "sub")


def test_a_message_that_goes_round_between_queue_and_consumer() -> None:
    made = Scene(furnished=False)
    made.run("queue add q.mail")
    client = made.amqp_client()
    client.send("basic.consume", queue="q.mail", consumer_tag="t", arguments={})
    made.run("pub queue:q.mail x")
    for tag in range(1, 40):
        client.send("basic.reject", delivery_tag=tag, requeue=True)
    assert "requeue-loop" in causes(made, "q.mail")


def test_dead_letters_that_reach_no_queue() -> None:
    made = Scene(furnished=False)
    made.run("queue add q.mail --dlx dlx --dlk dead")
    client = made.amqp_client()
    made.run("pub queue:q.mail x")
    client.send("basic.get", queue="q.mail")
    client.send("basic.reject", delivery_tag=1, requeue=False)
    assert said(made, "q.mail") == (
        "1 dead letter of q.mail went to dlx by the key dead and reached no queue: route dlx dead "
        "shows the way"
    )


# The command ------------------------------------------------------------------------------------


def test_every_sentence_names_a_fact_and_a_remedy() -> None:
    made = Scene()
    for about in ("order-svc", "billing", "dev-7", "dev-8", "q.mail", "q.inv", "events", "other"):
        for finding in made.run(f"why {about}").data["findings"]:
            assert re.search(r"[:;,] ", finding["text"]), finding
            assert "\n" not in finding["text"]


def test_whom_nobody_knows_is_asked_back() -> None:
    made = Scene()
    assert "did you mean billing?" in made.session.run("why biling").as_text()
    assert "no connection c99" in made.session.run("why c99").as_text()
    assert "is for the full screen" in made.session.run("why #4").as_text()


def test_who_gets_what_comes_is_told_so() -> None:
    made = Scene(furnished=False)
    client = made.mqtt_client("ok", "a", qos=0)
    client.send(encode_packet(Publish("a", b"1"), 4))
    assert said(made, "ok").startswith("nothing is wrong with ok that shows here")
