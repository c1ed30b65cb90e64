"""What a client settles, or does not want, may be a million messages: others come between."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mockforge_brokers.amqp.state.memory import COST
from mockforge_brokers.amqp.v1_0.wire.frames import performative
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.values import Symbol
from mockforge_brokers.amqp.wire.frames import method
from mockforge_brokers.limits import Limits

from ..fake_peer import finish
from .client import Client, Scene, bodies, names, publish
from .test_governed import declare, held
from .test_slices import hurried
from .test_streams import declare as declare_stream
from .v1_0.client import Client as LaterClient


def consume(scene: Scene, client: Client) -> None:
    """Have all that waits given to it, which takes some turns."""
    client.send("basic.consume", queue="q", consumer_tag="c")
    scene.advance(0)
    scene.environment.chores.finish()


def rejecting(scene: Scene, count: int = 300) -> Client:
    """A client that has so many messages unacked, whose dead letters go to another queue."""
    client = scene.client()
    client.send("queue.declare", queue="dead")
    declare(client, x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
    client.fake.send(b"".join(publish("", "q", b"%d" % number) for number in range(count)))
    consume(scene, client)
    return client


def nack(requeue: bool, tag: int = 0) -> bytes:
    return method(1, "basic.nack", delivery_tag=tag, multiple=not tag, requeue=requeue)


@pytest.mark.parametrize("end", ["wait", "vanish", "close"])
def test_others_are_served_while_very_many_messages_are_rejected(end: str) -> None:
    scene = hurried()
    client, other = rejecting(scene), scene.client()
    connection = client.fake.connection
    connection.receive(nack(requeue=False))
    assert connection.unfinished
    assert 0 < len(scene.broker.vhost().queues["dead"].messages) < 300
    assert names(other.send("queue.declare", queue="q", passive=True)) == ["queue.declare-ok"]
    if end == "vanish":
        client.fake.vanish()
    elif end == "close":
        scene.broker.disconnect(client.peer.id, "enough")
    finish(connection)
    scene.advance(1)
    queues = scene.broker.vhost().queues
    assert (len(queues["q"].messages), queues["q"].unacked) == (0, 0)
    assert held(other, "dead") == [b"%d" % number for number in range(300)]
    assert scene.broker.memory.used == 0


@pytest.mark.parametrize("requeue", [True, False])
@pytest.mark.parametrize(("tag", "refused"), [(1100, False), (1101, True)])
def test_a_stream_s_message_counts_only_up_to_the_tag(
    tag: int, refused: bool, requeue: bool
) -> None:
    scene = Scene()
    client = rejecting(scene, 1100)
    declare_stream(client, "s")
    client.send("basic.qos", prefetch_count=10, prefetch_size=0, is_global=False)
    client.send("basic.consume", queue="s", consumer_tag="s")
    client.publish("", "s", b"y")
    client.received()
    client.send("basic.cancel", consumer_tag="c")
    said = names(client.send("basic.nack", delivery_tag=tag, multiple=True, requeue=requeue))
    scene.advance(0)
    assert said == (["connection.close"] if refused else [])
    settled = scene.broker.vhost().queues["q" if requeue or refused else "dead"]
    assert len(settled.messages) == 1100


def test_what_is_rejected_behind_very_many_dies_behind_them() -> None:
    scene = hurried()
    client = rejecting(scene)
    client.fake.send(
        method(1, "basic.nack", delivery_tag=299, multiple=True, requeue=False)
        + nack(requeue=False, tag=300)
    )
    assert held(scene.client(), "dead") == [b"%d" % number for number in range(300)]


WIDE = 100
"""Queues that each dead letter goes to."""


def dying(scene: Scene, count: int, **arguments: Any) -> Client:
    """A client that published so many messages, which die by these arguments."""
    broker, client = scene.broker, scene.client()
    broker.declare_exchange("dead", "fanout")
    for number in range(WIDE):
        broker.declare_queue(f"dead-{number}")
        broker.vhost().bind_queue(f"dead-{number}", "dead", "", {})
    arguments["x_dead_letter_exchange"] = "dead"
    client.send("queue.declare", queue="q", durable=True, arguments=_named(arguments))
    client.fake.send(publish("", "q", b"x") * count)
    return client


def _named(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in arguments.items()}


def _died(scene: Scene) -> int:
    return len(scene.broker.vhost().queues[f"dead-{WIDE - 1}"].messages)


def _expire(scene: Scene, client: Client) -> int:
    seen: list[int] = []
    # In the moment of the queue's timer, behind it.
    scene.clock.call_later(1.0, lambda: seen.append(_died(scene)))
    scene.advance(1.0)
    return seen[0]


def _shorten(scene: Scene, client: Client) -> int:
    scene.broker.set_policy("short", "^q$", {"max-length": 1})
    # Queue by queue it comes to hold, in steps of its own.
    for _ in range(1000):
        if _died(scene):
            break
        scene.environment.chores._next()
    return _died(scene)


def _reject(scene: Scene, client: Client) -> int:
    consume(scene, client)
    client.fake.connection.receive(nack(requeue=False))
    return _died(scene)


def _return(scene: Scene, client: Client) -> int:
    consume(scene, client)
    client.fake.connection.receive(nack(requeue=True))
    return _died(scene)


DEATHS: list[tuple[Callable[[Scene, Client], int], int, dict[str, Any]]] = [
    (_expire, 300, {"x_message_ttl": 1000}),
    (_shorten, 299, {}),
    (_reject, 300, {}),
    (_return, 300, {"x_queue_type": "quorum", "x_delivery_limit": 0}),
]


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize(("die", "count", "arguments"), DEATHS)
def test_a_step_has_the_fewer_deaths_the_more_queues_get_each(
    die: Callable[[Scene, Client], int], count: int, arguments: dict[str, Any], before: int
) -> None:
    scene = hurried()
    client = dying(scene, 300, **arguments)
    # Of an earlier death, which had another key or came before all but one of the queues.
    scene.broker.vhost().queues["q"].reach = before
    # Who shortens or lets expire does a step at once, and may begin with the first of the others.
    assert 0 < die(scene, client) < 7
    finish(client.fake.connection)
    scene.advance(1)
    assert _died(scene) == count


def _settle(scene: Scene, client: Client, *frames: bytes) -> None:
    consume(scene, client)
    client.fake.connection.receive(b"".join(frames))


def _acknowledge(scene: Scene, client: Client) -> None:
    _settle(scene, client, method(1, "basic.ack", delivery_tag=0, multiple=True))
    client.fake.vanish()


def _refuse(scene: Scene, client: Client) -> None:
    _settle(scene, client, nack(requeue=False))
    client.fake.vanish()


def _commit(scene: Scene, client: Client) -> None:
    client.send("tx.select")
    ack = method(1, "basic.ack", delivery_tag=0, multiple=True)
    _settle(scene, client, ack, method(1, "tx.commit"))
    client.fake.vanish()


def _lose(scene: Scene, client: Client) -> None:
    _settle(scene, client)
    client.fake.vanish()


def _close(scene: Scene, client: Client) -> None:
    _settle(scene, client)
    client.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)


def _accept(scene: Scene, client: Client) -> None:
    later = LaterClient(scene).connect()
    later.receiver("/queues/q")
    later.grant(credit=7000, incoming_window=7000)
    scene.environment.chores.finish()
    state = Composite("accepted", {})
    fields = {"role": True, "first": 0, "last": 6999, "settled": True, "state": state}
    later.fake.connection.receive(performative(0, "disposition", **fields))
    later.fake.vanish()


@pytest.mark.parametrize("committed", [True, False])
def test_what_lives_is_settled_many_at_a_time_though_others_died_into_many_queues(
    committed: bool,
) -> None:
    scene = hurried()
    client = dying(scene, 41)
    consume(scene, client)
    client.fake.send(nack(requeue=False, tag=1))
    connection = client.fake.connection
    if committed:
        client.send("tx.select")
        ack = method(1, "basic.ack", delivery_tag=0, multiple=True)
        connection.receive(ack + method(1, "tx.commit"))
    else:
        connection.receive(nack(requeue=True))
    turns = 1
    while connection.unfinished:
        connection.receive(b"")
        turns += 1
    queue = scene.broker.vhost().queues["q"]
    assert len(queue.messages) + queue.unacked + queue.acknowledged == 40
    assert turns < 8


@pytest.mark.parametrize("make_room", [_acknowledge, _refuse, _commit, _lose, _close, _accept])
def test_a_publisher_goes_on_once_what_a_client_that_is_gone_settled_made_room(
    make_room: Callable[[Scene, Client], object],
) -> None:
    scene = hurried(Limits(amqp_memory=6000 * COST))
    client, publisher = scene.client(), scene.client()
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 0}
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    publisher.fake.send(publish("", "q", b"") * 7000)
    assert names(publisher.received()) == ["connection.blocked"]
    make_room(scene, client)
    assert scene.broker.memory.used > 3000 * COST
    scene.advance(1)
    assert names(publisher.received()) == ["connection.unblocked"]
    assert scene.broker.vhost().queues["q"].published == 7000


@pytest.mark.parametrize("tag", [0, 2999])
@pytest.mark.parametrize("end", ["wait", "vanish"])
def test_others_are_served_while_very_many_messages_are_acknowledged(end: str, tag: int) -> None:
    scene = hurried()
    client, other = scene.client(), scene.client()
    for number in range(300):
        scene.broker.declare_queue(f"q{number}")
        client.fake.send(publish("", f"q{number}", b"x") * 10)
        client.send("basic.consume", queue=f"q{number}", consumer_tag=str(number))
    assert len(client.fake.connection.unacked()) == 3000
    connection = client.fake.connection
    connection.receive(method(1, "basic.ack", delivery_tag=tag, multiple=True))
    assert connection.unfinished
    queues = scene.broker.vhost().queues.values()
    assert 0 < sum(queue.unacked for queue in queues) < 3000
    assert names(other.send("queue.declare", queue="q0", passive=True)) == ["queue.declare-ok"]
    if end == "vanish":
        client.fake.vanish()
    else:
        finish(connection)
    scene.advance(1)
    left = 1 if tag else 0
    assert sum(queue.acknowledged for queue in queues) == 3000 - left
    back = left if end == "vanish" else 0
    assert [
        sum(queue.unacked for queue in queues),
        sum(len(queue.messages) for queue in queues),
    ] == [
        left - back,
        back,
    ]


def test_what_is_acknowledged_behind_very_many_is_so_behind_them() -> None:
    scene = hurried()
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.qos", prefetch_count=2500)
    client.fake.send(publish("", "q", b"x") * 5000)
    assert len(bodies(client.send("basic.consume", queue="q", consumer_tag="c"))) == 2500
    client.fake.send(
        method(1, "basic.ack", delivery_tag=2499, multiple=True)
        + method(1, "basic.ack", delivery_tag=2500, multiple=False)
        + method(1, "basic.ack", delivery_tag=2500, multiple=False)
    )
    came = client.received()
    assert names(came)[-1] == "channel.close"
    assert came[-1]["reply_text"] == "PRECONDITION_FAILED - unknown delivery tag 2500"
    queue = scene.broker.vhost().queues["q"]
    assert queue.acknowledged == 2500


def test_acks_of_single_deliveries_that_come_together_count_up_to_one_that_is_unknown() -> None:
    scene = Scene()
    client, other = scene.client(), scene.client()
    client.send("basic.qos", prefetch_count=2)
    for name in ("q", "other"):
        client.send("queue.declare", queue=name)
        client.fake.send(publish("", name, b"x") * 4)
        client.send("basic.consume", queue=name, consumer_tag=name)

    def ack(*tags: int) -> list[str]:
        client.fake.send(b"".join(method(1, "basic.ack", delivery_tag=tag) for tag in tags))
        return names(client.received())

    def acknowledged() -> list[int]:
        queues = scene.broker.vhost().queues
        return [queues[name].acknowledged for name in ("q", "other")]

    assert ack(3, 1) == ["basic.deliver"] * 2
    assert acknowledged() == [1, 1]
    assert ack(2, 9, 4) == ["channel.close"]
    assert acknowledged() == [2, 1]
    ready = [other.send("queue.declare", queue=name)[0]["message_count"] for name in ("q", "other")]
    assert ready == [2, 3]


class Walked(dict[int, Any]):
    """Each walk comes by the places of all that was taken out before."""

    walks = 0

    def __iter__(self) -> Iterator[int]:
        self.walks += 1
        return super().__iter__()


def test_the_oldest_of_very_many_are_not_looked_for_with_each_step() -> None:
    scene = Scene()
    client = scene.client()
    (channel,) = client.fake.connection.channels.open.values()
    unacked = channel.unacked = Walked()
    client.send("queue.declare", queue="q")
    client.fake.send(publish("", "q", b"x") * 9000)
    consume(scene, client)
    scene.advance(1)
    unacked.walks = 0
    client.fake.send(method(1, "basic.ack", delivery_tag=8999, multiple=True))
    assert list(unacked) == [9000]
    assert unacked.walks < 4


@pytest.mark.parametrize("asked", ["nack", "recover"])
def test_others_are_served_while_very_many_messages_come_back(asked: str) -> None:
    scene = hurried()
    client, other = rejecting(scene, 1000), scene.client()
    client.send("basic.cancel", consumer_tag="c")
    connection = client.fake.connection
    recover = method(1, "basic.recover-async", requeue=True)
    connection.receive(nack(requeue=True) if asked == "nack" else recover)
    assert connection.unfinished
    assert other.send("queue.declare", queue="q", passive=True)[0]["message_count"] == 0
    client.fake.vanish()
    scene.advance(1)
    back = other.send("basic.get", queue="q")[0]
    assert (back.body, back["redelivered"], back["message_count"]) == (b"0", True, 999)


def test_others_are_served_while_very_many_messages_come_back_once_too_often() -> None:
    scene = hurried()
    client = scene.client()
    client.send("queue.declare", queue="dead")
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 0,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "dead",
    }
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    client.fake.send(b"".join(publish("", "q", b"%d" % number) for number in range(1000)))
    consume(scene, client)
    connection = client.fake.connection
    connection.receive(nack(requeue=True))
    assert connection.unfinished
    queues = scene.broker.vhost().queues
    assert 0 < len(queues["dead"].messages) < 1000
    finish(connection)
    assert (len(queues["q"].messages), queues["q"].unacked) == (0, 0)
    assert held(scene.client(), "dead") == [b"%d" % number for number in range(1000)]
    assert scene.broker.memory.used == 0


def test_what_comes_back_goes_out_before_what_it_made_room_for() -> None:
    scene = hurried()
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.qos", prefetch_count=1000)
    client.fake.send(b"".join(publish("", "q", b"%d" % number) for number in range(1500)))
    assert len(bodies(client.send("basic.consume", queue="q", consumer_tag="c"))) == 1000
    client.fake.send(nack(requeue=True))
    again = bodies(client.received())
    assert again == [b"%d" % number for number in range(1000)]


@pytest.mark.parametrize("vanish", [False, True])
def test_others_are_served_while_a_commit_rejects_very_many_messages(vanish: bool) -> None:
    scene = hurried()
    client, other = rejecting(scene), scene.client()
    client.send("tx.select")
    client.fake.send(nack(requeue=False))
    connection = client.fake.connection
    connection.receive(method(1, "tx.commit"))
    assert connection.unfinished
    if vanish:
        client.fake.vanish()
    else:
        finish(connection)
        client.fake.flush()
        assert names(client.received())[-1] == "tx.commit-ok"
    scene.advance(1)
    assert len(held(other, "dead")) == 300
    assert scene.broker.memory.used == 0


def settled(outcome: str, **fields: Any) -> bytes:
    """A disposition for a thousand messages."""
    state = Composite(outcome, fields)
    return performative(0, "disposition", role=True, first=0, last=999, settled=True, state=state)


@pytest.mark.parametrize("outcome", ["accepted", "rejected", "released"])
@pytest.mark.parametrize("vanish", [False, True])
def test_others_are_served_while_very_many_messages_are_settled_by_1_0(
    outcome: str, vanish: bool
) -> None:
    scene = hurried()
    first = rejecting(scene, 1000)
    first.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    scene.advance(0)
    client = LaterClient(scene).connect()
    client.receiver("/queues/q", credit=1000)
    scene.environment.chores.finish()
    connection = client.fake.connection
    connection.receive(settled(outcome))
    assert connection.unfinished
    if vanish:
        client.fake.vanish()
    else:
        finish(connection)
    scene.advance(1)
    queues = scene.broker.vhost().queues
    if outcome == "accepted":
        assert scene.broker.memory.used == 0
    else:
        assert len(queues["dead" if outcome == "rejected" else "q"].messages) == 1000
    assert queues["q"].unacked == 0


@pytest.mark.parametrize("vanish", [False, True])
def test_others_are_served_while_very_many_messages_get_more_annotations(vanish: bool) -> None:
    scene = hurried()
    quorum = {"x-queue-type": "quorum"}
    scene.broker.declare_queue("votes", durable=True, arguments=quorum)
    for _ in range(1000):
        scene.broker.publish("", "votes", b"x")
    queue = scene.broker.vhost().queues["votes"]
    messages = tuple(queue.messages)
    client = LaterClient(scene).connect()
    client.receiver("/queues/votes", credit=1000)
    scene.environment.chores.finish()
    connection = client.fake.connection
    connection.receive(settled("modified", message_annotations={Symbol("x-why"): "busy"}))
    assert 0 < sum(b"x-why" in message.content for message in messages) < 1000
    if vanish:
        client.fake.vanish()
    else:
        finish(connection)
    scene.advance(1)
    assert (len(queue.messages), queue.unacked) == (1000, 0)
    assert all(b"x-why" in message.content for message in messages)


def test_others_are_served_while_a_filter_leaves_out_very_many_messages() -> None:
    scene = hurried()
    client, other = scene.client(), scene.client()
    declare_stream(client, "q")
    headers = {"x-stream-filter-value": "other"}
    client.fake.send(publish("", "q", b"x", headers=headers) * 1000)
    client.publish("", "q", b"wanted", headers={"x-stream-filter-value": "mine"})
    client.send("basic.qos", prefetch_count=10)
    arguments = {"x-stream-offset": "first", "x-stream-filter": "mine"}
    came = client.send("basic.consume", queue="q", consumer_tag="c", arguments=arguments)
    assert names(came) == ["basic.consume-ok"]
    assert scene.environment.chores.waiting
    other.publish("", "q", b"new", headers={"x-stream-filter-value": "mine"})
    scene.advance(0)
    assert bodies(client.received()) == [b"wanted", b"new"]


@pytest.mark.parametrize("how", ["basic.cancel", "queue.delete", "vanish"])
def test_nobody_looks_further_for_a_consumer_that_is_gone(how: str) -> None:
    scene = hurried()
    client = scene.client()
    declare_stream(client, "q")
    client.fake.send(publish("", "q", b"x") * 1000)
    client.send("basic.qos", prefetch_count=10)
    arguments = {"x-stream-offset": "first", "x-stream-filter": "mine"}
    client.send("basic.consume", queue="q", consumer_tag="c", arguments=arguments)
    if how == "vanish":
        client.fake.vanish()
    elif how == "queue.delete":
        client.send(how, queue="q")
    else:
        client.send(how, consumer_tag="c")
    scene.advance(0)
    assert not scene.environment.chores.waiting


MANY = 5000
"""Unacked messages of a channel, more than are taken out in one step."""


def _method(how: str, tag: int) -> bytes:
    if how == "recover":
        return method(1, "basic.recover-async", requeue=True)
    if how == "ack":
        return method(1, "basic.ack", delivery_tag=tag, multiple=True)
    return method(1, "basic.nack", delivery_tag=tag, multiple=True, requeue=how == "requeue")


@pytest.mark.parametrize("end", ["wait", "vanish", "close", "channel"])
@pytest.mark.parametrize(
    ("how", "tag"),
    [("ack", 4000), ("ack", 0), ("requeue", 4000), ("drop", 4000), ("recover", 0)],
)
def test_very_many_messages_are_taken_out_of_the_unacked_in_steps(
    how: str, tag: int, end: str
) -> None:
    scene = hurried()
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.fake.send(b"".join(publish("", "q", b"%d" % number) for number in range(1, MANY + 1)))
    consume(scene, client)
    client.send("basic.cancel", consumer_tag="c")
    connection = client.fake.connection
    queue = scene.broker.vhost().queues["q"]
    channel = connection.channels.open[1]  # type: ignore[attr-defined]
    connection.receive(
        _method(how, tag)
        + method(1, "basic.qos", prefetch_count=1, prefetch_size=0, is_global=False)
    )
    assert connection.unfinished
    assert MANY - (tag or MANY) < len(channel.unacked) < MANY
    settled, left = (tag or MANY), MANY - (tag or MANY)
    if end == "vanish":
        client.fake.vanish()
    elif end == "close":
        scene.broker.disconnect(client.peer.id, "enough")
    finish(connection)
    if end == "channel":
        connection.receive(
            method(1, "channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
        )
    client.fake.flush()
    scene.advance(1)
    back = settled if how in ("requeue", "recover") else 0
    unacked = left if end == "wait" else 0
    assert (queue.unacked, len(queue.messages)) == (unacked, back + left - unacked)
    assert queue.acknowledged == (settled if how == "ack" else 0)
    if end == "wait":
        assert names(client.received())[-1] == "basic.qos-ok"
        assert list(channel.unacked) == list(range(settled + 1, MANY + 1))
    positions = [message.position for message in queue.messages]
    assert positions == sorted(positions)
    assert scene.broker.memory.used == sum(
        len(b"%d" % number) + COST
        for number in range(1, MANY + 1)
        if how in ("requeue", "recover") or number > settled
    )


@pytest.mark.parametrize("end", ["commit", "rollback", "vanish early", "vanish late"])
def test_very_many_messages_are_settled_in_a_transaction_in_steps(end: str) -> None:
    scene = hurried()
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("tx.select")
    scene.client().fake.send(publish("", "q", b"x") * MANY)
    consume(scene, client)
    connection = client.fake.connection
    queue = scene.broker.vhost().queues["q"]
    connection.receive(_method("ack", 4000))
    assert connection.unfinished
    if end == "vanish early":
        client.fake.vanish()
    finish(connection)
    if end == "vanish late":
        client.fake.vanish()
    scene.advance(1)
    if end in ("commit", "rollback"):
        client.send(f"tx.{end}")
    acknowledged = 4000 if end == "commit" else 0
    assert queue.acknowledged == acknowledged
    there = MANY - acknowledged
    assert (queue.unacked, len(queue.messages)) == (
        (0, there) if end.startswith("vanish") else (there, 0)
    )


def test_a_tag_that_is_unknown_settles_none_of_very_many() -> None:
    scene = hurried()
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.fake.send(publish("", "q", b"x") * MANY)
    consume(scene, client)
    (closed,) = client.send("basic.ack", delivery_tag=MANY + 1, multiple=True)
    assert closed["reply_text"] == f"PRECONDITION_FAILED - unknown delivery tag {MANY + 1}"
    scene.advance(1)
    assert len(scene.broker.vhost().queues["q"].messages) == MANY
