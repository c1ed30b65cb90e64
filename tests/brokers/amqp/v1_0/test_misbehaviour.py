"""Faults and holds on frames of AMQP 1.0, and what people read of them."""

import pytest
from mockforge_brokers.amqp.codes import ReplyCode
from mockforge_brokers.amqp.misbehaviour import NACK
from mockforge_brokers.amqp.v1_0.wire import message, performatives
from mockforge_brokers.amqp.v1_0.wire.frames import HEADER, frame, performative
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.values import Symbol
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.misbehaviour.decisions import Changes

from ..client import Scene
from .client import Client, Got, names


def _transfer(payload: bytes, **fields: object) -> bytes:
    given = {"handle": 0, "delivery_id": 0, "delivery_tag": b"t", **fields}
    return frame(0, performatives.write("transfer", **given) + payload)


def _refused(client: Client, unit: bytes, code: int) -> list[Got]:
    client.fake.connection.refuse(unit, [], code, "on purpose")
    client.fake.flush()
    return client.received()


@pytest.mark.parametrize(
    ("code", "state"),
    [(NACK, "rejected"), (ReplyCode.NO_ROUTE, "released"), (ReplyCode.NOT_FOUND, "rejected")],
)
def test_a_refused_message_is_settled_without_its_effect(
    scene: Scene, client: Client, code: int, state: str
) -> None:
    client.sender("/queues/q")
    (disposition,) = _refused(client, _transfer(message.data_section(b"x")), code)
    assert disposition.state == state
    assert len(scene.broker.vhost().queues["q"].messages) == 0


def test_refused_messages_use_up_neither_credit_nor_window(client: Client) -> None:
    client.sender("/queues/q")
    unit = _transfer(message.data_section(b"x"))
    refused = [got for _ in range(1000) for got in _refused(client, unit, NACK)]
    assert "end" not in names(refused)
    (accepted,) = [got for got in client.transfer(b"y") if got.name == "disposition"]
    assert accepted.state == "accepted"


def test_a_refused_link_is_detached_and_a_refused_session_ends(client: Client) -> None:
    unit = performative(
        0, "attach", name="r", handle=3, role=True, source=Composite("source", {"address": "q"})
    )
    attach, detach = _refused(client, unit, ReplyCode.ACCESS_REFUSED)
    assert attach["source"] is None
    assert detach.error == ("amqp:unauthorized-access", "on purpose")
    (end,) = _refused(client, performative(0, "detach", handle=3), ReplyCode.INTERNAL_ERROR)
    assert end.error == ("amqp:internal-error", "on purpose")


def test_a_refused_connection_is_closed(client: Client) -> None:
    unit = performative(0, "end")
    (close,) = _refused(client, unit, ReplyCode.CONNECTION_FORCED)
    assert (close.name, close.error[1]) == ("close", "on purpose")


def test_a_message_is_changed_on_its_way(client: Client) -> None:
    payload = message.header(durable=True) + message.bare_message(
        {"subject": "old"}, {"a": "1", "b": "2"}, message.data_section(b"x")
    )
    changes = Changes(
        payload=b"new",
        properties={"subject": "s", "message-id": "m"},
        headers={"a": None, "c": "3"},
    )
    unit = client.fake.connection.edit(IN, _transfer(payload), {0: changes})
    _, end = performatives.read(unit, 8)
    sections = message.read(unit[end:])
    assert sections.body == b"new"
    assert sections.properties == {"subject": "s", "message_id": "m"}
    assert sections.application == {"b": "2", "c": "3"}
    assert sections.header == {"durable": True}


