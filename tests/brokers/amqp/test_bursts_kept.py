"""Messages of a burst that a durable queue takes at once are on disk as those taken one by one."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from mockforge_brokers.amqp.channel.publishing import Publishing
from mockforge_brokers.amqp.records import Alike
from mockforge_brokers.amqp.state.queues.queue import Queue
from mockforge_brokers.amqp.state.queues.stored import StoredQueue
from mockforge_brokers.amqp.wire import frames

from brokers.storage.memory_disk import MemoryDisk

from .client import Client, Scene, publish

PERSISTENT = {"delivery_mode": 2}


def of(*bodies: bytes, **properties: Any) -> bytes:
    return b"".join(publish("", "q", body, **properties) for body in bodies)


def with_ids(*ids: str, **properties: Any) -> bytes:
    return b"".join(publish("", "q", b"body", message_id=each, **properties) for each in ids)


BURSTS = {
    "persistent": [of(*[b"a"] * 40, **PERSISTENT)],
    "of two sizes": [of(*[b"a"] * 5, *[b"bb"] * 5, **PERSISTENT)],
    "transient": [of(*[b"a"] * 5)],
    "both": [of(*[b"a"] * 5, **PERSISTENT) + of(*[b"a"] * 5) + of(*[b"a"] * 5, **PERSISTENT)],
    "with ids": [with_ids(*"abcdefgh", **PERSISTENT), with_ids(*"abcd")],
    "empty": [of(*[b""] * 5, **PERSISTENT)],
    "in pieces": [of(*[b"a"] * 9, **PERSISTENT)[:-300], of(*[b"a"] * 9, **PERSISTENT)[-300:]],
}
CONSUMERS = {
    "nobody": {},
    "who acknowledges": {"no_ack": False},
    "who does not": {"no_ack": True},
    "who wants few": {"no_ack": False, "prefetch_count": 2},
}


def outcome(burst: list[bytes], consumer: dict[str, Any], *, failing: bool) -> list[object]:
    scene = Scene(disk=(disk := MemoryDisk()))
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("confirm.select")
    consumer = dict(consumer)
    if few := consumer.pop("prefetch_count", 0):
        client.send("basic.qos", prefetch_count=few)
    if consumer:
        client.send("basic.consume", queue="q", consumer_tag="c", **consumer)
    scene.advance(0.01)
    if failing:
        disk.store.failed("the disk is full")
        # Its alarm comes a moment later, of which a publisher that is being read knows nothing.
        scene.broker.memory.clear_alarm("disk")
    for part in burst:
        client.fake.send(part)
    facts = (disk.store.facts, disk.store.patience.idle)
    queue = scene.broker.vhost().queues["q"]
    keeping = queue.keeping
    together = [message.position for burst in keeping.bursts for message in burst.messages]
    fresh = sorted([*keeping.fresh, *together])
    client.fake.send(frames.method(1, "basic.ack", delivery_tag=1, multiple=False))
    came = client.fake.take()
    scene.advance(0.01)
    messages = [(each.content, each.size, each.position) for each in queue.messages]
    counts = (queue.published, queue.unacked, queue.delivered, scene.broker.memory.used)
    seen = [came, facts, fresh, dict(disk.rows), messages, counts, scene.broker.destinations()]
    # All that waits goes to one who came late.
    late = scene.client()
    late.send("basic.consume", queue="q", no_ack=not consumer)
    late.fake.send(frames.method(1, "basic.ack", delivery_tag=0, multiple=True))
    scene.advance(0.01)
    return [*seen, late.fake.take(), queue.keeping.delivered, disk.rows, scene.broker.memory.used]


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("consumer", CONSUMERS)
@pytest.mark.parametrize("burst", BURSTS)
def test_a_burst_is_kept_as_its_messages_are(burst: str, consumer: str, failing: bool) -> None:
    asked: list[int] = []

    def counted(self: StoredQueue, route: Any, alike: Alike, size: int) -> None:
        asked.append(len(alike.contents))
        enqueue_all(self, route, alike, size)

    enqueue_all = StoredQueue.enqueue_all
    with patch.object(StoredQueue, "enqueue_all", counted):
        found = outcome(BURSTS[burst], CONSUMERS[consumer], failing=failing)
    assert bool(asked) is not failing
    with (
        patch.object(Publishing, "takes_all", lambda *_: False),
        patch.object(Queue, "_deliver_some", lambda *_: False),
    ):
        assert found == outcome(BURSTS[burst], CONSUMERS[consumer], failing=failing)


HANDS: dict[str, Callable[[Scene, Client], object]] = {
    "somebody takes one": lambda _, client: client.send("basic.get", queue="q", no_ack=True),
    "somebody has one": lambda _, client: client.send("basic.get", queue="q", no_ack=False),
    "somebody consumes": lambda _, client: client.send("basic.consume", queue="q", no_ack=True),
    "it is purged": lambda _, client: client.send("queue.purge", queue="q"),
    "it is purged and goes on": lambda _, client: (
        client.send("queue.purge", queue="q"),
        client.fake.send(of(*[b"c"] * 5, **PERSISTENT)),
    ),
    "it is deleted": lambda _, client: client.send("queue.delete", queue="q"),
    "more come": lambda _, client: client.fake.send(
        of(b"other", *[b"b"] * 5, **PERSISTENT) + of(b"b") + of(*[b"b"] * 5, **PERSISTENT)
    ),
    "rules drop some": lambda scene, _: scene.broker.set_policy("p", "q", {"max-length": 3}),
}


@pytest.mark.parametrize("hand", HANDS)
def test_a_burst_that_is_not_written_yet_is_each_of_its_messages(hand: str) -> None:
    def rows(*, together: bool) -> list[object]:
        scene = Scene(disk=(disk := MemoryDisk()))
        client = scene.client()
        client.send("queue.declare", queue="q", durable=True)
        scene.advance(0.01)
        with patch.object(Publishing, "takes_all", Publishing.takes_all if together else _never):
            client.fake.send(of(*[b"a"] * 20, **PERSISTENT))
            assert bool(scene.broker.vhost().queues["q"].keeping.bursts) is together
            HANDS[hand](scene, client)
            scene.advance(0.01)
        return [disk.rows, scene.broker.memory.used, scene.broker.destinations()]

    found = rows(together=True)
    assert found == rows(together=False)


def _never(*_: object) -> bool:
    return False
