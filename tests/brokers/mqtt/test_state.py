"""Subscriptions, sessions, routes and retained messages without bytes or sockets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import LimitReached
from mockforge_brokers.limits import MIB, Limits
from mockforge_brokers.mqtt.codes import Reason
from mockforge_brokers.mqtt.records import Message, cost_of, detailed
from mockforge_brokers.mqtt.state.retained import RetainedMessages
from mockforge_brokers.mqtt.state.router import Router
from mockforge_brokers.mqtt.state.session import Session
from mockforge_brokers.mqtt.state.sessions import Sessions
from mockforge_brokers.mqtt.state.subscriptions import Subscription, SubscriptionTrie
from mockforge_brokers.mqtt.state.topics import filter_problem, matches, name_problem
from mockforge_brokers.usage import REPORT_EVERY


class RecordingSink:
    """A sink that remembers what it was given."""

    def __init__(self, dialect: int = 4) -> None:
        self.connection = 1
        self.dialect = dialect
        self.out: list[bytes] = []
        self.messages_out = 0
        self.backlog = 0
        self.delivered: list[tuple[int, bytes, bool]] = []
        self.released: list[int] = []
        self.closed: list[Reason] = []

    def deliver(self, packet_id: int, message: Message, dup: bool = False) -> bool:
        self.delivered.append((packet_id, message.payload, dup))
        return True

    def release(self, packet_id: int) -> None:
        self.released.append(packet_id)

    def wake(self) -> None: ...

    def close(self, code: Reason, reason: str) -> None:
        self.closed.append(code)


class State:
    """Router and sessions without a broker."""

    def __init__(self, **limits: Any) -> None:
        self.clock = ManualClock()
        self.environment = Environment.create(self.clock, seed=1, limits=Limits(**limits))
        self.router = Router(self.environment)
        self.sessions = Sessions(self.environment, self.router)

    def client(self, name: str, *filters: str, qos: int = 0) -> tuple[Session, RecordingSink]:
        sink = RecordingSink()
        session, _ = self.sessions.open(name, sink, clean_start=False)
        session.expiry = None
        session.resume()
        for topic_filter in filters:
            self.router.subscribe(session, Subscription(topic_filter, qos))
        return session, sink


@pytest.mark.parametrize(
    ("topic_filter", "topic_name", "match"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("+", "a", True),
        ("+", "/a", False),
        ("+/+", "/a", True),
        ("#", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "ab", False),
        ("a/+/c", "a/b/c", True),
        ("+/b/#", "a/b/c/d", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a//b", "a//b", True),
        ("a/+/b", "a//b", True),
    ],
)
def test_filter_matches_name(topic_filter: str, topic_name: str, match: bool) -> None:
    state = State()
    trie = SubscriptionTrie()
    session, _ = state.client("s")
    trie.add(session, Subscription(topic_filter))
    retained = RetainedMessages(10, MIB)
    retained.store(Message(topic_name, b"x"))
    assert matches(topic_filter, topic_name) is match
    assert bool(trie.match(topic_name)[0]) is match
    assert any(retained.match(topic_filter, 0.0)) is match


_level = st.sampled_from(["", "a", "b", "$x"])
_names = st.lists(_level, min_size=1, max_size=4).map("/".join).filter(bool)
_filters = (
    st.tuples(st.lists(st.sampled_from(["", "a", "b", "$x", "+"]), max_size=4), st.booleans())
    .map(lambda parts: "/".join([*parts[0], *(["#"] if parts[1] else [])]))
    .filter(bool)
)


@pytest.mark.parametrize(
    ("topic_filter", "begins"),
    [("a", True), ("a/+", True), ("+", True), ("#", True), ("b/#", False), ("ab", False)],
)
def test_retained_messages_are_looked_for_where_a_topic_begins_so(
    topic_filter: str, begins: bool
) -> None:
    retained = RetainedMessages(10, MIB)
    assert not retained.begins(topic_filter)
    retained.store(Message("a/b", b"x"))
    assert retained.begins(topic_filter) is begins
    retained.remove("a/b")
    assert not retained.begins(topic_filter)


@given(st.lists(_filters, max_size=8), _names)
def test_trie_and_retained_tree_agree_with_the_definition(filters: list[str], name: str) -> None:
    state = State()
    trie, retained = SubscriptionTrie(), RetainedMessages(10, MIB)
    retained.store(Message(name, b"x"))
    sessions = {topic_filter: state.client(topic_filter)[0] for topic_filter in filters}
    for topic_filter, session in sessions.items():
        trie.add(session, Subscription(topic_filter))
        match = matches(topic_filter, name)
        assert any(retained.match(topic_filter, 0.0)) is match
        assert retained.begins(topic_filter) or not match
    found = {subscription.topic_filter for _, subscription in trie.match(name)[0]}
    assert found == {topic_filter for topic_filter in sessions if matches(topic_filter, name)}
    for topic_filter, session in sessions.items():
        assert trie.remove(session, topic_filter)
        assert not trie.remove(session, topic_filter)
    assert trie.count == 0
    assert trie.match(name) == ([], [])


@pytest.mark.parametrize("topic_name", ["", "a/+", "#", "a\0"])
def test_illegal_topic_names(topic_name: str) -> None:
    assert name_problem(topic_name)


@pytest.mark.parametrize("topic_filter", ["", "a#", "#/a", "a/#/b", "a+", "$share//t", "$share/g"])
def test_illegal_topic_filters(topic_filter: str) -> None:
    assert filter_problem(topic_filter)


LEVELS = st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=3).map("/".join)


@given(st.lists(st.tuples(st.sampled_from(["", "$share/g/", "$share/h/"]), LEVELS, st.booleans())))
def test_trees_hold_what_was_put_in_and_not_taken_out(steps: list[tuple[str, str, bool]]) -> None:
    """Nodes without anything share their empty dicts: nothing must ever be put into those."""
    trie, retained = SubscriptionTrie(), RetainedMessages(100, MIB)
    session, _ = State().client("s")
    held: set[str] = set()
    kept: set[str] = set()
    for share, path, put in steps:
        topic_filter, topic_name = share + path, path.replace("+", "c")
        if put:
            assert trie.add(session, Subscription(topic_filter)) == (topic_filter not in held)
            held.add(topic_filter)
            retained.store(Message(topic_name, b"x"))
            kept.add(topic_name)
        else:
            assert trie.remove(session, topic_filter) == (topic_filter in held)
            held.discard(topic_filter)
            assert retained.remove(topic_name) == (topic_name in kept)
            kept.discard(topic_name)
        assert trie.count == len(held)
        assert {each.topic_name for each in retained.all()} == kept
    assert set(trie.shares) == {each for each in held if each.startswith("$share/")}
    # Another tree has nothing of it.
    assert SubscriptionTrie().match("a") == ([], [])
    assert not any(SubscriptionTrie().begins_with(level) for level in "ab+")
    assert RetainedMessages(1, MIB).all() == []


def test_packet_ids_go_round_and_pass_over_those_in_flight() -> None:
    state = State()
    session, sink = state.client("s", "t", qos=1)
    session.last_id = 65_534
    for _ in range(3):
        state.router.publish(Message("t", b"x", 1))
    assert [packet_id for packet_id, _, _ in sink.delivered] == [65_535, 1, 2]
    session.last_id = 65_535
    state.router.publish(Message("t", b"y", 1))
    assert sink.delivered[-1][0] == 3


def test_window_of_a_resumed_session_is_kept_while_resending() -> None:
    state = State()
    session, _ = state.client("s", "t", qos=1)
    for number in range(4):
        state.router.publish(Message("t", b"%d" % number, 1))
    state.sessions.close(session, publish_will=False)
    again = RecordingSink()
    session, present = state.sessions.open("s", again, clean_start=False, window=2)
    session.resume()
    assert present
    assert again.delivered == [(1, b"0", True), (2, b"1", True)]
    session.acknowledge(1)
    assert again.delivered[2:] == [(3, b"2", True)]


def test_queue_overflow_is_reported_with_what_is_lost() -> None:
    state = State(mqtt_session_queue=2)
    told: list[LimitReached] = []
    state.environment.spine.watch(told.append, LimitReached)
    session, _ = state.client("s", "t", qos=1)
    state.sessions.close(session, publish_will=False)
    for _ in range(500):
        state.router.publish(Message("t", b"x", 1))
    state.clock.advance(REPORT_EVERY)
    assert (len(session.queue), session.dropped) == (2, 498)
    assert [(event.where, event.effect) for event in told] == [
        ("session s", "messages to it dropped: 1"),
        ("session s", "messages to it dropped: 497"),
    ]


def test_a_session_is_bounded_by_bytes_too_and_has_room_again_when_they_leave() -> None:
    state = State(mqtt_session_bytes=30)
    session, sink = state.client("s", "t", qos=1)
    state.sessions.close(session, publish_will=False)
    for _ in range(5):
        state.router.publish(Message("t", bytes(9), 1))
    assert (len(session.queue), session.queued_bytes, session.dropped) == (3, 30, 2)
    state.sessions.open("s", sink, clean_start=False)
    session.resume()
    assert (len(session.queue), session.queued_bytes) == (0, 0)


DESCRIBED = detailed(
    "t",
    b"x",
    1,
    True,
    {
        "payload_format_indicator": 1,
        "content_type": "text",
        "correlation_data": b"12",
        "user_property": [("a", "b"), ("", "")],
    },
    None,
)
"""What its properties take is all but two bytes of it."""
PLACES = {
    "waiting": lambda session, state: session.queued_bytes,
    "in flight": lambda session, state: session.inflight_bytes,
    "retained": lambda session, state: state.router.retained.bytes,
}


@pytest.mark.parametrize("place", PLACES)
def test_properties_count_where_bytes_are_bounded(place: str) -> None:
    cost = cost_of(DESCRIBED)
    # A user property without name and value takes room as well.
    assert cost > 2 + len("text") + 2 + len("ab") + 2 * 50
    assert cost_of(DESCRIBED.variant(0, False, (7,))) == cost
    state = State(mqtt_session_bytes=2 * cost - 1, mqtt_retained_bytes=2 * cost - 1)
    session, _ = state.client("s", "#", qos=1)
    if place == "waiting":
        state.sessions.close(session, publish_will=False)
    for topic in ("t", "u", "v"):
        message = detailed(topic, b"x", 1, True, DESCRIBED.properties, None)
        state.router.publish(message)
    # In flight is one more that began while there was room.
    assert PLACES[place](session, state) == (2 if place == "in flight" else 1) * cost
    assert state.router.retained.count == 1


@pytest.mark.parametrize("qos", [1, 2])
def test_what_is_sent_and_not_acknowledged_is_bounded_by_bytes_too(qos: int) -> None:
    state = State(mqtt_session_bytes=30)
    session, sink = state.client("s", "t", qos=qos)
    for _ in range(5):
        state.router.publish(Message("t", bytes(9), qos))
    assert (len(session.inflight), len(session.queue), session.inflight_bytes) == (3, 2, 30)
    # A connection that takes it up sends that again, and no more.
    state.sessions.close(session, publish_will=False)
    state.sessions.open("s", sink, clean_start=False)
    session.resume()
    assert (len(session.inflight), len(session.queue), session.inflight_bytes) == (3, 2, 30)
    for packet_id in range(1, 6):
        if qos == 2:
            assert session.received(packet_id)
        assert session.acknowledge(packet_id)
    assert (len(session.inflight), len(session.queue), session.inflight_bytes) == (0, 0, 0)


@pytest.mark.parametrize("qos", [1, 2])
def test_names_of_topics_are_of_what_is_in_flight(qos: int) -> None:
    state = State(mqtt_session_bytes=30)
    session, _ = state.client("s", "#", qos=qos)
    for number in range(5):
        state.router.publish(Message(f"{number}".rjust(10, "t"), b"", qos))
    assert (len(session.inflight), len(session.queue), session.inflight_bytes) == (3, 2, 30)
    views = state.environment.usage.views()
    assert next(each for each in views if each.name == "mqtt_session_bytes").used == 30
    for packet_id in range(1, 6):
        if qos == 2:
            assert session.received(packet_id)
        assert session.acknowledge(packet_id)
    assert (len(session.inflight), len(session.queue), session.inflight_bytes) == (0, 0, 0)


def test_a_message_larger_than_the_bound_waits_alone() -> None:
    state = State(mqtt_session_bytes=30)
    session, _ = state.client("s", "t", qos=1)
    state.sessions.close(session, publish_will=False)
    for _ in range(2):
        state.router.publish(Message("t", bytes(99), 1))
    assert (len(session.queue), session.dropped) == (1, 1)


def test_qos_0_goes_on_to_a_slow_subscriber_until_its_backlog_is_full() -> None:
    state = State(mqtt_backlog=100)
    session, sink = state.client("s", "t")
    state.router.set_ready(session, False)
    sink.backlog = 99
    state.router.publish(Message("t", b"in"))
    sink.backlog = 100
    state.router.publish(Message("t", b"lost"))
    state.router.set_ready(session, True)
    state.router.publish(Message("t", b"again"))
    assert [payload for _, payload, _ in sink.delivered] == [b"in", b"again"]
    assert session.dropped == 1


def test_a_connected_subscriber_with_a_small_window_gets_all() -> None:
    state = State()
    session, sink = state.client("s", "t", qos=1)
    session.window = 20
    for number in range(5_000):
        state.router.publish(Message("t", b"%d" % number, 1))
    while session.inflight:
        session.acknowledge(next(iter(session.inflight)))
    assert [int(payload) for _, payload, _ in sink.delivered] == list(range(5_000))


def test_retained_messages_are_limited_and_the_limit_is_told() -> None:
    state = State(mqtt_retained=1)
    told: list[LimitReached] = []
    state.environment.spine.watch(told.append, LimitReached)
    state.router.publish(Message("a", b"1", retain=True))
    for number in range(10):
        state.router.publish(Message(f"b/{number}", b"2", retain=True))
    state.router.publish(Message("a", b"3", retain=True))
    assert [message.payload for message in state.router.retained.all()] == [b"3"]
    state.clock.advance(REPORT_EVERY)
    assert [(event.limit, event.lost) for event in told] == [
        ("mqtt_retained", 1),
        ("mqtt_retained", 9),
    ]
    assert told[1].effect == "messages not retained: 9, the last to b/9"


@pytest.mark.parametrize(
    ("limits", "published", "retained", "met"),
    [
        # Topic and payload count: "a" with nine bytes takes ten.
        ({}, ["a 9", "b 9"], {"a": 9, "b": 9}, []),
        ({}, ["a 9", "b 10"], {"a": 9}, ["mqtt_retained_bytes"]),
        ({}, ["a 19"], {"a": 19}, []),
        ({}, ["a 20"], {}, ["mqtt_retained_bytes"]),
        # What takes the place of an older one has its room, and there is room again when one goes.
        ({}, ["a 9", "b 9", "a 9", "b 1", "a 17"], {"a": 17, "b": 1}, []),
        ({}, ["a 19", "a 0", "b 19"], {"b": 19}, []),
        # The older one would be taken for the last that was published.
        ({}, ["a 9", "b 9", "a 10"], {"b": 9}, ["mqtt_retained_bytes"]),
        ({}, ["a 9", "b 9", "a 10", "c 9"], {"b": 9, "c": 9}, ["mqtt_retained_bytes"]),
        # Which limit is met is said.
        ({"mqtt_retained": 1}, ["a 9", "b 30"], {"a": 9}, ["mqtt_retained"]),
        ({"mqtt_retained": 1}, ["a 9", "a 30"], {}, ["mqtt_retained_bytes"]),
    ],
)
def test_retained_messages_are_limited_by_their_bytes(
    limits: dict[str, int], published: list[str], retained: dict[str, int], met: list[str]
) -> None:
    state = State(mqtt_retained_bytes=20, **limits)
    told: list[LimitReached] = []
    state.environment.spine.watch(told.append, LimitReached)
    _, live = state.client("live", "#")
    for topic, size in map(str.split, published):
        state.router.publish(Message(topic, bytes(int(size)), retain=True))
    kept = state.router.retained
    assert {each.topic_name: len(each.payload) for each in kept.all()} == retained
    assert kept.bytes == sum(len(topic) + size for topic, size in retained.items())
    assert [event.limit for event in told] == met
    assert len(live.delivered) == len(published), "who is subscribed gets them all the same"
    state.router.reset()
    assert kept.bytes == 0


def test_retained_topic_of_very_many_levels_can_be_found() -> None:
    retained = RetainedMessages(100_000, MIB)
    deep = "/" * 30_000
    retained.store(Message(deep, b"x"))
    assert len([each for each in retained.match("#", 0.0) if each]) == 1
    assert retained.remove(deep)
    assert retained.all() == []


def test_verbatim_route_is_learned_and_forgotten_when_anything_changes() -> None:
    state = State()
    session, _ = state.client("s", "t", qos=1)
    routes = state.router.verbatim(4)

    def learn() -> bool:
        state.router.publish(Message("t", b"x"))
        state.router.learn(4, "t")
        return b"t" in routes

    assert learn()
    state.router.set_ready(session, False)
    assert not routes
    assert not learn()
    state.router.set_ready(session, True)
    assert learn()
    stop = state.router.watch(lambda seen: None, "t")
    assert not learn()
    stop()
    assert learn()
    other, sink = state.client("v5", "t")
    sink.dialect = 5
    assert not learn()
    state.sessions.end(other, "test")
    assert learn()
    state.router.subscribe(session, Subscription("t", identifier=3))
    assert not learn()


def test_watchers_see_only_their_topics() -> None:
    state = State()
    seen: list[Any] = []
    stop = state.router.watch(seen.append, "a/+")
    state.router.publish(Message("a/b", b"1", 1), client="c")
    state.router.publish(Message("b/b", b"2"))
    stop()
    state.router.publish(Message("a/b", b"3"))
    assert [(each.destination, each.payload, each.client) for each in seen] == [("a/b", b"1", "c")]


def test_topics_beyond_the_limit_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockforge_brokers.mqtt.state.router.MOST_ROUTES", 2)
    state = State()
    for name in ("a", "b", "c", "d", "a"):
        state.router.publish(Message(name, b"x"))
    assert {name: counts.published for name, counts in state.router.topics.items()} == {
        "a": 2,
        "b": 1,
    }
    assert state.router.other_topics.published == 2


def test_ending_a_session_sends_its_client_away() -> None:
    state = State()
    session, sink = state.client("s", "t")
    state.sessions.end(session, "test")
    assert sink.closed == [Reason.ADMINISTRATIVE_ACTION]
    assert state.router.subscriptions.count == 0
    assert state.router.publish(Message("t", b"x")) == 0
