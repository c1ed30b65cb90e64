"""What takes long is done in slices, others come between, and it ends with its connection."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from mockforge_brokers.amqp.events import ConsumerEnded, MessagesRequeued
from mockforge_brokers.amqp.state.memory import COST
from mockforge_brokers.amqp.state.queues.governed import GovernedQueue
from mockforge_brokers.amqp.state.queues.quorum import QuorumQueue
from mockforge_brokers.amqp.v1_0.wire import message, performatives
from mockforge_brokers.amqp.v1_0.wire.frames import frame, performative
from mockforge_brokers.amqp.wire.frames import method
from mockforge_brokers.limits import Limits

from ..fake_peer import finish
from .client import AT_LEAST_ONCE, Client, Scene, bodies, names, publish
from .test_governed import declare, drain, held
from .v1_0.client import Client as LaterClient


def hurried(limits: Limits | None = None) -> Scene:
    """Each look at the time finds the turn to be up."""
    scene = Scene(limits=limits)
    turn = scene.environment.turn
    turn.now, turn.length = count().__next__, 0.0
    return scene


def test_messages_without_a_body_fill_the_memory_too() -> None:
    scene = Scene(limits=Limits(amqp_memory=10 * COST))
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.fake.send(publish("", "q", b"") * 11)
    assert "connection.blocked" in names(client.received())
    assert scene.broker.memory.used == 11 * COST
    scene.broker.purge_queue("q")
    assert scene.broker.memory.used == 0


def test_what_a_vanished_client_had_comes_back_in_slices() -> None:
    scene = hurried()
    taker, other = scene.client(), scene.client()
    taker.send("queue.declare", queue="q")
    other.fake.send(publish("", "q", b"x") * 2000)
    taker.send("basic.consume", queue="q")
    taker.fake.vanish()
    assert scene.environment.chores.waiting
    assert names(other.send("queue.declare", queue="q", passive=True)) == ["queue.declare-ok"]
    assert scene.broker.memory.used == 2000 * (1 + COST)
    scene.advance(0)
    assert scene.emitted(MessagesRequeued)[0].messages == 2000
    back = other.send("basic.get", queue="q")[0]
    assert (back["redelivered"], back["message_count"]) == (True, 1999)


def test_a_consumer_of_a_connection_that_ends_gets_nothing_more() -> None:
    scene = hurried()
    taker, other = scene.client(), scene.client()
    for number in range(5):
        taker.send("queue.declare", queue=f"q{number}")
        taker.send("basic.consume", queue=f"q{number}")
    taker.fake.vanish()
    other.publish("", "q4", b"after")
    scene.advance(0)
    assert other.send("basic.get", queue="q4")[0].body == b"after"
    assert not scene.emitted(MessagesRequeued)


def test_a_million_messages_are_purged_in_slices_and_counted_at_once() -> None:
    scene = hurried()
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.fake.send(publish("", "q", b"x") * 3000)
    (purged,) = client.send("queue.purge", queue="q")
    assert purged["message_count"] == 3000
    assert scene.broker.memory.used > 0
    assert client.send("queue.declare", queue="q", passive=True)[0]["message_count"] == 0
    scene.advance(0)
    assert scene.broker.memory.used == 0


def test_a_restart_finds_what_was_still_on_its_way_back() -> None:
    scene = hurried()
    taker = scene.client()
    taker.send("queue.declare", queue="q", durable=True)
    taker.fake.send(publish("", "q", b"x", delivery_mode=2) * 1000)
    taker.send("basic.consume", queue="q")
    taker.fake.vanish()
    scene.broker.restart()
    assert len(scene.broker.vhost().queues["q"].messages) == 1000


@pytest.mark.parametrize("confirming", [False, True])
def test_others_are_served_while_a_message_goes_to_very_many_queues(confirming: bool) -> None:
    scene = hurried()
    client, other = scene.client(), scene.client()
    for number in range(1000):
        scene.broker.vhost().declare_queue(f"wide-{number}")
        scene.broker.vhost().bind_queue(f"wide-{number}", "amq.fanout", "", {})
    if confirming:
        client.send("confirm.select")
    connection = client.fake.connection
    connection.receive(publish("amq.fanout", "", b"x") * 2)
    assert connection.unfinished
    assert not connection.out, "it is confirmed when all queues have it"
    assert scene.broker.vhost().queues["wide-0"].messages
    assert not scene.broker.vhost().queues["wide-999"].messages
    scene.broker.vhost().delete_queue("wide-999")
    assert other.send("queue.declare", queue="q")[0].name == "queue.declare-ok"
    finish(connection)
    assert bool(connection.out) == confirming
    assert len(scene.broker.vhost().queues["wide-998"].messages) == 2
    assert scene.broker.memory.used == 2 * 999 * (1 + COST)


def test_who_comes_behind_a_message_to_very_many_queues_does_not_overtake_it() -> None:
    scene = hurried()
    client = scene.client()
    queues = [f"wide-{number}" for number in range(1000)]
    for name in queues:
        scene.broker.vhost().declare_queue(name)
    # The keys of CC, so that both are publishes of the same method frame.
    first = publish("", "nowhere", b"first", headers={"CC": queues})
    second = publish("", "nowhere", b"second", headers={"CC": queues[-1:]})
    connection = client.fake.connection
    connection.receive(first + second)
    assert connection.unfinished
    finish(connection)
    assert [client.send("basic.get", queue=queues[-1], no_ack=True)[0].body for _ in "12"] == [
        b"first",
        b"second",
    ]


def _expires(client: Client) -> None:
    declare(client, x_dead_letter_exchange="amq.fanout", x_message_ttl=1000)
    client.fake.send(publish("", "q", b"1") + publish("", "q", b"2"))


def _is_dropped(client: Client) -> None:
    declare(client, x_dead_letter_exchange="amq.fanout", x_max_length=1)
    client.fake.send(b"".join(publish("", "q", body) for body in (b"1", b"2", b"3")))


def _is_rejected(client: Client) -> None:
    declare(client, x_dead_letter_exchange="amq.fanout")
    client.fake.send(publish("", "q", b"1") + publish("", "q", b"2"))
    client.send("basic.consume", queue="q", consumer_tag="c")
    client.fake.send(method(1, "basic.nack", delivery_tag=0, multiple=True, requeue=False))


@pytest.mark.parametrize("die", [_expires, _is_dropped, _is_rejected])
def test_others_are_served_while_a_dead_letter_goes_to_very_many_queues(
    die: Callable[[Client], None],
) -> None:
    scene = hurried()
    client, other = scene.client(), scene.client()
    wide(scene)
    other.send("queue.declare", queue="dead")
    there = {"x_dead_letter_exchange": "", "x_dead_letter_routing_key": "dead"}
    declare(other, "others", x_max_length=0, **there)
    queues, memory = scene.broker.vhost().queues, scene.broker.memory
    seen: list[tuple[int, int]] = []

    def look() -> None:
        seen.append((len(queues["wide-0"].messages), len(queues["wide-999"].messages)))
        other.publish("", "others", b"other")
        # Nobody waits for it but those of the same queue.
        assert held(other, "dead") == [b"other"]

    die(client)
    if not queues["wide-0"].messages:
        scene.clock.call_later(1.0, look)
        scene.advance(1.0)
    else:
        look()
        scene.advance(0)
    assert seen == [(1, 0)]
    assert held(other, "wide-0") == held(other, "wide-999") == [b"1", b"2"]
    assert memory.used == (2 * 998 + len(queues["q"].messages)) * (1 + COST)


def test_what_waits_behind_a_dead_letter_for_very_many_queues_takes_memory() -> None:
    scene = hurried()
    client = scene.client()
    wide(scene)
    declare(client, x_dead_letter_exchange="amq.fanout", x_max_length=0)
    memory, queues = scene.broker.memory, scene.broker.vhost().queues
    client.fake.send(publish("", "q", b"first") + publish("", "q", b"x" * 10_000) * 5)
    assert memory.used >= 5 * 10_000
    scene.advance(0)
    assert len(queues["wide-999"].messages) == 6
    assert memory.used == 1000 * (5 + COST + 5 * (10_000 + COST))


def test_a_dead_letter_reaches_very_many_queues_before_those_that_die_of_it() -> None:
    scene = hurried()
    client = scene.client()
    wide(scene)
    # The first of them has no room, and its own dead letters go to the last.
    there = {"dead-letter-exchange": "", "dead-letter-routing-key": "wide-999"}
    scene.broker.set_policy("p", "^wide-0$", {"max-length": 0, **there})
    scene.advance(0)
    declare(client, x_dead_letter_exchange="amq.fanout", x_max_length=0)
    client.publish("", "q", b"x")
    scene.advance(0)
    ways = [(got["exchange"], got["routing_key"]) for got in drain(client, "wide-999")]
    assert ways == [("amq.fanout", "q"), ("", "wide-999")]


def test_dead_letters_behind_one_for_very_many_queues_go_where_they_did_as_they_died() -> None:
    scene = hurried()
    client = scene.client()
    # A policy is taken from the first queue first.
    client.send("queue.declare", queue="q")
    wide(scene)
    dead = {"dead-letter-exchange": "amq.fanout", "dead-letter-routing-key": "dead"}
    scene.broker.set_policy("p", "^q$", dead)
    scene.advance(0)
    client.fake.send(publish("", "q", b"1") + publish("", "q", b"2") + publish("", "q", b"3"))
    client.send("basic.consume", queue="q", consumer_tag="c")
    client.send("basic.cancel", consumer_tag="c")
    connection = client.fake.connection
    connection.receive(method(1, "basic.nack", delivery_tag=0, multiple=True, requeue=False))
    scene.broker.remove_policy("p")
    assert not scene.broker.vhost().queues["wide-999"].messages
    finish(connection)
    scene.advance(0)
    assert [got["routing_key"] for got in drain(client, "wide-999")] == ["dead"] * 3
    assert held(client, "q") == []


def test_a_dead_letter_that_waits_for_a_queue_goes_nowhere_once_its_queues_policy_went() -> None:
    scene = Scene()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=AT_LEAST_ONCE)
    dead = {"dead-letter-exchange": "", "dead-letter-routing-key": "dead"}
    scene.broker.set_policy("p", "^q$", dead)
    client.publish("", "q", b"x")
    client.send("basic.get", queue="q")
    client.send("basic.reject", delivery_tag=1, requeue=False)
    queue = scene.broker.vhost().queues["q"]
    assert isinstance(queue, QuorumQueue)
    assert len(queue.undelivered) == 1
    scene.broker.remove_policy("p")
    queue.retry()
    assert held(client, "q") == []
    assert len(queue.undelivered) == 1


def wide(scene: Scene) -> None:
    """Very many queues, which amq.fanout leads to."""
    for number in range(1000):
        scene.broker.vhost().declare_queue(f"wide-{number}")
        scene.broker.vhost().bind_queue(f"wide-{number}", "amq.fanout", "", {})


def test_others_are_served_while_a_message_that_expires_goes_to_very_many_queues() -> None:
    scene = hurried()
    client = scene.client()
    wide(scene)
    connection = client.fake.connection
    connection.receive(publish("amq.fanout", "", b"x", expiration="1000"))
    assert connection.unfinished
    finish(connection)
    assert len(scene.broker.vhost().queues["wide-999"].messages) == 1
    scene.advance(1)
    assert scene.broker.memory.used == 0


def test_messages_of_a_commit_come_in_their_order_to_very_many_queues() -> None:
    scene = hurried()
    client = scene.client()
    wide(scene)
    client.send("tx.select")
    client.publish("amq.fanout", "", b"1")
    client.publish("", "wide-999", b"2")
    connection = client.fake.connection
    connection.receive(method(1, "tx.commit"))
    assert connection.unfinished
    assert not scene.broker.vhost().queues["wide-999"].messages
    finish(connection)
    client.fake.flush()
    assert names(client.received()) == ["tx.commit-ok"]
    assert held(client, "wide-999") == [b"1", b"2"]


@pytest.mark.parametrize("end", ["vanish", "close"])
def test_a_commit_that_its_connection_does_not_live_to_see_gives_back_what_it_acknowledged(
    end: str,
) -> None:
    scene = hurried()
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.publish("", "q", b"old")
    wide(scene)
    client.send("basic.get", queue="q")
    client.send("tx.select")
    client.send("basic.ack", delivery_tag=1)
    for _ in range(2):
        client.publish("amq.fanout", "", b"new")
    connection = client.fake.connection
    connection.receive(method(1, "tx.commit"))
    if end == "vanish":
        client.fake.vanish()
    else:
        scene.broker.disconnect(client.peer.id, "enough")
    scene.advance(1)
    other = scene.client()
    for number in range(1000):
        other.send("queue.purge", queue=f"wide-{number}")
    assert held(other, "q") == [b"old"]
    assert scene.broker.memory.used == 0


@pytest.mark.parametrize("vanish", [False, True])
def test_what_dies_in_the_first_of_very_many_queues_comes_behind_the_message_itself(
    vanish: bool,
) -> None:
    scene = hurried()
    client, other = scene.client(), scene.client()
    for key in ("wide-1", "wide-999"):
        dead = {"x_dead_letter_exchange": "", "x_dead_letter_routing_key": key}
        declare(other, f"to-{key}", x_message_ttl=0, **dead)
        other.send("queue.bind", queue=f"to-{key}", exchange="amq.fanout")
    wide(scene)
    connection = client.fake.connection
    connection.receive(publish("amq.fanout", "", b"x"))
    assert connection.unfinished
    if vanish:
        client.fake.vanish()
    else:
        # The dead letters of others do not wait for it.
        other.publish("", "to-wide-1", b"other")
        assert held(other, "wide-1") == [b"x", b"other"]
        finish(connection)
    came = [] if vanish else ["amq.fanout"]
    assert [got["exchange"] for got in drain(other, "wide-999")] == [*came, ""]


def test_a_publish_to_very_many_queues_ends_with_its_connection() -> None:
    scene = hurried()
    client = scene.client()
    for number in range(1000):
        scene.broker.vhost().declare_queue(f"wide-{number}")
        scene.broker.vhost().bind_queue(f"wide-{number}", "amq.fanout", "", {})
    client.fake.connection.receive(publish("amq.fanout", "", b"x") * 2)
    client.fake.vanish()
    scene.advance(1)
    assert not scene.broker.vhost().queues["wide-999"].messages


def test_bindings_that_led_to_a_queue_go_with_it_and_no_others() -> None:
    scene = Scene()
    vhost = scene.broker.vhost()
    vhost.declare_exchange("auto", "fanout", auto_delete=True)
    for queue in ("a", "b"):
        vhost.declare_queue(queue)
        for exchange in ("amq.fanout", "auto", "amq.direct"):
            vhost.bind_queue(queue, exchange, "key", {})
    vhost.unbind_queue("a", "amq.direct", "key", {})
    vhost.delete_queue("a")
    assert [len(vhost.exchange(each).bindings) for each in ("amq.fanout", "auto")] == [1, 1]
    vhost.delete_queue("b")
    assert "auto" not in vhost.exchanges, "its last binding went"
    assert not any(exchange.bindings for exchange in vhost.exchanges.values())


def test_a_burst_that_fills_the_memory_waits_in_its_midst() -> None:
    scene = hurried(Limits(amqp_memory=1_000 * COST))
    client, other = scene.client(), scene.client()
    client.send("queue.declare", queue="q")
    client.send("queue.declare", queue="kept")
    client.fake.send(publish("", "q", b"") * 10_000)
    assert scene.broker.memory.used < 1_300 * COST
    assert names(client.received()) == ["connection.blocked"]
    for _ in range(100):
        if scene.broker.vhost().queues["q"].published == 10_000:
            break
        other.send("queue.purge", queue="q")
        scene.advance(0)
    assert scene.broker.vhost().queues["q"].published == 10_000
    assert scene.broker.memory.used <= 1_300 * COST


def test_a_client_that_vanishes_while_it_must_wait_publishes_no_more() -> None:
    scene = hurried(Limits(amqp_memory=10 * COST))
    client, other = scene.client(), scene.client()
    client.send("queue.declare", queue="q")
    client.fake.send(publish("", "q", b"") * 1000)
    before = scene.broker.vhost().queues["q"].published
    client.fake.vanish()
    other.send("queue.purge", queue="q")
    scene.advance(1)
    assert scene.broker.vhost().queues["q"].published == before


def ageing(scene: Scene, do: Callable[[Client], object], **arguments: Any) -> Client:
    """`do` is done while 2000 messages of a queue are over, but for a living one behind them, and
    only some of them are taken out."""
    client = scene.client()
    declare(client, x_message_ttl=1000, **arguments)
    client.fake.send(publish("", "q", b"over") * 2000)
    scene.clock.call_later(0.5, lambda: client.publish("", "q", b"alive"))
    queue = scene.broker.vhost().queues["q"]

    def look() -> None:
        assert 1 < len(queue.messages) < 2001
        do(client)

    scene.clock.call_later(1.0, look)
    scene.advance(1.0)
    return client


@pytest.mark.parametrize("dead", [{}, {"x_dead_letter_exchange": "", "x_max_priority": 2}])
def test_others_are_served_while_very_many_messages_expire(dead: dict[str, Any]) -> None:
    scene = hurried()
    came = []

    def ask(client: Client) -> None:
        came.extend(names(scene.client().send("queue.declare", queue="other")))

    if dead:
        dead["x_dead_letter_routing_key"] = "dead"
        scene.broker.declare_queue("dead")
    client = ageing(scene, ask, **dead)
    assert came == ["queue.declare-ok"]
    assert held(client) == [b"alive"]
    if dead:
        assert len(scene.broker.vhost().queues["dead"].messages) == 2000
        scene.broker.purge_queue("dead")
        scene.advance(0)
    assert scene.broker.memory.used == 0


def test_whoever_comes_while_messages_expire_gets_a_living_one() -> None:
    scene = hurried()
    came: list[bytes] = []

    def get(client: Client) -> None:
        came.append(client.send("basic.get", queue="q", no_ack=True)[0].body)

    ageing(scene, get)
    assert came == [b"alive"]


GET = method(1, "basic.get", queue="q", no_ack=True)


def test_others_are_served_while_a_get_waits_for_what_expires() -> None:
    scene = hurried()
    getter, other = scene.client(), scene.client()
    came: list[str] = []

    def get(client: Client) -> None:
        connection = getter.fake.connection
        connection.receive(GET + GET)
        assert connection.unfinished
        assert not connection.out
        came.extend(names(other.send("queue.declare", queue="other")))
        finish(connection)
        getter.fake.flush()

    client = ageing(scene, get)
    got = getter.received()
    assert came == ["queue.declare-ok"]
    assert names(got) == ["basic.get-ok", "basic.get-empty"]
    assert (got[0].body, got[0]["message_count"]) == (b"alive", 0)
    assert held(client) == []
    assert scene.broker.memory.used == 0


@pytest.mark.parametrize("end", ["vanish", "queue"])
def test_a_get_that_waits_for_what_expires_takes_nothing_when_it_is_too_late(end: str) -> None:
    scene = hurried()
    getter = scene.client()

    def get(client: Client) -> None:
        connection = getter.fake.connection
        connection.receive(GET)
        assert connection.unfinished
        if end == "vanish":
            getter.fake.vanish()
            return
        scene.broker.vhost().delete_queue("q")
        finish(connection)
        getter.fake.flush()
        assert names(getter.received()) == ["basic.get-empty"]
        client.send("queue.declare", queue="q")

    client = ageing(scene, get)
    assert held(client) == ([b"alive"] if end == "vanish" else [])
    scene.advance(1)
    assert scene.broker.memory.used == 0


def test_a_consumer_that_comes_while_messages_expire_gets_the_living_ones_behind_them() -> None:
    scene = hurried()

    def consume(client: Client) -> None:
        client.send("basic.consume", queue="q", consumer_tag="c", no_ack=True)
        client.publish("", "q", b"new")

    client = ageing(scene, consume)
    assert bodies(client.received()) == [b"alive", b"new"]
    assert scene.broker.memory.used == 0


def test_what_expires_is_no_reason_to_drop_a_living_message() -> None:
    scene = hurried()
    client = ageing(scene, lambda client: client.publish("", "q", b"new"), x_max_length=2001)
    assert held(client) == [b"alive", b"new"]
    queue = scene.broker.vhost().queues["q"]
    assert isinstance(queue, GovernedQueue)
    assert (queue.expired, queue.dropped) == (2000, 0)


def test_what_expires_is_no_reason_to_refuse_a_message() -> None:
    scene = hurried()

    def fill(client: Client) -> None:
        client.fake.send(publish("", "q", b"new") * 1000)

    client = ageing(scene, fill, x_max_length=2001, x_overflow="reject-publish")
    assert held(client) == [b"alive"] + [b"new"] * 1000
    queue = scene.broker.vhost().queues["q"]
    assert isinstance(queue, GovernedQueue)
    assert (queue.expired, queue.dropped) == (2000, 0)


def test_of_what_expires_no_more_goes_at_once_than_a_message_needs_room() -> None:
    scene = hurried()
    wide(scene)
    client = scene.client()
    dead = {"x_dead_letter_exchange": "amq.fanout", "x_message_ttl": 1000}
    declare(client, x_max_length_bytes=300, x_overflow="reject-publish", **dead)
    client.fake.send(publish("", "q", b"x") * 300)
    queues = scene.broker.vhost().queues
    queue = queues["q"]
    assert isinstance(queue, GovernedQueue)
    seen: list[int] = []

    def look() -> None:
        client.publish("", "q", b"0123456789")
        seen.append(queue.expired)

    scene.clock.call_later(1.0, look)
    scene.advance(1.0)
    assert seen == [10]
    assert (queue.published, queue.dropped) == (301, 0)
    assert len(queues["wide-999"].messages) == 300


def test_what_expires_behind_a_living_message_goes_in_steps_when_that_is_taken() -> None:
    scene = hurried()
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.publish("", "q", b"first")
    client.fake.send(publish("", "q", b"over", expiration="1") * 2000)
    client.publish("", "q", b"last")
    scene.advance(1)
    got = client.send("basic.consume", queue="q", consumer_tag="c", no_ack=True)
    assert bodies(got) == [b"first"]
    assert 1 < len(scene.broker.vhost().queues["q"].messages) < 2001
    client.publish("", "q", b"new")
    scene.advance(0)
    assert bodies(client.received()) == [b"last", b"new"]
    assert scene.broker.memory.used == 0


def test_messages_that_are_soon_over_do_not_keep_the_others_waiting_for_ever() -> None:
    scene = hurried()
    lengths, came = [], []

    def burst(client: Client, left: int) -> None:
        client.fake.send(publish("", "q", b"over", expiration="0") * 300)
        lengths.append(len(scene.broker.vhost().queues["q"].messages))
        if left:
            scene.clock.call_later(0, lambda: burst(client, left - 1))
        else:
            came.extend(bodies(client.received()))

    def consume(client: Client) -> None:
        client.send("basic.consume", queue="q", consumer_tag="c", no_ack=True)
        burst(client, 20)

    ageing(scene, consume, x_max_length=2001)
    assert max(lengths) < 2001
    assert came[0] == b"alive"


def test_a_queue_may_go_while_its_messages_expire() -> None:
    scene = hurried()
    ageing(scene, lambda client: client.send("queue.delete", queue="q"))
    assert scene.broker.memory.used == 0


def long_queue(scene: Scene, count: int = 2000) -> Client:
    # What a policy causes begins at once, and is not done at once.
    scene.environment.turn.length = 3
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.fake.send(b"".join(publish("", "q", b"%05d" % number) for number in range(count)))
    return client


@pytest.mark.parametrize("definition", [{"max-length": 10}, {"max-length-bytes": 50}])
def test_a_long_queue_that_a_policy_shortens_is_shortened_in_steps(
    definition: dict[str, Any],
) -> None:
    scene = hurried()
    client = long_queue(scene)
    scene.broker.set_policy("short", "^q$", definition)
    queue = scene.broker.vhost().queues["q"]
    assert 10 < len(queue.messages) < 2000 or "max-length" not in definition
    assert len(queue.messages) > 10
    assert client.send("basic.get", queue="q", no_ack=True)[0].name == "basic.get-ok"
    client.publish("", "q", b"newer")
    scene.advance(0)
    assert held(client) == [b"%05d" % number for number in range(1991, 2000)] + [b"newer"]
    assert scene.broker.memory.used == 0


def test_dead_letters_of_a_queue_that_is_shortened_come_in_their_order() -> None:
    scene = hurried()
    client = long_queue(scene)
    client.send("queue.declare", queue="dead")
    dead = {"dead-letter-exchange": "", "dead-letter-routing-key": "dead"}
    scene.broker.set_policy("short", "^q$", {"max-length": 10, **dead})
    scene.advance(0)
    assert held(client, "dead") == [b"%05d" % number for number in range(1990)]


def test_a_queue_may_go_while_it_is_shortened() -> None:
    scene = hurried()
    client = long_queue(scene)
    scene.broker.set_policy("short", "^q$", {"max-length": 10})
    client.send("queue.delete", queue="q")
    scene.advance(0)
    assert scene.broker.memory.used == 0


def test_a_queue_whose_limit_is_lifted_while_it_is_shortened_keeps_the_rest() -> None:
    scene = hurried()
    long_queue(scene)
    scene.broker.set_policy("short", "^q$", {"max-length": 10})
    scene.broker.remove_policy("short")
    scene.advance(0)
    assert 10 < len(scene.broker.vhost().queues["q"].messages) < 2000


def test_messages_stay_what_they_are_when_a_plain_queue_gets_rules() -> None:
    scene = hurried()
    long_queue(scene)
    queue = scene.broker.vhost().queues["q"]
    before = list(queue.messages)
    scene.broker.set_policy("ttl", "^q$", {"message-ttl": 1000})
    scene.advance(0)
    assert isinstance(queue, GovernedQueue)
    assert all(one is other for one, other in zip(queue.messages, before, strict=True))


def test_a_policy_of_very_many_queues_is_applied_in_steps_and_the_last_one_holds() -> None:
    scene = hurried()
    wide(scene)
    vhost = scene.broker.vhost()
    scene.broker.set_policy("p", "^wide", {"max-length": 1})
    assert vhost.queues["wide-999"].plain
    assert scene.client().send("queue.declare", queue="other")[0].name == "queue.declare-ok"
    vhost.declare_queue("wide-new")
    scene.broker.set_policy("p", "^wide", {"max-length": 2})
    vhost.delete_queue("wide-998")
    scene.advance(0)
    limits = {
        queue.policy.max_length if isinstance(queue, GovernedQueue) else None
        for name, queue in vhost.queues.items()
        if name != "other"
    }
    assert limits == {2}


def test_dead_letters_that_found_no_queue_are_tried_again_in_steps() -> None:
    scene = hurried()
    client = scene.client()
    arguments = {
        **AT_LEAST_ONCE,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "dead",
        "x-message-ttl": 1,
    }
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    queue = scene.broker.vhost().queues["q"]
    assert isinstance(queue, QuorumQueue)
    client.fake.send(publish("", "q", b"x") * 1000)
    scene.advance(1)
    assert len(queue.undelivered) == 1000
    client.send("queue.declare", queue="dead")
    queue.retry()
    assert 0 < len(queue.undelivered) < 1000
    scene.advance(0)
    assert not queue.undelivered
    assert len(scene.broker.vhost().queues["dead"].messages) == 1000
    assert scene.broker.memory.used == 1000 * (1 + COST)


@pytest.mark.parametrize("ttl", [None, 1000])
def test_others_are_served_while_a_message_of_amqp_1_0_goes_to_very_many_queues(
    ttl: int | None,
) -> None:
    scene = hurried()
    client, other = LaterClient(scene).connect(), scene.client()
    wide(scene)
    client.sender("/exchanges/amq.fanout")
    header = b"" if ttl is None else message.header(ttl=ttl)
    sent = performatives.write("transfer", handle=0, delivery_id=0, delivery_tag=b"t")
    connection = client.fake.connection
    connection.receive(frame(0, sent + header + message.data_section(b"x")))
    assert connection.unfinished
    assert not connection.out, "it is accepted when all queues have it"
    assert scene.broker.vhost().queues["wide-0"].messages
    assert not scene.broker.vhost().queues["wide-999"].messages
    assert other.send("queue.declare", queue="q")[0].name == "queue.declare-ok"
    finish(connection)
    client.fake.flush()
    (disposition,) = client.received()
    assert disposition.state == "accepted"
    assert len(scene.broker.vhost().queues["wide-999"].messages) == 1


@pytest.mark.parametrize("end", ["vanish", "detach", "close"])
def test_a_link_may_go_while_its_message_goes_to_very_many_queues(end: str) -> None:
    scene = hurried()
    client = LaterClient(scene).connect()
    wide(scene)
    client.sender("/exchanges/amq.fanout")
    sent = performatives.write("transfer", handle=0, delivery_id=0, delivery_tag=b"t")
    connection = client.fake.connection
    connection.receive(frame(0, sent + message.data_section(b"x")))
    if end == "vanish":
        client.fake.vanish()
    elif end == "close":
        scene.broker.disconnect(client.peer.id, "enough")
    else:
        connection.receive(performative(0, "detach", handle=0, closed=True))
    scene.advance(0)
    finish(connection)
    assert scene.client().send("queue.declare", queue="q")[0].name == "queue.declare-ok"
    if end == "detach":
        client.fake.flush()
        assert {got.name for got in client.received()} == {"disposition", "detach"}


def test_dead_letters_that_waited_for_a_message_of_amqp_1_0_go_as_its_client_vanishes() -> None:
    scene = hurried()
    client, other = LaterClient(scene).connect(), scene.client()
    dead = {"x_dead_letter_exchange": "", "x_dead_letter_routing_key": "dead"}
    other.send("queue.declare", queue="dead")
    declare(other, "q", x_message_ttl=0, **dead)
    other.send("queue.bind", queue="q", exchange="amq.fanout")
    wide(scene)
    client.sender("/exchanges/amq.fanout")
    sent = performatives.write("transfer", handle=0, delivery_id=0, delivery_tag=b"t")
    connection = client.fake.connection
    connection.receive(frame(0, sent + message.data_section(b"x")))
    assert connection.unfinished
    assert not scene.broker.vhost().queues["dead"].messages
    client.fake.vanish()
    assert len(scene.broker.vhost().queues["dead"].messages) == 1


def test_a_link_ends_though_its_client_vanishes_while_it_is_detached() -> None:
    scene = hurried()
    client, other = LaterClient(scene).connect(), scene.client()
    other.send("queue.declare", queue="q")
    other.fake.send(publish("", "q", b"x") * 900)
    client.receiver("/queues/q", credit=900)
    connection = client.fake.connection
    connection.receive(performative(0, "detach", handle=1, closed=True))
    assert connection.unfinished
    client.fake.vanish()
    scene.advance(1)
    assert [event.reason for event in scene.emitted(ConsumerEnded)] == ["detached by the client"]
    assert len(held(other)) == 900


@pytest.mark.parametrize("put_off", ["more deliveries", "an end"])
def test_what_sessions_put_off_finds_none_of_them_once_their_client_is_gone(put_off: str) -> None:
    scene = hurried()
    client, other = LaterClient(scene).connect(), scene.client()
    client.begin(channel=1, window=5000)
    other.send("queue.declare", queue="q")
    other.fake.send(publish("", "q", b"x" * 1000) * 1200)
    client.receiver("/queues/q", channel=1)
    client.grant(credit=1199, incoming_window=5000, channel=1)
    if put_off == "an end":
        scene.advance(1)
        client.receiver("/queues/q", credit=1, max_message_size=500)
    client.fake.vanish()
    client.fake.connection.let_go()
    scene.advance(1)
    assert len(held(other)) == 1200


@pytest.mark.parametrize("hard", [True, False])
def test_what_ends_bring_about_in_steps_does_not_come_behind_a_restart(hard: bool) -> None:
    scene = Scene()
    turn = scene.environment.turn
    turn.now, turn.length = count().__next__, 5.0
    broker, client = scene.broker, scene.client()
    broker.declare_exchange("dead", "fanout", durable=True)
    for number in range(300):
        broker.declare_queue(f"dead-{number}", durable=True)
        broker.vhost().bind_queue(f"dead-{number}", "dead", "", {})
    dying = {"x-queue-type": "quorum", "x-delivery-limit": 0, "x-dead-letter-exchange": "dead"}
    client.send("queue.declare", queue="q", durable=True, arguments=dying)
    client.fake.send(publish("", "q", b"x", delivery_mode=2) * 20)
    for _ in range(5):
        scene.client().fake.send(method(1, "basic.get", queue="q") * 4)
    broker.restart(hard=hard)
    queues = broker.vhost().queues
    before = [len(queue.messages) for queue in queues.values()]
    assert sum(before) == (20 if hard else 20 * 300)
    for _ in range(100):
        scene.advance(0.001)
    assert [len(queue.messages) for queue in queues.values()] == before
    assert scene.broker.memory.used == sum(before) * (COST + 1)
