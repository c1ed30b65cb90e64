"""Methods refused with a reply code on purpose, and messages changed on their way."""

from typing import Any

import pytest
from mockforge_brokers.amqp import misbehaviour
from mockforge_brokers.amqp.codes import ReplyCode
from mockforge_brokers.amqp.misbehaviour import NACK
from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.wire import content, frames, methods
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import IN, OUT
from mockforge_brokers.misbehaviour.decisions import Changes

from ..misbehaving import everything, refuse
from .client import Client, Got, Scene, names, publish


def refused(client: Client, unit: bytes, code: int) -> list[Got]:
    refuse(client.fake, unit, everything, code)
    return client.received()


def depth(scene: Scene, queue: str) -> int:
    return scene.client().send("queue.declare", queue=queue, passive=True)[0]["message_count"]


def test_a_nack_settles_its_publish_in_a_window_of_others(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("confirm.select")
    client.publish("", "q", b"1")
    [nack] = refused(client, publish("", "q", b"2"), NACK)
    [ack] = client.publish("", "q", b"3")
    assert (nack.name, nack["delivery_tag"], nack["multiple"]) == ("basic.nack", 2, False)
    assert (ack.name, ack["delivery_tag"]) == ("basic.ack", 3)
    assert depth(scene, "q") == 2


def test_without_confirms_a_nacked_publish_is_lost_in_silence(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="q")
    assert refused(client, publish("", "q", b"1"), NACK) == []
    assert client.publish("", "q", b"2") == []
    assert depth(scene, "q") == 1


@pytest.mark.parametrize("code", [ReplyCode.NO_ROUTE, ReplyCode.NO_CONSUMERS])
def test_a_publish_comes_back_whole_and_is_then_confirmed(
    scene: Scene, client: Client, code: ReplyCode
) -> None:
    client.send("queue.declare", queue="q")
    client.send("confirm.select")
    unit = publish("amq.direct", "q", b"x" * 200_000, content_type="text/plain")
    back, ack = refused(client, unit, code)
    assert (back.name, back["reply_code"], back["reply_text"]) == ("basic.return", code, "no")
    assert (back["exchange"], back["routing_key"]) == ("amq.direct", "q")
    assert back.body == b"x" * 200_000
    assert back.properties == {"content_type": "text/plain"}
    assert (ack.name, ack["delivery_tag"]) == ("basic.ack", 1)
    assert depth(scene, "q") == 0


def test_a_soft_error_ends_the_channel_only(scene: Scene, client: Client) -> None:
    unit = frames.method(1, "queue.declare", queue="q")
    [close] = refused(client, unit, ReplyCode.RESOURCE_LOCKED)
    assert (close.name, close["reply_code"], close["reply_text"]) == (
        "channel.close", 405, "RESOURCE_LOCKED - no",
    )  # fmt: skip
    assert (close["class_id"], close["method_id"]) == (50, 10)
    client.send("channel.close-ok")
    client.open(1)
    assert names(client.send("queue.declare", queue="q")) == ["queue.declare-ok"]


@pytest.mark.parametrize(
    ("unit", "channel"),
    [
        (frames.method(1, "queue.declare", queue="q"), 1),
        (publish("", "q", b"x"), 1),
        (frames.method(2, "channel.open"), 2),
    ],
)
def test_a_hard_error_ends_the_connection(client: Client, unit: bytes, channel: int) -> None:
    close = refused(client, unit, ReplyCode.INTERNAL_ERROR)[0]
    assert (close.name, close.channel, close["reply_code"]) == ("connection.close", 0, 541)


def test_what_belongs_to_no_channel_ends_the_connection(client: Client) -> None:
    unit = frames.method(0, "connection.update-secret", new_secret=b"s", reason="r")
    close = refused(client, unit, ReplyCode.ACCESS_REFUSED)[0]
    assert (close.name, close["reply_code"]) == ("connection.close", 403)


START_OK = frames.method(
    0,
    "connection.start-ok",
    client_properties=table({}),
    mechanism="PLAIN",
    response="\0guest\0guest",
    locale="en_US",
)
OPEN = frames.method(0, "connection.open", virtual_host="/")


@pytest.mark.parametrize(
    ("unit", "code", "ids"), [(START_OK, 403, (10, 11)), (OPEN, 530, (10, 40))]
)
def test_a_login_is_refused_with_a_code(
    scene: Scene, unit: bytes, code: int, ids: tuple[int, int]
) -> None:
    client = scene.stranger()
    client.fake.send(frames.PROTOCOL_HEADER)
    client.fake.take()
    if unit is OPEN:
        client.fake.send(START_OK)
        client.send("connection.tune-ok", channel=0, channel_max=9, frame_max=4096, heartbeat=0)
    [close] = refused(client, unit, code)
    assert (close.name, close["reply_code"]) == ("connection.close", code)
    assert (close["class_id"], close["method_id"]) == ids
    client.send("connection.close-ok", channel=0)
    assert client.peer.ended == "closed"
    scene.client()


def test_a_code_for_publishes_ends_the_connection_for_other_methods(client: Client) -> None:
    unit = frames.method(1, "queue.declare", queue="q")
    close = refused(client, unit, NACK)[0]
    assert close.name == "connection.close"
    assert "only a basic.publish" in close["reply_text"]


def test_a_publish_refused_in_a_transaction_is_not_in_its_commit(
    scene: Scene, client: Client
) -> None:
    client.send("queue.declare", queue="q")
    client.send("tx.select")
    client.publish("", "q", b"1")
    assert refused(client, publish("", "q", b"2"), NACK) == []
    assert names(client.send("tx.commit")) == ["tx.commit-ok"]
    assert depth(scene, "q") == 1


def test_a_channel_that_closes_gets_no_answer(client: Client) -> None:
    client.send("queue.declare", queue="missing", passive=True)
    assert refused(client, publish("", "q", b"x"), ReplyCode.NOT_FOUND) == []
    assert not client.peer.ended


def test_a_malformed_frame_ends_its_own_connection_only(scene: Scene, client: Client) -> None:
    other = scene.client()
    for wrong in (b"\x01\x00\x01\x00\x00\x00\x02\x00\x3c\xce", b"\x01\x00\x01\x00\x00\x00\x00\xce"):
        client = scene.client()
        refuse(client.fake, wrong, everything, ReplyCode.NOT_FOUND)
        assert client.peer.ended
    short = b"\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x28\x00\xce"
    client = scene.client()
    refuse(client.fake, short, everything, ReplyCode.NO_ROUTE)
    assert client.received()[0].name == "connection.close"
    assert names(other.send("queue.declare", queue="q")) == ["queue.declare-ok"]


# Editing.


def edit(client: Client, direction: int, unit: bytes, **changes: Any) -> Got:
    edited = client.fake.connection.edit(direction, unit, {0: Changes(**changes)})
    first, header, *rest = frames.split(edited)
    method = methods.find(first.payload)
    assert method is not None
    assert all(len(frame.payload) <= 131_064 for frame in rest)
    body = b"".join(frame.payload for frame in rest)
    values = methods.decode(method, first.payload)
    return Got(method.name, first.channel, values, body, content.decode_properties(header.payload))


@pytest.mark.parametrize("size", [0, 1, 131_064, 131_065, 400_000])
def test_a_publish_changes_in_all_its_parts(client: Client, size: int) -> None:
    unit = publish("amq.direct", "a", b"old" * 100_000, priority=3, headers={"h": 1, "kept": "x"})
    got = edit(
        client,
        IN,
        unit,
        payload=b"n" * size,
        key=b"b",
        properties={"priority": None, "content_type": "text/plain"},
        headers={"h": None, "new": "y"},
    )
    assert (got.name, got["exchange"], got["routing_key"]) == ("basic.publish", "amq.direct", "b")
    assert got.body == b"n" * size
    assert got.properties["content_type"] == "text/plain"
    assert "priority" not in got.properties
    assert sorted(got.properties["headers"]) == ["kept", "new"]


def test_a_delivery_changes_and_keeps_its_tag(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", consumer_tag="t")
    client.fake.send(publish("", "q", b"x"))
    unit = client.fake.take()
    got = edit(client, OUT, unit, payload=b"y")
    assert (got.name, got["delivery_tag"], got["consumer_tag"]) == ("basic.deliver", 1, "t")
    assert got.body == b"y"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"properties": {"colour": "x"}}, "colour"),
        ({"properties": {"priority": "many"}}, "priority"),
        ({"key": b"k" * 256}, "routing key"),
    ],
)
def test_what_cannot_be_changed_is_said(client: Client, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        edit(client, IN, publish("", "q", b"x"), **changes)


def test_only_a_message_can_be_changed(client: Client) -> None:
    unit = frames.method(1, "queue.declare", queue="q")
    with pytest.raises(InvalidInput, match=r"queue\.declare carries no message 1: hold op:basic"):
        edit(client, IN, unit, payload=b"x")


def test_a_repeated_publish_is_routed_and_not_confirmed(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("confirm.select")
    unit = publish("", "q", b"1")
    client.publish("", "q", b"0")
    client.fake.connection.repeat(unit, dup=False)
    client.fake.flush()
    assert client.received() == []
    [ack] = client.publish("", "q", b"2")
    assert (ack.name, ack["delivery_tag"]) == ("basic.ack", 2)
    assert depth(scene, "q") == 3


def test_a_repetition_that_ends_the_connection_is_answered(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("confirm.select")
    client.send("basic.consume", queue="q", consumer_tag="c")
    unit = frames.method(1, "basic.consume", queue="q", consumer_tag="c")
    client.fake.connection.repeat(unit, dup=False)
    client.fake.flush()
    [close] = client.received()
    assert (close.name, close["reply_code"]) == ("connection.close", ReplyCode.NOT_ALLOWED)


def test_what_may_be_damaged_of_a_unit_is_its_methods_payload() -> None:
    unit = publish("amq.direct", "q", b"x" * 100)
    [first, *_] = frames.split(unit)
    found = misbehaviour.body(unit)
    assert unit[found.start : found.stop] == first.payload


def deliver(tag: str, number: int, key: str, *, redelivered: bool = False) -> bytes:
    return frames.method(
        1, "basic.deliver", consumer_tag=tag, delivery_tag=number, redelivered=redelivered,
        exchange="e", routing_key=key,
    )  # fmt: skip


def ack(tag: int) -> bytes:
    return frames.method(1, "basic.ack", delivery_tag=tag, multiple=False)


@pytest.mark.parametrize(
    ("unit", "same", "other"),
    [
        (publish("e", "a", b"1"), publish("e", "a", b"2" * 300), publish("e", "b", b"1")),
        (publish("e", "a", b"1"), publish("e", "a", b"1"), publish("f", "a", b"1")),
        (deliver("c", 1, "a"), deliver("c", 2, "a", redelivered=True), deliver("c", 1, "b")),
        (deliver("c", 1, "a"), deliver("c", 9, "a"), deliver("d", 1, "a")),
        (ack(1), ack(2), frames.method(1, "basic.nack", delivery_tag=1)),
    ],
)
def test_units_that_look_alike_have_the_same_method_and_destination(
    unit: bytes, same: bytes, other: bytes
) -> None:
    first, second, third = (misbehaviour.glance(IN, each) for each in (unit, same, other))
    assert first is not None
    assert first == second != third


def test_methods_about_a_queue_are_read() -> None:
    unit = frames.method(1, "queue.declare", queue="q", arguments={})
    assert misbehaviour.glance(IN, unit) is None


def test_a_methods_field_gets_another_value_and_its_content_stays() -> None:
    unit = publish("e", "a", b"x" * 300)
    found = misbehaviour.set_fields(IN, unit, {"routing_key": "b", "mandatory": "true"})
    first, *rest = frames.split(found)
    method = methods.find(first.payload)
    assert method is not None
    values = methods.decode(method, first.payload)
    assert (values["routing_key"], values["mandatory"], values["exchange"]) == ("b", True, "e")
    assert rest == frames.split(unit)[1:]


@pytest.mark.parametrize(
    ("unit", "values", "text"),
    [
        (ack(1), {"qos": "1"}, "basic.ack has no field qos; it has delivery_tag, multiple"),
        (ack(1), {"multiple": "perhaps"}, "multiple is bool, not 'perhaps'"),
        (ack(1), {"delivery_tag": "-1"}, "a value does not fit"),
        (frames.HEARTBEAT_FRAME, {"qos": "1"}, "it is no method"),
    ],
)
def test_what_cannot_be_set_is_said(unit: bytes, values: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        misbehaviour.set_fields(IN, unit, values)
