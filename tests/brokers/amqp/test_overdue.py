"""The consumer timeout: who does not acknowledge in time loses the channel."""

from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.events import RequestDenied

from .client import Client, House, names


def house_with(seconds: float) -> House:
    return House(AmqpOptions(consumer_timeout=seconds, heartbeat=600))


def client_of(house: House) -> Client:
    client = house.client(tune=(2047, 131_072, 600))
    client.send("queue.declare", queue="q")
    return client


def test_delivery_without_ack_closes_its_channel_and_is_ready_again() -> None:
    house = house_with(10)
    client = client_of(house)
    client.publish("", "q", b"x")
    client.send("basic.consume", queue="q")
    house.advance(9)
    assert client.received() == []
    house.advance(2)
    (close,) = client.received()
    assert (close.name, close.channel, close["class_id"], close["method_id"]) == (
        "channel.close",
        1,
        0,
        0,
    )
    assert close["reply_code"] == 406
    assert close["reply_text"] == (
        "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value "
        "used: 10000 ms. This timeout value can be configured, see consumers doc guide to learn "
        "more"
    )
    assert len(house.broker.vhost().queues["q"].messages) == 1
    assert [event.operation for event in house.emitted(RequestDenied)] == ["consumer_timeout"]


def test_what_basic_get_took_counts_too() -> None:
    house = house_with(10)
    client = client_of(house)
    client.publish("", "q", b"x")
    client.send("basic.get", queue="q")
    house.advance(12)
    assert names(client.received()) == ["channel.close"]


def test_consumer_that_acknowledges_in_time_goes_on() -> None:
    house = house_with(10)
    client = client_of(house)
    client.send("basic.consume", queue="q")
    for tag in range(1, 8):
        client.publish("", "q", b"x")
        house.advance(6)
        assert client.send("basic.ack", delivery_tag=tag) == []


def test_delivery_is_measured_from_when_it_went_out_not_from_its_turn() -> None:
    house = house_with(10)
    client = client_of(house)
    client.send("basic.consume", queue="q")
    for _ in range(3):
        client.publish("", "q", b"x")
    house.advance(6)
    client.send("basic.ack", delivery_tag=1)
    house.advance(3)
    client.send("basic.ack", delivery_tag=2)
    house.advance(3)
    assert names(client.received()) == ["channel.close"]


def test_no_timeout_closes_nothing() -> None:
    house = house_with(0)
    client = client_of(house)
    client.publish("", "q", b"x")
    client.send("basic.get", queue="q")
    house.advance(1000)
    assert client.received() == []
