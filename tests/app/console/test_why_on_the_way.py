"""What `why` says where the cause is with others: holds, faults, publishers, wrong names."""

from collections.abc import Callable

import pytest
from brokers.misbehaving import Waiting
from mockforge_brokers.events import FaultFired
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.groups import LeaveGroupRequest
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe, Unsubscribe

from .scene import Scene
from .test_why import causes, fetch, said


def hold(made: Scene, protocol: str, operation: str, destination: str) -> None:
    rule = made.run(f"hold op:{operation}").data["id"]
    row = Row(protocol, IN, operation, 99, "shop", kind="message", destination=destination, size=1)
    made.holds.hold(made.holds.rules[rule], [row], Waiting())


def subscribed(made: Scene, name: str, *requests: Request, version: int = 5) -> None:
    client = made.networks["mqtt"].connect()
    client.send(encode_packet(Connect(name, version=version), version))
    client.send(encode_packet(Subscribe(1, list(requests)), version))


def consuming(made: Scene, queue: str, name: str = "svc", vhost: str = "/", **more: object) -> None:
    client = made.amqp_client(name, vhost)
    client.send("queue.declare", queue=queue, arguments={})
    client.send("basic.consume", queue=queue, consumer_tag="t", arguments=more)


# Of all protocols.


@pytest.mark.parametrize(
    ("protocol", "operation", "destination", "about"),
    [
        ("mqtt", "PUBLISH", "home/a", "sub"),
        ("mqtt", "PUBLISH", "home/a", "mqtt:home/a"),
        ("amqp", "basic.publish", "q.mail", "svc"),
        ("amqp", "basic.publish", "q.mail", "q.mail"),
        ("amqp", "basic.publish", "events", "queue:q.mail"),
        ("kafka", "Produce", "orders", "order-svc"),
        ("kafka", "Produce", "orders", "billing"),
    ],
)
def test_a_hold_of_what_is_for_it_is_named_first(
    protocol: str, operation: str, destination: str, about: str
) -> None:
    made = Scene(furnished=False)
    made.mqtt_client("sub", "home/#")
    made.run("topic add orders -p 1")
    made.join("billing", "order-svc", {"orders": [0]})
    consuming(made, "q.mail")
    made.run("exchange add events")
    made.run("bind events q.mail a")
    hold(made, protocol, operation, destination)
    assert said(made, about) == f"hold 1 holds 1 message of shop to {destination}: release, or " + (
        "hold off"
    )
    made.run("hold off")
    hold(made, protocol, operation, "other")
    assert "to other" not in said(made, about)


def test_a_fault_that_hits_who_consumes_is_said_of_queue_and_group_too() -> None:
    made = Scene(furnished=False)
    consuming(made, "q.mail")
    made.run("pub queue:q.mail x")
    made.run("topic add orders -p 1")
    made.join("billing", "order-svc", {"orders": [0]})
    made.mqtt_client("sub", "home/#")
    made.run("fault add drop")
    for protocol, client in (("amqp", "svc"), ("kafka", "order-svc"), ("mqtt", "sub")):
        made.spine.emit(FaultFired(protocol, 1, "drop", 0, client, "x"))
    for about in ("q.mail", "queue:q.mail", "billing", "orders", "mqtt:home/a"):
        assert causes(made, about)[0] == "fault", about


def test_a_session_that_is_over_is_no_wonder_where_the_name_is_one_of_another_protocol() -> None:
    made = Scene(furnished=False)
    made.mqtt_leave(made.mqtt_client("svc", "a"))
    assert made.run("why svc").data["findings"][0]["cause"] == "no-session"
    consuming(made, "q.mail")
    assert causes(made, "svc") == ["unbound", "no-session"]


# AMQP.


def typo(made: Scene) -> None:
    made.amqp_client("shop").publish("", "q.mial", b"1")


def uncommitted(made: Scene) -> None:
    client = made.amqp_client("shop")
    client.send("tx.select")
    client.publish("", "q.mail", b"1")


def other_host(made: Scene) -> None:
    made.amqp.add_vhost("dev")
    other = made.amqp_client("shop", "dev")
    other.send("queue.declare", queue="q.mail", arguments={})
    other.publish("", "q.mail", b"1")


def alarm(made: Scene) -> None:
    made.run("alarm set disk")


def cancelled(made: Scene) -> None:
    made.run("consumer cancel q.mail")


def deleted(made: Scene) -> None:
    made.run("queue rm q.mail -y")


@pytest.mark.parametrize(
    ("happened", "cause", "text"),
    [
        (
            typo,
            "queue-name",
            "1 message of shop reached no queue: there is no queue q.mial, q.mail",
        ),
        (uncommitted, "uncommitted", "shop published to q.mail in a transaction that is not commi"),
        (other_host, "virtual-host", "nothing reached this q.mail, but q.mail of the virtual host"),
        (alarm, "blocked", "0 publishers may not publish, since the broker is low on disk"),
        (cancelled, "cancelled", "the consumer of q.mail that svc had was cancelled just now"),
        (
            deleted,
            "cancelled",
            "the consumer of q.mail that svc had was cancelled just now (queue ",
        ),
    ],
)
def test_what_keeps_messages_from_a_queue_that_is_bound_to_nothing(
    happened: Callable[[Scene], None], cause: str, text: str
) -> None:
    made = Scene(furnished=False)
    consuming(made, "q.mail")
    assert causes(made, "svc") == ["unbound"]
    happened(made)
    assert causes(made, "svc")[0] == cause
    assert said(made, "svc").startswith(text)


