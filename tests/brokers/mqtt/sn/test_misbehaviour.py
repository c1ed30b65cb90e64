"""Messages of MQTT-SN that are refused, changed or repeated on purpose."""

from itertools import count

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import IN, OUT
from mockforge_brokers.misbehaviour.decisions import Changes
from mockforge_brokers.mqtt.codes import Reason
from mockforge_brokers.mqtt.sn import messages as sn
from mockforge_brokers.mqtt.sn.codec import decode, encode
from mockforge_brokers.mqtt.sn.messages import SnMessage

from .device import Device, Field


def refuse(device: Device, message: SnMessage, reason: Reason) -> list[SnMessage]:
    frame = encode(message)
    device.connection.refuse(frame, device.connection.rows(IN, frame), reason, "on purpose")
    device.client.flush()
    return device.take()


def test_each_request_is_refused_by_the_return_code_that_is_nearest() -> None:
    field = Field()
    quota, name, other = Reason.QUOTA_EXCEEDED, Reason.TOPIC_NAME_INVALID, Reason.NOT_AUTHORIZED
    device = field.connected()
    for message, reason, answer in (
        (sn.Register(5, "t"), quota, sn.Regack(0, 5, 1)),
        (sn.Publish(1, b"x", 1, message_id=6), name, sn.Puback(1, 6, 2)),
        (sn.Publish(1, b"x", 2, message_id=6), other, sn.Puback(1, 6, 3)),
        (sn.Subscribe(7, "t/1"), quota, sn.Suback(0, 7, 1)),
        (sn.Subscribe(7, "t/#"), other, sn.Suback(0, 7, 3)),
        (sn.WillTopicUpdate("t"), quota, sn.WillTopicResponse(1)),
        (sn.WillMessageUpdate(b"x"), other, sn.WillMessageResponse(3)),
    ):
        assert refuse(device, message, reason) == [answer], message
    [session] = field.broker.sessions()
    assert session["subscriptions"] == {}
    # What has no code ends the connection.
    assert refuse(device, sn.Pingreq(), other) == [sn.Disconnect()]
    assert device.client.peer.ended == "closed"
    assert refuse(field.device(), sn.Connect("e"), quota) == [sn.Connack(1)]


def test_a_held_publish_gets_another_payload_and_nothing_else() -> None:
    connection = Field().connected().connection
    frame = encode(sn.Publish(1, b"21", 1, message_id=5))
    edited = connection.edit(IN, frame, {0: Changes(payload=b"22" * 200)})
    assert decode(edited) == sn.Publish(1, b"22" * 200, 1, message_id=5)
    for bad, changes in (
        (frame, {1: Changes(payload=b"x")}),
        (frame, {0: Changes(headers={"a": "b"})}),
        (frame, {0: Changes(payload=b"x" * 70_000)}),
        (encode(sn.Pingreq()), {0: Changes(payload=b"x")}),
        (b"\x02\x03", {0: Changes(payload=b"x")}),
    ):
        with pytest.raises(InvalidInput):
            connection.edit(IN, bad, changes)


def test_fields_get_other_values_and_what_does_not_fit_is_said() -> None:
    connection = Field().connected().connection
    for message, values, expected in (
        (sn.Puback(1, 2), {"code": "CONGESTION"}, sn.Puback(1, 2, 1)),
        (sn.Puback(1, 2), {"code": "7", "topic_id": "0xFFFF"}, sn.Puback(0xFFFF, 2, 7)),
        (sn.Publish(1, b"x"), {"retain": "true", "payload": "y"}, sn.Publish(1, b"y", retain=True)),
        (sn.Register(1, "a", 2), {"topic_name": "b"}, sn.Register(1, "b", 2)),
    ):
        assert decode(connection.set_fields(OUT, encode(message), values)) == expected
    for values, problem in (
        ({"nope": "1"}, "PUBACK has no field nope; it has topic_id, message_id, code"),
        ({"code": "x"}, "code is a number"),
        ({"topic_id": "70000"}, "a value does not fit"),
    ):
        with pytest.raises(InvalidInput, match=problem):
            connection.set_fields(OUT, encode(sn.Puback(1, 2)), values)
    with pytest.raises(InvalidInput, match="true or false"):
        connection.set_fields(OUT, encode(sn.Publish(1, b"")), {"retain": "maybe"})


def test_a_repeated_message_has_dup_where_it_can_have_it() -> None:
    field = Field()
    device = field.connected()
    connection = device.connection
    publish = sn.Publish(1, b"x", 1, message_id=5)
    assert decode(connection.repeated(encode(publish), dup=True)) == sn.Publish(
        1, b"x", 1, message_id=5, dup=True
    )
    assert connection.repeated(encode(sn.Pingresp()), dup=True) == encode(sn.Pingresp())
    assert connection.repeated(encode(publish), dup=False) == encode(publish)
    device.ask(sn.Register(1, "t/1"))
    connection.repeat(encode(publish), dup=True)
    device.client.flush()
    assert device.take() == [sn.Puback(1, 5)]
    frame = encode(sn.Publish(1, b"x" * 300))
    assert (frame[connection.body(frame).start - 1], connection.body(frame)[-1]) == (
        0x0C,
        len(frame) - 1,
    )


def test_what_passed_can_be_read_once_the_client_is_gone() -> None:
    field = Field()
    device = field.connected()
    device.ask(sn.Register(1, "t/1"), sn.Publish(1, b"x"))
    past = device.connection.past()
    [row] = past.rows(IN, encode(sn.Publish(1, b"x")))
    assert (past.client, row.destination, row.detail["topic_id"]) == ("d", "t/1", 1)
    [frame] = past.splitter(IN).feed(encode(sn.Pingreq()))
    assert frame == encode(sn.Pingreq())


def test_a_damaged_length_costs_its_own_message_only() -> None:
    field = Field()
    device = field.connected()
    for damaged in (b"\x00\x16", b"\x01", b"\x01\x00\x02\x16"):
        device.client.send(damaged)
        assert device.ask(sn.Pingreq()) == [sn.Pingresp()]


def test_damaged_bytes_take_nothing_with_them_of_what_waits_in_front_and_behind() -> None:
    field = Field()
    device = field.connected()
    device.client.send(encode(sn.Pingreq()) + b"\x00\x16")
    assert device.take() == [sn.Pingresp()]
    # All of these wait behind a SUBSCRIBE that there was no time for yet.
    turn = field.environment.turn
    turn.now, turn.length = count().__next__, 0.0
    for data in (encode(sn.Subscribe(1, "t/1")), b"\x00\x16", encode(sn.Pingreq())):
        device.connection.receive(data)
    field.network.settle()
    assert device.take() == [sn.Suback(1, 1), sn.Pingresp()]
