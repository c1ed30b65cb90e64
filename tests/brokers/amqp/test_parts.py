"""Large bodies that pass through to one who does not acknowledge are parts of what was read."""

import pytest
from mockforge_brokers.amqp.state.message import Message, PartMessage

from .client import Client, Scene, bodies, publish

LARGE = [bytes((each,)) * 40_000 for each in b"abcd"]


def large(*letters: str) -> bytes:
    return b"".join(publish("", "q", letter.encode() * 40_000) for letter in letters)


class Waiting:
    """A queue whose only consumer, which does not acknowledge, takes nothing for now."""

    def __init__(self, frame: int = 131_072) -> None:
        self.scene = Scene()
        self.publisher = self.client()
        self.publisher.send("queue.declare", queue="q")
        self.consumer = self.scene.client(tune=(2047, frame, 0))
        self.consumer.send("basic.consume", queue="q", consumer_tag="c", no_ack=True)
        # The first one is looked at as any: what comes behind it is known.
        self.publisher.fake.send(large("z"))
        assert bodies(self.consumer.received()) == [b"z" * 40_000]
        self.consumer.fake.set_writable(False)
        self.queue = self.scene.broker.vhost().queues["q"]

    def client(self) -> Client:
        return self.scene.client(tune=(2047, 131_072, 0))

    @property
    def parts(self) -> list[bool]:
        return [isinstance(message, PartMessage) for message in self.queue.messages]

    def go_on(self) -> list[bytes]:
        self.consumer.fake.set_writable(True)
        self.scene.advance(0.01)
        return bodies(self.consumer.received())


def test_what_is_delivered_at_once_is_not_copied() -> None:
    waiting = Waiting()
    waiting.consumer.fake.set_writable(True)
    put_out = waiting.consumer.fake.connection.out
    waiting.publisher.fake.connection.receive(large("a", "b"))
    assert [type(piece) for piece in put_out[1::2]] == [memoryview, memoryview]
    waiting.scene.network.settle()
    assert bodies(waiting.consumer.received()) == LARGE[:2]


def test_what_waits_is_not_copied_and_comes_in_its_order() -> None:
    waiting = Waiting()
    waiting.publisher.fake.send(large("a", "b"))
    waiting.client().publish("", "q", b"small")
    waiting.publisher.fake.send(large("c", "d"))
    assert waiting.parts == [True, True, False, True, True]
    assert waiting.go_on() == [*LARGE[:2], b"small", *LARGE[2:]]
    assert waiting.scene.broker.memory.used == 0


def test_a_small_part_of_what_was_read_does_not_keep_it() -> None:
    waiting = Waiting()
    small = [publish("", "q", b"s") for _ in range(3_000)]
    assert len(b"".join(small)) > 3 * 40_000
    waiting.publisher.fake.send(b"".join((large("a"), *small)))
    assert waiting.parts[:1] == [False]


def test_one_who_gets_a_message_and_keeps_it_keeps_it_alone() -> None:
    waiting = Waiting()
    waiting.publisher.fake.send(large("a", "b", "c"))
    getter = waiting.client()
    (got,) = getter.send("basic.get", queue="q", no_ack=False)
    assert got.body == LARGE[0]
    assert [type(each) for each in getter.fake.connection.unacked()] == [Message]  # type: ignore[attr-defined]
    assert waiting.parts == [True, True]
    (got,) = getter.send("basic.get", queue="q", no_ack=True)
    assert got.body == LARGE[1]
    getter.send("basic.nack", delivery_tag=1, requeue=True)
    assert waiting.parts == [False, True]
    assert waiting.go_on() == [LARGE[0], LARGE[2]]


@pytest.mark.parametrize("no_ack", [True, False])
def test_another_consumer_takes_what_waited_for_the_first(no_ack: bool) -> None:
    waiting = Waiting()
    waiting.publisher.fake.send(large("a", "b", "c"))
    other = waiting.client()
    came = other.send("basic.consume", queue="q", consumer_tag="o", no_ack=no_ack)
    assert bodies(came) == LARGE[:3]
    assert waiting.queue.unacked == (0 if no_ack else 3)
    other.send("basic.qos", prefetch_count=1)
    other.fake.set_writable(False)
    # Now there are two.
    waiting.publisher.fake.send(large("d", "d"))
    assert waiting.parts == [False, False]


def test_one_that_came_back_is_redelivered() -> None:
    waiting = Waiting()
    waiting.publisher.fake.send(large("a", "b", "c"))
    other = waiting.client()
    other.send("basic.consume", queue="q", consumer_tag="o", no_ack=False)
    other.send("basic.cancel", consumer_tag="o")
    other.send("basic.nack", delivery_tag=0, multiple=True, requeue=True)
    (got,) = other.send("basic.get", queue="q", no_ack=False)
    assert got["redelivered"]
    other.send("basic.nack", delivery_tag=4, requeue=True)
    waiting.consumer.fake.set_writable(True)
    waiting.scene.advance(0.01)
    came = waiting.consumer.received()
    assert [(each["redelivered"], each.body) for each in came] == [
        (True, body) for body in LARGE[:3]
    ]


def test_what_came_by_another_channel_has_frames_of_its_own() -> None:
    waiting = Waiting()
    waiting.publisher.open(2)
    second = b"".join(publish("", "q", body, channel=2) for body in LARGE[:3])
    waiting.publisher.fake.send(second)
    waiting.publisher.fake.send(large("a", "b"))
    # The first of a channel is looked at, which copies it.
    assert waiting.parts == [False, True, True, True, True]
    assert waiting.go_on() == [*LARGE[:3], *LARGE[:2]]


def test_a_body_of_several_frames_goes_on_as_it_came() -> None:
    waiting = Waiting()
    body = b"e" * 300_000
    frames = publish("", "q", body)
    for start in range(0, len(frames), 70_000):
        waiting.publisher.fake.send(frames[start : start + 70_000])
    small = waiting.client()
    small.fake.send(frames + large("a"))
    assert waiting.parts == [True, True, False]
    assert waiting.go_on() == [body, body, LARGE[0]]
    assert waiting.scene.broker.memory.used == 0


def test_frames_that_are_too_large_for_the_consumer_are_made_anew() -> None:
    waiting = Waiting(frame=30_000)
    body = b"e" * 300_000
    waiting.publisher.fake.send(publish("", "q", body) + large("a", "b"))
    assert waiting.parts[0]
    assert waiting.go_on() == [body, *LARGE[:2]]


def test_a_restart_keeps_what_waited() -> None:
    waiting = Waiting()
    waiting.publisher.send("queue.declare", queue="kept", durable=True)
    waiting.consumer.send("basic.consume", queue="kept", consumer_tag="k", no_ack=True)
    body = b"p" * 40_000
    for _ in range(2):
        lasting = publish("", "kept", body, delivery_mode=2)
        waiting.publisher.fake.send(lasting * 3)
    (queue,) = [each for each in waiting.scene.broker.vhost().queues.values() if each.durable]
    assert any(isinstance(message, PartMessage) for message in queue.messages)
    waiting.scene.broker.restart()
    (queue,) = waiting.scene.broker.vhost().queues.values()
    assert [message.content[-41:-1] for message in queue.messages] == [body[:40]] * 6