@pytest.mark.parametrize(
    ("unit", "changes", "why"),
    [
        (performative(0, "end"), Changes(payload=b""), "it carries no whole message"),
        (_transfer(message.data_section(b"")), Changes(key=b"k"), "no routing key"),
        (_transfer(message.data_section(b"")), Changes(properties={"x": 1}), "no property x"),
        (
            _transfer(message.data_section(b"")),
            Changes(properties={"creation-time": "soon"}),
            "creation-time is a whole number, not 'soon'",
        ),
    ],
)
def test_what_cannot_be_changed_is_said(
    client: Client, unit: bytes, changes: Changes, why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        client.fake.connection.edit(IN, unit, {0: changes})


def test_any_field_takes_another_value(client: Client) -> None:
    unit = performative(0, "flow", incoming_window=5, next_outgoing_id=0, outgoing_window=9)
    made = client.fake.connection.set_fields(OUT, unit, {"incoming-window": "0", "drain": "true"})
    found, _ = performatives.read(made, 8)
    assert (found.get("incoming_window"), found.get("drain")) == (0, True)
    state = performative(0, "disposition", role=True, first=0, state=Composite("accepted", {}))
    made = client.fake.connection.set_fields(OUT, state, {"state": "released"})
    assert performatives.read(made, 8)[0].get("state").name == "released"
    with pytest.raises(InvalidInput, match="flow has no field credit; it has next_incoming_id"):
        client.fake.connection.set_fields(OUT, unit, {"credit": "1"})


# Rows.


def _rows(client: Client) -> list[Row]:
    connection = client.fake.connection
    rows = []
    for direction in (IN, OUT):
        splitter = connection.splitter(direction)
        data = b"".join(raw for way, raw in client.fake.history if way == direction)
        rows += [row for unit in splitter.feed(data) for row in connection.rows(direction, unit)]
    return rows


def _row(client: Client, operation: str, direction: int = IN) -> Row:
    return next(
        row for row in _rows(client) if (row.operation, row.direction) == (operation, direction)
    )


def test_rows_say_where_messages_go_and_what_they_hold(scene: Scene, client: Client) -> None:
    client.sender("/exchanges/amq.topic/a.b")
    scene.broker.bind("amq.topic", "q", "a.*")
    payload = message.bare_message({"subject": "s"}, {"h": "1"}, message.data_section(b"body"))
    client.transfer(payload=payload)
    row = _row(client, "transfer")
    assert (row.destination, row.key, row.payload) == ("amq.topic", b"a.b", b"body")
    assert (row.kind, row.headers, row.error) == ("message", (("h", "1"),), "")
    assert row.detail["properties"] == {"subject": "s"}
    client.receiver("/queues/q", credit=1)
    got = _row(client, "transfer", OUT)
    assert (got.destination, got.key, got.detail["queue"]) == ("amq.topic", b"a.b", "q")
    assert got.detail["annotations"]["x-exchange"] == "amq.topic"
    client.settle(0, "released")
    assert _row(client, "disposition").error == "released"
    assert _row(client, "attach").destination == "/exchanges/amq.topic/a.b"


def test_a_row_of_what_reached_no_queue_says_so(client: Client) -> None:
    client.sender("/exchanges/amq.topic/a.b")
    client.transfer(b"x")
    row = _row(client, "transfer")
    assert (row.error, row.detail["unroutable"]) == ("reached no queue", True)


def test_rows_of_the_beginning_are_readable(client: Client) -> None:
    rows = _rows(client)
    assert [row.operation for row in rows if row.direction == IN] == [
        "protocol header",
        "sasl-init",
        "protocol header",
        "open",
        "begin",
    ]
    init = _row(client, "sasl-init")
    assert "guest" not in repr(init.detail)
    assert _row(client, "open", OUT).detail["properties"]["product"] == "RabbitMQ"


def test_errors_are_the_rows_errors(client: Client) -> None:
    client.receiver("/queues/none")
    detach = _row(client, "detach", OUT)
    assert detach.error == "amqp:not-found: no queue 'none' in vhost '/'"


def test_bytes_that_are_no_frame_make_an_error_row(client: Client) -> None:
    (row,) = client.fake.connection.rows(IN, frame(0, b"\xff"))
    assert (row.operation, row.error) == ("unreadable", "0xff begins no value")
    (row,) = client.fake.connection.rows(IN, b"AMQP\x00\x00\x09\x01")
    assert row.error.startswith("not AMQP 1.0")


def test_a_value_is_shown_as_people_read_it(client: Client) -> None:
    client.sender("/queues/q")
    client.transfer(payload=message.value_section({Symbol("k"): [1, "x"]}))
    assert _row(client, "transfer").detail["value"] == {"k": [1, "x"]}
    assert HEADER.startswith(b"AMQP")


def test_a_moment_that_is_none_is_named(client: Client) -> None:
    unit = frame(
        0,
        performatives.write("transfer", handle=0, delivery_id=0, delivery_tag=b"t")
        + message.data_section(b"x"),
    )
    changes = {0: Changes(properties={"creation-time": "soon"})}
    with pytest.raises(InvalidInput, match="creation-time is a whole number, not 'soon'"):
        client.peer.connection.edit(IN, unit, changes)
