"""A consumer that finds very many messages gets them in steps, in order; others come between."""

from typing import Any

import pytest
from mockforge_brokers.amqp.v1_0.wire.values import Described, Symbol

from .client import Client, Scene, bodies, names, publish
from .test_slices import hurried
from .v1_0.client import Client as LaterClient

KINDS: dict[str, dict[str, Any]] = {
    "quorum": {"x-queue-type": "quorum"},
    "time to live": {"x-message-ttl": 60_000},
    "priorities": {"x-max-priority": 3},
    "length": {"x-max-length": 1000},
    "stream": {"x-queue-type": "stream"},
}
MANY = [b"%d" % number for number in range(1000)]


def full(scene: Scene, kind: str) -> Client:
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=KINDS[kind])
    client.fake.send(b"".join(publish("", "q", body) for body in MANY))
    return client


def begin(scene: Scene, kind: str) -> tuple[Client, list[bytes]]:
    """A consumer with the first of what it is to get."""
    taker = scene.client()
    taker.send("basic.qos", prefetch_count=2000)
    offset = {"x-stream-offset": "first"} if kind == "stream" else {}
    came = taker.send("basic.consume", queue="q", consumer_tag="c", arguments=offset)
    return taker, bodies(came)


@pytest.mark.parametrize("kind", KINDS)
def test_others_are_served_while_a_consumer_gets_very_many(kind: str) -> None:
    scene = hurried()
    client = full(scene, kind)
    taker, first = begin(scene, kind)
    assert 0 < len(first) < 600
    assert names(client.send("queue.declare", queue="q", passive=True)) == ["queue.declare-ok"]
    client.publish("", "q", b"last")
    scene.advance(0)
    assert first + bodies(taker.received()) == [*MANY, b"last"]
    queue = scene.broker.vhost().queues["q"]
    assert (queue.unacked, queue.delivered) == (1001, 1001)
    assert not scene.environment.chores.waiting


@pytest.mark.parametrize("end", ["cancel", "vanish", "delete"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "stream"])
def test_what_a_consumer_did_not_get_before_its_end_stays(kind: str, end: str) -> None:
    scene = hurried()
    client = full(scene, kind)
    taker, first = begin(scene, kind)
    if end == "cancel":
        first += bodies(taker.send("basic.cancel", consumer_tag="c"))
    elif end == "vanish":
        taker.fake.vanish()
    else:
        client.send("queue.delete", queue="q")
    scene.advance(0)
    first += bodies(taker.received())
    assert not scene.environment.chores.waiting
    if end != "delete":
        back = 0 if end == "cancel" else len(first)
        queue = scene.broker.vhost().queues["q"]
        assert len(queue.messages) == 1000 - len(first) + back
        (got,) = client.send("basic.get", queue="q")
        assert got.body == MANY[len(first) - back]


@pytest.mark.parametrize("kind", ["quorum", "stream", "priorities"])
def test_a_receiver_that_drains_hears_so_behind_all_that_there_is(kind: str) -> None:
    scene = hurried()
    full(scene, kind)
    later = LaterClient(scene).connect()
    spec = Symbol("rabbitmq:stream-offset-spec")
    source = {"filter": {spec: Described(spec, "first")}} if kind == "stream" else {}
    later.receiver("/queues/q", source=source)
    came = later.grant(credit=1500, drain=True, incoming_window=7000)
    assert 0 < len(came) < 600
    assert set(names(came)) == {"transfer"}
    scene.advance(0)
    came += later.received()
    assert names(came) == ["transfer"] * 1000 + ["flow"]
    flow = came[-1]
    assert (flow["drain"], flow["link_credit"], flow["delivery_count"]) == (True, 0, 1500)
    assert not scene.environment.chores.waiting


@pytest.mark.parametrize("end", ["detach", "vanish"])
def test_a_receiver_may_go_while_it_drains(end: str) -> None:
    scene = hurried()
    full(scene, "quorum")
    later = LaterClient(scene).connect()
    later.receiver("/queues/q")
    later.grant(credit=1500, drain=True, incoming_window=7000)
    if end == "vanish":
        later.fake.vanish()
    else:
        later.send("detach", handle=1, closed=True)
    scene.advance(0)
    assert "flow" not in names(later.received())
    assert not scene.environment.chores.waiting
