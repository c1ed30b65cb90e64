"""What the flow pane shows of AMQP frames."""

from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.rows import read_rows
from mockforge_brokers.amqp.wire import frames
from mockforge_brokers.journal import IN, OUT

from .client import Scene, publish


def test_publish_with_its_content_is_one_row() -> None:
    unit = publish("x", "order.paid", b"body", headers={"n": 1}, content_type="text/plain")
    (row,) = read_rows(IN, unit, {})
    assert (row.operation, row.kind) == ("basic.publish", "message")
    assert (row.destination, row.key, row.payload, row.size) == ("x", b"order.paid", b"body", 4)
    assert row.headers == (("n", 1),)
    assert row.detail["properties"] == {"content_type": "text/plain"}
    assert row.detail["routing_key"] == "order.paid"


def test_publish_to_the_default_exchange_is_shown_with_its_queue() -> None:
    (row,) = read_rows(IN, publish("", "jobs", b""), {})
    assert (row.destination, row.payload) == ("jobs", b"")


def test_delivery_names_the_queue_of_its_consumer(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", consumer_tag="c")
    client.fake.send(publish("", "q", b"x"))
    raw = client.fake.take()
    (unit,) = client.fake.connection.splitter(OUT).feed(raw)
    (row,) = client.fake.connection.rows(OUT, unit)
    assert (row.operation, row.detail["queue"], row.destination) == ("basic.deliver", "q", "q")


def test_refusal_shows_its_text_as_the_error() -> None:
    unit = frames.method(1, "channel.close", reply_code=404, reply_text="NOT_FOUND - no queue 'q'")
    assert read_rows(OUT, unit, {})[0].error == "NOT_FOUND - no queue 'q'"
    unit = frames.method(0, "connection.close", reply_code=200, reply_text="OK")
    assert read_rows(IN, unit, {})[0].error == ""


def test_arguments_are_shown_as_plain_values() -> None:
    unit = frames.method(1, "queue.declare", queue="q", arguments=table({"x-expires": 5}))
    (row,) = read_rows(IN, unit, {})
    assert (row.destination, row.detail["arguments"]) == ("q", {"x-expires": 5})


def test_heartbeats_are_noise() -> None:
    (row,) = read_rows(IN, frames.HEARTBEAT_FRAME, {})
    assert (row.operation, row.kind) == ("heartbeat", "noise")


def test_protocol_header_is_a_row() -> None:
    assert read_rows(IN, frames.PROTOCOL_HEADER, {})[0].operation == "protocol header"
    assert "not AMQP 0-9-1" in read_rows(IN, b"AMQP\x00\x02\x00\x00", {})[0].error
    # A client of 1.0 begins with it, before it is known to be one.
    assert not any(read_rows(IN, header, {})[0].error for header in frames.LATER_HEADERS)


def test_bad_bytes_become_a_row_with_an_error() -> None:
    for bad in (b"", b"\x01", b"GET / HTTP", frames.frame(1, 1, b"\x00\x63\x00\x63")):
        assert read_rows(IN, bad, {})[0].error
    assert "1 bytes" in read_rows(IN, frames.frame(1, 1, b"\x00\x14\x00\x0a\x01"), {})[0].error


@given(st.integers(1, 9), st.binary(max_size=80))
def test_no_bytes_make_it_raise(kind: int, payload: bytes) -> None:
    read_rows(IN, frames.frame(kind, 1, payload), {})
    read_rows(OUT, payload, {})
    read_rows(IN, publish("x", "k")[:-1] + b"\xce" + frames.frame(3, 1, payload), {})


def test_name_that_is_not_utf8_can_be_shown() -> None:
    unit = frames.method(1, "queue.declare", queue="a\udcff")
    (row,) = read_rows(IN, unit, {})
    assert row.destination == row.detail["queue"] == "a\N{REPLACEMENT CHARACTER}"