def test_a_consumer_that_consumes_again_is_not_said_to_be_cancelled() -> None:
    made = Scene(furnished=False)
    client = made.amqp_client("svc")
    made.run("queue add q.mail")
    for _ in range(2):
        client.send("basic.consume", queue="q.mail", consumer_tag="t", arguments={})
        client.send("basic.cancel", consumer_tag="t")
    assert causes(made, "svc") == ["no-consumer"]
    client.send("basic.consume", queue="q.mail", consumer_tag="t", arguments={})
    made.run("consumer cancel q.mail")
    client.send("basic.consume", queue="q.mail", consumer_tag="t", arguments={})
    assert causes(made, "svc") == ["unbound"]


def test_a_publisher_that_is_blocked_is_told_so() -> None:
    made = Scene(furnished=False)
    made.run("alarm set")
    client = made.amqp_client("shop")
    client.publish("", "q.mail", b"1")
    assert "shop is blocked (connection.blocked), since the broker is low on memory" in said(
        made, "shop"
    )


def test_a_queue_of_which_nothing_was_delivered_is_not_said_to_be_delivered() -> None:
    made = Scene(furnished=False)
    made.run("queue add q --ttl 1s")
    made.run("pub queue:q x")
    made.advance(2)
    assert causes(made, "q") == ["expired"]
    made.run("queue add purged")
    made.run("pub queue:purged x -n 3")
    made.run("queue purge purged -y")
    assert said(made, "purged") == (
        "purged is empty: of its 3 messages 0 were delivered, the others were purged; publish "
        "something new"
    )


def test_a_stream_gives_each_consumer_all_that_lies_behind_where_it_began() -> None:
    made = Scene(furnished=False)
    made.run("queue add log --durable --arg x-queue-type=stream")
    made.run("pub queue:log x -n 3")
    for name, offset in (("next", None), ("first", "first")):
        client = made.amqp_client(name)
        client.send("basic.qos", prefetch_count=10)
        given = {} if offset is None else {"x-stream-offset": offset}
        client.send("basic.consume", queue="log", consumer_tag=name, arguments=given)
    assert causes(made, "next") == ["stream-offset"]
    assert "3 older messages are not for it; consume with x-stream-offset first" in said(
        made, "next"
    )
    assert causes(made, "first") == ["empty"]


# MQTT.


@pytest.mark.parametrize(
    ("request_", "cause", "text"),
    [
        (Request("r/a", 1, retain_handling=2), "retain-handling", "with Retain Handling 2 [MQTT-3"),
        (Request("$share/g/r/a", 1), "retain-handling", "shared subscriptions get none [MQTT-4.8]"),
        (Request("r/+/a", 1), "filter", "r/a has 2 levels, and + stands for exactly one"),
        (Request("x/a", 1), "nothing-published", "nothing was published yet that sub's filter x/a"),
        (Request("q/a", 1), "nothing-published", "nothing was published yet that sub's filter q/a"),
        (Request("r/b", 1), "filter", "r/a has 'a' where the filter has 'b'"),
    ],
)
def test_what_a_subscription_does_not_get(request_: Request, cause: str, text: str) -> None:
    made = Scene(furnished=False)
    made.run("pub mqtt:r/a 1 -r")
    subscribed(made, "sub", request_)
    assert causes(made, "sub") == [cause]
    assert text in said(made, "sub")


def test_who_unsubscribed_is_told_when_and_from_what() -> None:
    made = Scene(furnished=False)
    client = made.mqtt_client("sub", "a")
    client.send(encode_packet(Unsubscribe(2, ["a"]), 4))
    assert "subscribes to nothing (it unsubscribed from a just now)" in said(made, "sub")


def test_a_topic_that_has_takers_and_got_nothing() -> None:
    made = Scene(furnished=False)
    client = made.mqtt_client("sub", "a")
    assert "nothing was published to a yet, which sub would get" in made.run("why mqtt:a").text
    client.send(encode_packet(Publish("a", b"1"), 4))
    assert "nothing was published" not in made.run("why mqtt:a").text


# Kafka.


def test_who_left_its_group_and_did_not_come_back() -> None:
    made = Scene(furnished=False)
    made.run("topic add orders -p 1")
    client, member = made.join("billing", "order-svc", {"orders": [0]})
    made.ask(client, LeaveGroupRequest(group_id="billing", member_id=member), 1, "order-svc")
    assert causes(made, "order-svc") == ["left"]
    assert said(made, "order-svc").startswith("order-svc left billing just now by itself and did")
    made.join("billing", "order-svc", {"orders": [0]}, client)
    assert "left" not in causes(made, "order-svc")


def test_who_has_a_partition_to_which_no_record_goes() -> None:
    made = Scene(furnished=False)
    made.run("topic add orders -p 2")
    made.run("pub kafka:orders[0] x -n 3")
    fetch(made, made.kafka_client(), "orders", 0, "other")
    client, _ = made.join("billing", "order-svc", {"orders": [1]})
    assert causes(made, "order-svc") == ["empty-partition"]
    assert said(made, "order-svc").startswith(
        "orders p1 of order-svc is empty: the 3 records of orders went to p0 by their keys"
    )
    assert client


def test_who_asked_for_no_records_at_all() -> None:
    made = Scene(furnished=False)
    client = made.kafka_client()
    made.ask(client, MetadataRequest(topics=None), 4, "rx")
    assert causes(made, "rx") == ["never-joined"]
