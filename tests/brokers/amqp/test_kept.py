"""A restart: what RabbitMQ 3.10.8 keeps is there again, all else is gone."""

import msgspec
import pytest
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.state.memory import COST
from mockforge_brokers.events import BrokerRestarted
from mockforge_brokers.snapshots import DestinationView

from .client import Client, Scene, bodies, names

PERSISTENT = {"delivery_mode": 2}


@pytest.fixture
def furnished(scene: Scene) -> Scene:
    """Two of everything: one that lasts and one that does not."""
    client = scene.client()
    for name, durable in (("kept", True), ("lost", False)):
        client.send("queue.declare", queue=name, durable=durable)
        client.send("exchange.declare", exchange=name, exchange_type="topic", durable=durable)
    for queue, exchange in (("kept", "kept"), ("lost", "kept"), ("kept", "lost")):
        client.send("queue.bind", queue=queue, exchange=exchange, routing_key="k.#")
    client.send("queue.bind", queue="kept", exchange="amq.headers", arguments={"n": 1, "s": "x"})
    client.send("exchange.bind", destination="kept", source="amq.fanout", routing_key="z")
    client.send("queue.declare", queue="mine", durable=True, exclusive=True)
    return scene


def look(scene: Scene, name: str, kind: str = "queue") -> DestinationView | None:
    views = scene.broker.destinations()
    return next((one for one in views if (one.name, one.kind) == (name, kind)), None)


def drain(client: Client, queue: str) -> list[tuple[bytes, bool]]:
    """(body, redelivered) of each message in the queue, in order."""
    found = []
    while (got := client.send("basic.get", queue=queue, no_ack=True)[0]).name == "basic.get-ok":
        found.append((got.body, got["redelivered"]))
    return found


def test_durable_entities_are_there_again(furnished: Scene) -> None:
    furnished.broker.restart()
    furnished.advance(0)
    assert look(furnished, "kept") is not None
    assert look(furnished, "lost") is None
    assert look(furnished, "mine") is None
    assert look(furnished, "lost", "exchange") is None
    assert sorted(furnished.broker.bindings()) == [
        ("amq.fanout", "kept", "z"),
        ("amq.headers", "kept", ""),
        ("kept", "kept", "k.#"),
    ]
    client = furnished.client()
    client.publish("amq.headers", "", b"by headers", headers={"n": 1, "s": "x"})
    client.publish("kept", "k.a", b"by topic")
    assert [body for body, _ in drain(client, "kept")] == [b"by headers", b"by topic"]


