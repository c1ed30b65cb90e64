"""What people and clients give is taken or refused; nothing of it stops the broker later."""

from typing import Any

import pytest
from mockforge_brokers.amqp import misbehaviour
from mockforge_brokers.amqp.records import Field, table
from mockforge_brokers.amqp.wire import frames
from mockforge_brokers.errors import InvalidInput

from ..storage.memory_disk import MemoryDisk
from .client import Client, Scene, names
from .test_governed import drain

MANY = "9" * 5000
STREAM = {"x-queue-type": "stream"}


@pytest.mark.parametrize("age", ["9" * 400 + "Y", MANY + "D"])
def test_an_age_of_any_length_is_for_ever(client: Client, age: str) -> None:
    given = {**STREAM, "x-max-age": age, "x-stream-max-segment-size-bytes": 1}
    client.send("queue.declare", queue="s", durable=True, arguments=given)
    for body in (b"1", b"2", b"3"):
        client.publish("", "s", body)
    client.send("basic.qos", prefetch_count=9)
    came = client.send("basic.consume", queue="s", arguments={"x-stream-offset": age})
    assert [got.body for got in came if got.name == "basic.deliver"] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("expiration", ["+0", "-0"])
def test_an_expiration_may_have_a_sign(client: Client, expiration: str) -> None:
    client.send("queue.declare", queue="q")
    client.publish("", "q", b"x", expiration=expiration)
    assert drain(client, "q") == []


def test_copies_of_what_a_person_publishes_reach_their_queues(scene: Scene, client: Client) -> None:
    for queue in ("q", "cc", "bcc"):
        client.send("queue.declare", queue=queue)
    headers = {"CC": ["cc"], "BCC": ["bcc"], "n": 1}
    assert scene.broker.publish("", "q", b"x", properties={"headers": headers}) == 3
    for queue in ("q", "cc", "bcc"):
        (got,) = drain(client, queue)
        assert sorted(got.properties["headers"]) == ["CC", "n"]


def test_a_person_and_a_client_find_the_same_bucket(scene: Scene, client: Client) -> None:
    given = {"hash-property": "message_id"}
    client.send(
        "exchange.declare", exchange="x", exchange_type="x-consistent-hash", arguments=given
    )
    for queue in "abcdefgh":
        client.send("queue.declare", queue=queue)
        client.send("queue.bind", queue=queue, exchange="x", routing_key="1")
    for number in range(20):
        client.publish("x", "", b"x", message_id=f"m{number}")
        scene.broker.publish("x", "", b"x", properties={"message_id": f"m{number}"})
    assert all(len(queue.messages) % 2 == 0 for queue in scene.broker.vhost().queues.values())


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"expiration": "soon"}, "invalid expiration 'soon': no_integer"),
        ({"expiration": "-5"}, "invalid expiration '-5': {value_negative,-5}"),
        (
            {"headers": {"CC": "one"}},
            'invalid message: {unacceptable_type_in_header,"CC",longstr}',
        ),
        ({"reply_to": "amq.rabbitmq.reply-to"}, "fast reply consumer does not exist"),
    ],
)
def test_what_a_client_may_not_publish_a_person_may_not(
    scene: Scene, properties: dict[str, Any], text: str
) -> None:
    scene.broker.declare_queue("q")
    with pytest.raises(InvalidInput) as refused:
        scene.broker.publish("", "q", b"x", properties=properties)
    assert str(refused.value) == text


def verbs() -> list[Any]:
    long, half = "n" * 256, "\ud800"
    return [
        lambda broker: broker.declare_queue(long),
        lambda broker: broker.add_vhost(long),
        lambda broker: broker.declare_queue("q", durable=True, arguments={long: 1}),
        lambda broker: broker.declare_queue("q", durable=True, arguments={"x": half}),
        lambda broker: broker.declare_queue("q", durable=True, arguments={half: 1}),
        lambda broker: broker.bind("amq.topic", "there", "", {long: 1}),
        lambda broker: broker.set_policy("p", ".*", {"message-ttl": 10**400}),
        lambda broker: broker.set_policy("p", ".*", {"expires": 2**63}),
        lambda broker: broker.get_all("nope", 1, "ack"),
    ]


@pytest.mark.parametrize("verb", verbs())
def test_what_cannot_go_on_the_wire_is_refused(verb: Any) -> None:
    scene = Scene(disk=MemoryDisk())
    scene.broker.declare_queue("there", durable=True)
    before = scene.broker.definitions()
    with pytest.raises(InvalidInput):
        verb(scene.broker)
    after = scene.broker.definitions()
    assert (after["queues"], after["bindings"], after["policies"]) == (
        before["queues"],
        before["bindings"],
        before["policies"],
    )


def test_a_field_may_have_bytes_of_any_kind() -> None:
    assert table({"x": b"\xff"}) == {"x": Field("x", b"\xff")}


@pytest.mark.parametrize("text", ["--5", "-", "five"])
def test_a_field_of_a_method_that_is_a_number_takes_numbers(client: Client, text: str) -> None:
    frame = frames.method(1, "basic.ack", delivery_tag=1)
    with pytest.raises(InvalidInput):
        misbehaviour.set_fields(0, frame, {"delivery_tag": text})


def test_persistence_of_long_headers_is_not_remembered() -> None:
    scene = Scene(disk=MemoryDisk())
    keeper = scene.broker._keeper
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    for number in range(5):
        client.publish("", "q", b"x", delivery_mode=2, headers={"long": f"{number}" * 1000})
        client.publish("", "q", b"x", delivery_mode=2, headers={"short": f"{number}"})
    assert len(keeper._persistence) == 5  # type: ignore[attr-defined]
    assert names(client.send("basic.get", queue="q")) == ["basic.get-ok"]
