"""Each kind of trouble of the guide's table for AMQP: what a client sees, and how it recovers."""

from collections.abc import Iterator
from typing import Any

import pika
import pytest
from pika.exceptions import AMQPError, AMQPHeartbeatTimeout, ChannelClosedByBroker

from mockforge_tui import MockForge

from .conftest import hits, wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    running.run("queue add q --durable")
    yield running
    running.run("panic")
    running.run("reset -y")


def connect(mockforge: MockForge, heartbeat: int | None = None) -> pika.BlockingConnection:
    parameters = pika.URLParameters(mockforge.amqp.url)
    parameters.heartbeat = heartbeat
    parameters.client_properties = {"connection_name": "dev-7"}
    return pika.BlockingConnection(parameters)


def queued(mockforge: MockForge) -> list[bytes]:
    peek = mockforge.runtime.brokers.amqp.peek
    return [message.payload for message in mockforge.call(peek, "q", 100)]


class Publisher:
    """Publishes with confirms on a connection of its own, and looks when they come."""

    def __init__(self, mockforge: MockForge) -> None:
        self.connection = connect(mockforge)
        self._channel = self.connection.channel()._impl
        self.confirmed: list[tuple[str, int]] = []
        self._channel.confirm_delivery(
            lambda frame: self.confirmed.append((frame.method.NAME, frame.method.delivery_tag))
        )

    def publish(self, body: bytes) -> None:
        self._channel.basic_publish("", "q", body)

    def look(self) -> bool:
        self.connection.process_data_events(0.02)
        return bool(self.confirmed)


def test_a_publisher_whose_confirm_is_lost_publishes_again_and_it_is_there_twice(mockforge):
    mockforge.run("fault add drop op:basic.ack --dir out --once")
    publisher = Publisher(mockforge)
    publisher.publish(b"a")
    wait_for(lambda: publisher.look() or hits(mockforge))
    assert not publisher.confirmed
    publisher.publish(b"a")
    wait_for(publisher.look)
    assert publisher.confirmed == [("Basic.Ack", 2)]
    assert queued(mockforge) == [b"a", b"a"]
    publisher.connection.close()


def test_a_confirm_that_comes_twice_is_for_a_tag_that_is_known_no_more(mockforge):
    mockforge.run("fault add duplicate op:basic.ack --dir out --once")
    publisher = Publisher(mockforge)
    for body in (b"a", b"b"):
        before = len(publisher.confirmed)
        publisher.publish(body)
        wait_for(lambda before=before: publisher.look() and len(publisher.confirmed) > before)
    assert [tag for _, tag in publisher.confirmed] == [1, 1, 2]
    assert queued(mockforge) == [b"a", b"b"]
    publisher.connection.close()


def test_an_acknowledgement_that_is_lost_brings_the_message_again_as_redelivered(mockforge):
    mockforge.run("pub queue:q a")
    mockforge.run("fault add drop op:basic.ack --dir in --once")
    seen: list[tuple[bytes, bool]] = []
    for _ in range(2):
        connection = connect(mockforge)
        channel = connection.channel()
        method, _, body = channel.basic_get("q")
        seen.append((body, method.redelivered))
        channel.basic_ack(method.delivery_tag)
        connection.close()
    assert seen == [(b"a", False), (b"a", True)]
    assert queued(mockforge) == []


def test_a_client_that_hears_no_heartbeat_takes_the_connection_for_dead(mockforge):
    """pika looks at each interval, which is longer than a test may last: called as its timer is."""
    connection = connect(mockforge, heartbeat=20)
    checker = connection._impl._heartbeat_checker
    heard = checker.bytes_received_on_connection
    mockforge.run("clock advance 10s")
    wait_for(
        lambda: (
            connection.process_data_events(0.02) or checker.bytes_received_on_connection > heard
        ),
        20,
    )
    checker._check_heartbeat()
    mockforge.run("fault add drop op:heartbeat --dir out")
    mockforge.run("clock advance 10s")
    wait_for(lambda: connection.process_data_events(0.02) or hits(mockforge))
    checker._check_heartbeat()
    with pytest.raises(AMQPHeartbeatTimeout):
        connection.process_data_events(0.02)
    mockforge.run("fault clear")
    connect(mockforge).close()


