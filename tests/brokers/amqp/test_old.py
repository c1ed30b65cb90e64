"""Clients of AMQP 0-9 and 0-8, as RabbitMQ 3.10.8 serves them."""

import pytest
from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.wire import frames
from mockforge_brokers.events import ProtocolViolated
from mockforge_brokers.journal import IN, OUT

from .client import Client, Scene, bodies, names, publish


def opened(scene: Scene, header: bytes) -> Client:
    """A connection with channel 1 open; asserts the version that connection.start names."""
    client = scene.stranger()
    client.fake.send(header)
    (start,) = client.received()
    expected = (0, 9) if header.endswith(b"\x00\x09") else (8, 0)
    assert (start["version_major"], start["version_minor"]) == expected
    login = {"mechanism": "PLAIN", "response": "\0guest\0guest", "locale": "en_US"}
    client.send("connection.start-ok", channel=0, client_properties=table({}), **login)
    client.send("connection.tune-ok", channel=0, channel_max=9, frame_max=131_072, heartbeat=0)
    assert names(client.send("connection.open", channel=0, virtual_host="/")) == [
        "connection.open-ok"
    ]
    client.fake.send(frames.method(1, "channel.open"))
    return client


def test_header_of_0_9_is_served_as_0_9_1(scene: Scene) -> None:
    client = opened(scene, b"AMQP\x01\x01\x00\x09")
    assert names(client.received()) == ["channel.open-ok"]
    assert names(client.send("queue.declare", queue="q")) == ["queue.declare-ok"]


@pytest.fixture(params=[b"AMQP\x01\x01\x08\x00", b"AMQP\x01\x01\x09\x01"])
def old(scene: Scene, request: pytest.FixtureRequest) -> Client:
    client = opened(scene, request.param)
    assert client.fake.take() == frames.frame(1, 1, b"\x00\x14\x00\x0b")
    client.send("queue.declare", queue="q")
    return client


CONSUME = frames.frame(1, 1, b"\x00\x3c\x00\x14\x00\x00\x01q\x01c\x00")
CLOSE = frames.frame(1, 0, b"\x00\x0a\x00\x3c\x00\xc8\x03bye\x00\x00\x00\x00")
CLOSE_OK = frames.frame(1, 0, b"\x00\x0a\x00\x3d")


def test_consume_of_0_8_has_no_arguments(old: Client) -> None:
    old.fake.send(CONSUME + publish("", "q", b"x"))
    came = old.received()
    assert names(came) == ["basic.consume-ok", "basic.deliver"]
    assert bodies(came) == [b"x"]


def test_close_of_0_8_has_other_numbers(old: Client) -> None:
    old.fake.send(CLOSE)
    assert old.fake.take() == CLOSE_OK


def test_refused_connection_of_0_8_is_told_so_in_its_numbers(old: Client) -> None:
    old.fake.send(frames.method(7, "queue.declare"))
    assert old.fake.take()[7:11] == b"\x00\x0a\x00\x3c"
    old.fake.send(CLOSE_OK)
    assert old.peer.ended == "closed"


def test_confirms_are_unknown_in_0_8(scene: Scene, old: Client) -> None:
    old.fake.send(frames.method(1, "confirm.select"))
    assert old.peer.ended == "reset"
    assert "no such method" in scene.emitted(ProtocolViolated)[0].reason


def test_rows_of_0_8_have_the_names_of_0_9_1(old: Client) -> None:
    connection = old.fake.connection
    assert connection.rows(IN, CLOSE)[0].operation == "connection.close"
    assert connection.rows(IN, CONSUME)[0].destination == "q"
    assert connection.rows(OUT, CLOSE_OK)[0].operation == "connection.close-ok"