def test_persistent_messages_are_kept_in_order_and_transient_ones_are_gone(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    for number in range(6):
        mode = 2 if number % 2 else 1
        client.publish("", "q", b"%d" % number, delivery_mode=mode, headers={"n": number})
    client.publish("", "q", b"no mode")
    scene.broker.restart()
    scene.advance(0)
    client = scene.client()
    assert drain(client, "q") == [(b"1", False), (b"3", False), (b"5", False)]


def test_message_keeps_its_properties_exchange_and_key(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("exchange.declare", exchange="gone", exchange_type="fanout")
    client.send("queue.bind", queue="q", exchange="gone")
    client.publish("gone", "some key", b"x", delivery_mode=2, message_id="7", headers={"a": None})
    scene.broker.restart()
    scene.advance(0)
    (got,) = scene.client().send("basic.get", queue="q")
    assert (got["exchange"], got["routing_key"], got.body) == ("gone", "some key", b"x")
    assert got.properties["message_id"] == "7"
    assert list(got.properties["headers"]) == ["a"]


def test_unacked_come_back_redelivered_at_their_old_place(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("basic.qos", prefetch_count=2)
    for number in range(4):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    client.send("basic.consume", queue="q")
    scene.broker.restart()
    scene.advance(0)
    expected = [(b"0", True), (b"1", True), (b"2", False), (b"3", False)]
    assert drain(scene.client(), "q") == expected


def test_clients_are_told_320_and_hung_up_on(scene: Scene) -> None:
    client = scene.client()
    event = scene.broker.restart()
    scene.advance(0)
    (close,) = client.received()
    assert (close["reply_code"], close["reply_text"]) == (
        320,
        "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
    )
    assert client.peer.ended == "closed"
    assert event.connections == 1
    assert scene.emitted(BrokerRestarted) == [event]


def test_event_says_what_was_kept(furnished: Scene) -> None:
    furnished.client().publish("", "kept", b"x", **PERSISTENT)
    event = furnished.broker.restart()
    assert event.kept == "1 exchange, 1 queue with 1 message"


def test_memory_is_counted_anew(scene: Scene) -> None:
    client = scene.client()
    for name, durable in (("kept", True), ("lost", False)):
        client.send("queue.declare", queue=name, durable=durable)
        client.publish("", name, bytes(100), **PERSISTENT)
    assert scene.broker.memory.used == 200 + 2 * COST
    scene.broker.restart()
    assert scene.broker.memory.used == 100 + COST
    scene.broker.purge_queue("kept")
    assert scene.broker.memory.used == 0


def test_redeclaring_after_a_restart_finds_the_same_arguments(scene: Scene) -> None:
    client = scene.client()
    arguments = {"x-queue-type": "classic", "x-message-ttl": 60_000, "x-own": [1, {"a": True}]}
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    scene.broker.restart()
    scene.advance(0)
    came = scene.client().send("queue.declare", queue="q", durable=True, arguments=arguments)
    assert names(came) == ["queue.declare-ok"]


def test_dump_is_plain_changes_nothing_and_counts_what_clients_have(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q\udcff", durable=True)
    for number in range(3):
        client.publish("", "q\udcff", b"%d" % number, **PERSISTENT)
    client.send("basic.get", queue="q\udcff")
    values = msgspec.msgpack.decode(msgspec.msgpack.encode(scene.broker.dump()))
    other = Scene()
    other.broker.restore(values)
    expected = [(b"0", True), (b"1", False), (b"2", False)]
    assert drain(other.client(), "q\udcff") == expected
    assert names(client.send("basic.ack", delivery_tag=1)) == []


def test_waiting_publisher_and_its_message_are_gone_but_not_the_confirmed_ones(
    scene: Scene,
) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("confirm.select")
    assert names(client.publish("", "q", b"1", **PERSISTENT)) == ["basic.ack"]
    from .client import publish

    client.fake.send(publish("", "q", b"2", **PERSISTENT)[:-5])
    scene.broker.restart()
    scene.advance(0)
    assert drain(scene.client(), "q") == [(b"1", False)]


@pytest.mark.table
@pytest.mark.parametrize("at", range(20))
def test_restart_amid_ten_thousand_confirmed_publishes_loses_none(scene: Scene, at: int) -> None:
    """A publisher that sends again what was not confirmed: each number is there afterwards."""
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("confirm.select")
    restart_at = 300 + at * 487
    confirmed = next_number = 0
    first_of_connection = 0
    while confirmed < 10_000:
        if restart_at is not None and next_number >= restart_at:
            scene.broker.restart()
            scene.advance(0)
            restart_at = None
            first_of_connection = next_number = confirmed
            client = scene.client()
            client.send("confirm.select")
        burst = b"".join(_numbered(number) for number in range(next_number, next_number + 50))
        next_number += 50
        client.fake.send(burst)
        for got in client.received():
            assert got.name == "basic.ack"
            confirmed = first_of_connection + got["delivery_tag"]
    kept = [int(body) for body, _ in drain_fast(scene)]
    assert sorted(set(kept)) == list(range(10_000))
    assert kept == sorted(kept)


def _numbered(number: int) -> bytes:
    from .client import publish

    return publish("", "q", b"%d" % number, **PERSISTENT)


def drain_fast(scene: Scene) -> list[tuple[bytes, bool]]:
    """As `drain`, but by a consumer: the broker writes in bursts and goes on in later turns."""
    client = scene.client()
    found = bodies(client.send("basic.consume", queue="q", no_ack=True))
    scene.advance(0)
    while more := bodies(client.received()):
        found += more
        scene.advance(0)
    return [(body, False) for body in found]


def test_options_do_not_matter_for_what_is_kept(scene: Scene) -> None:
    assert AmqpBroker(scene.environment).dump()["format"] == 1


@pytest.mark.parametrize("hard", [False, True])
def test_what_no_commit_confirmed_is_gone(scene: Scene, hard: bool) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("tx.select")
    client.publish("", "q", b"committed", **PERSISTENT)
    client.send("tx.commit")
    client.publish("", "q", b"open", **PERSISTENT)
    scene.broker.restart(hard=hard)
    assert [body for body, _ in drain(scene.client(), "q")] == [b"committed"]