def test_two_clients_are_given_the_same_name_for_a_queue(mockforge):
    """The first one's is exclusive: the second meets 405, and asks for another."""
    first, second = connect(mockforge), connect(mockforge)
    name = first.channel().queue_declare("", exclusive=True).method.queue
    mockforge.run(f"fault add set op:queue.declare-ok queue={name} --dir out --once")
    channel = second.channel()
    assert channel.queue_declare("", exclusive=True).method.queue == name
    with pytest.raises(ChannelClosedByBroker, match="RESOURCE_LOCKED"):
        channel.basic_get(name)
    channel = second.channel()
    own = channel.queue_declare("", exclusive=True).method.queue
    assert own != name
    channel.basic_publish("", own, b"a")
    assert channel.basic_get(own, auto_ack=True)[2] == b"a"
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("refuse op:queue.declare NOT_FOUND --text gone --once", 404),
        ("refuse op:exchange.declare PRECONDITION_FAILED --once", 406),
        ("refuse op:basic.consume ACCESS_REFUSED --once", 403),
        ("refuse op:queue.bind RESOURCE_LOCKED --once", 405),
    ],
)
def test_any_method_is_refused_with_a_code_and_works_on_a_new_channel(mockforge, line, code):
    def act(channel: Any) -> None:
        channel.exchange_declare("e", durable=True)
        channel.queue_declare("q", durable=True)
        channel.queue_bind("q", "e", "k")
        channel.basic_consume("q", lambda *args: None)

    mockforge.run(f"fault add {line}")
    connection = connect(mockforge)
    with pytest.raises(ChannelClosedByBroker) as raised:
        act(connection.channel())
    assert raised.value.reply_code == code
    act(connection.channel())
    connection.close()


def test_a_publish_takes_effect_and_the_connection_ends_before_its_confirm(mockforge):
    mockforge.run("fault add disconnect op:basic.publish --after --once")
    channel = connect(mockforge).channel()
    channel.confirm_delivery()
    with pytest.raises(AMQPError):
        channel.basic_publish("", "q", b"a")
    channel = connect(mockforge).channel()
    channel.confirm_delivery()
    channel.basic_publish("", "q", b"a")
    assert queued(mockforge) == [b"a", b"a"]
    channel.connection.close()


def test_what_an_ended_throttle_still_held_up_is_confirmed_at_once(mockforge):
    mockforge.run("fault add throttle op:basic.publish --messages 1/h")
    publisher = Publisher(mockforge)
    for body in (b"a", b"b", b"c"):
        publisher.publish(body)
    wait_for(lambda: publisher.look() or hits(mockforge) == 3)
    assert not publisher.confirmed
    mockforge.run("fault clear")
    wait_for(lambda: publisher.look() and queued(mockforge) == [b"a", b"b", b"c"])
    publisher.connection.close()


def test_a_connection_is_accepted_late(mockforge):
    mockforge.run("fault add delay op:open proto:amqp 1h --once")
    opened: list[Any] = []
    parameters = pika.URLParameters(mockforge.amqp.url)
    connection = pika.SelectConnection(parameters, on_open_callback=opened.append)
    step = connection.ioloop

    def turn() -> None:
        step.call_later(0.02, step.stop)
        step.start()

    wait_for(lambda: turn() or hits(mockforge) == 1)
    turn()
    assert not opened
    mockforge.run("fault clear")
    wait_for(lambda: turn() or opened)
    connection.close()
    wait_for(lambda: turn() or connection.is_closed)
    step.close()
