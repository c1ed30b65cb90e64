"""Messages that are begun together are in flight as if they came one by one (mqtt/runs.py)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.fairness import Turn
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.records import Message, cost_of
from mockforge_brokers.mqtt.state.session import LAST_ID, Session
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Publish

from ..storage.memory_disk import MemoryDisk
from .scene import Scene

MESSAGES = [Message("t", bytes(size), 1) for size in (3, 0, 9, 4)]
OLDER = Message("t", b"older", 1)
COST = sum(map(cost_of, MESSAGES))
PAYLOAD = sum(len(message.payload) for message in MESSAGES)


def session(last_id: int, inflight: list[int], window: int = 9, most_bytes: int = 1000) -> Session:
    limits = Limits(mqtt_session_bytes=most_bytes)
    made = Session("c", ManualClock(), limits, lambda session, limit: None, Turn())
    made.ready, made.window, made.last_id = True, window, last_id
    made.keep([(each, OLDER) for each in inflight], ())
    return made


def state_of(one: Session) -> tuple[object, ...]:
    sent = list(one.inflight.items())
    return sent, one.last_id, one.inflight_bytes, one.inflight_payload, list(one.queue)


@given(
    st.one_of(st.integers(0, 9), st.integers(LAST_ID - 5, LAST_ID)),
    st.lists(st.one_of(st.integers(1, 14), st.integers(LAST_ID - 5, LAST_ID)), unique=True),
    st.integers(1, 12),
    st.integers(1, 60),
)
def test_it_is_as_one_after_the_other_or_nothing_happens(
    last_id: int, inflight: list[int], window: int, most_bytes: int
) -> None:
    one, other = (session(last_id, inflight, window, most_bytes) for _ in range(2))
    before = state_of(one)
    first = one.begin_all(MESSAGES, COST, PAYLOAD)
    if not first:
        assert state_of(one) == before
        return
    ids = [other.begin(message, cost_of(message)) for message in MESSAGES]
    assert ids == list(range(first, first + len(MESSAGES)))
    assert state_of(one) == state_of(other)


@pytest.mark.parametrize(
    ("last_id", "inflight", "window", "most_bytes", "first"),
    [
        (0, [], 4, COST, 1),
        (0, [], 3, COST, 0),
        (0, [], 4, COST - 1, 0),
        (7, [1, 7, 12], 7, 1000, 8),
        (7, [1, 7, 12], 6, 1000, 0),
        (7, [11], 9, 1000, 0),
        (LAST_ID - 4, [1], 9, 1000, LAST_ID - 3),
        (LAST_ID - 3, [1], 9, 1000, 0),
    ],
)
def test_they_are_begun_together_as_long_as_there_is_room(
    last_id: int, inflight: list[int], window: int, most_bytes: int, first: int
) -> None:
    one = session(last_id, inflight, window, most_bytes)
    assert one.begin_all(MESSAGES, COST, PAYLOAD) == first


@pytest.mark.parametrize("what", ["queue", "unsent"])
def test_nothing_overtakes_what_waits(what: str) -> None:
    one = session(1, [1])
    if what == "queue":
        one.ready = False
        one.deliver(MESSAGES[0])
    else:
        one.unsent = [1]
    assert one.begin_all(MESSAGES, COST, PAYLOAD) == 0


def burst(count: int) -> bytes:
    each = [encode_packet(Publish("t", b"x", 1, packet_id=1 + place), 5) for place in range(count)]
    return b"".join(each)


def test_what_many_take_is_handed_on_before_it_is_asked_how_late_it_is() -> None:
    scene = Scene()
    takers = [scene.connect(f"taker {number}", "t", qos=1) for number in range(200)]
    publisher = scene.connect("publisher")
    publisher.send(burst(1))
    publisher.take()
    seen: list[int] = []

    def now() -> float:
        seen.append(sum(taker.connection.outlet.messages_out for taker in takers) - 200)
        return 0.0

    scene.environment.turn.now = now
    publisher.connection.receive(burst(3))
    assert seen == [200, 400, 600]
    publisher.flush()


@pytest.mark.parametrize("qos", [0, 1])
def test_those_of_a_session_that_lasts_are_on_disk_in_the_next_group(qos: int) -> None:
    """`qos` is that of another taker: then all get it with the same, or not."""
    disk = MemoryDisk()
    scene = Scene(disk=disk)
    taker = scene.lasting("taker", "t")
    scene.connect("other", "t", qos=qos)
    publisher = scene.connect("publisher")
    publisher.send(burst(1))
    scene.clock.advance(0.01)
    before = len(disk.rows)
    publisher.send(burst(3))
    scene.clock.advance(0.01)
    assert len(disk.rows) == before + 3
    taker.take()
