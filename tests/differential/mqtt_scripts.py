"""The scripts that Mosquitto and we are played: clients of all versions, and what they send."""

from typing import Any

from hypothesis import strategies as st
from mockforge_brokers.mqtt.wire.packets import (
    Publish,
    Request,
    Subscribe,
    Unsubscribe,
    Will,
)

Step = tuple[int, str, Any]
"""Number of a client, what it does, and with what: `connect` (version, clean, will, properties),
`packet`, `burst` (packets in one write), `leave` (with its will or not), `raw`."""

NO_FILTERS = bytes.fromhex("82020001")
UNSUBSCRIBE_FLAGS = bytes.fromhex("a0050001000161")
FILTERS = ["#", "a", "a/b", "a/+", "#", "+/b", "+", "$share/{}/a", "a/#"]
TOPICS = ["a", "a/b", "b", "a/b/c"]
SMALLEST = 60
"""Bytes of the largest packet of a client that says so: CONNACK fits, some messages do not."""


def properties(**each: Any) -> Any:
    """None of them, one or some."""
    one = st.sampled_from(sorted(each)).flatmap(
        lambda name: st.fixed_dictionaries({name: each[name]})
    )
    return st.one_of(st.just({}), one, one, st.fixed_dictionaries({}, optional=each))


def _own(request: Request, number: int) -> Request:
    """A share is called by the client's number; No Local is no option of one (3.8.3.1)."""
    shared = request.topic_filter.startswith("$share")
    return Request(
        request.topic_filter.format(number),
        request.qos,
        request.no_local and not shared,
        request.retain_as_published,
        request.retain_handling,
    )


numbers = st.sampled_from([0, 1, 2, 2, 3, 3])
wills = st.one_of(
    st.none(), st.builds(Will, st.sampled_from(TOPICS), st.just(b"will"), st.integers(0, 2))
)
connecting = properties(
    receive_maximum=st.sampled_from([1, 2]),
    maximum_packet_size=st.just(SMALLEST),
    topic_alias_maximum=st.just(2),
)
connects = st.tuples(
    numbers,
    st.just("connect"),
    st.tuples(st.sampled_from([3, 4, 5]), st.booleans(), wills, connecting),
)
requests = st.builds(
    Request,
    st.sampled_from(FILTERS),
    st.integers(0, 2),
    no_local=st.booleans(),
    retain_as_published=st.booleans(),
    retain_handling=st.integers(0, 2),
)
subscribes = st.builds(
    lambda number, wanted, more: (
        number,
        "packet",
        Subscribe(7, [_own(each, number) for each in wanted], more),
    ),
    numbers,
    st.lists(requests, min_size=1, max_size=2, unique_by=lambda each: each.topic_filter),
    properties(subscription_identifier=st.integers(1, 3).map(lambda number: [number])),
)
unsubscribes = st.builds(
    lambda number, name: (number, "packet", Unsubscribe(8, [name.format(number)])),
    numbers,
    st.sampled_from(FILTERS),
)
publishing = properties(
    topic_alias=st.sampled_from([1, 1, 2, 11]),
    payload_format_indicator=st.just(1),
    message_expiry_interval=st.just(100),
    content_type=st.just("text/plain"),
    response_topic=st.just("b"),
    correlation_data=st.just(b"c"),
    user_property=st.just([("k", "1"), ("k", "2")]),
)
publishes = st.builds(
    lambda number, topic, payload, qos, retain, more: (
        number,
        "packet",
        Publish(topic, payload, qos, retain, packet_id=9 if qos else 0, properties=more),
    ),
    numbers,
    # An alias may stand for the topic, also one that was never set.
    st.sampled_from([*TOPICS, *TOPICS, ""]),
    st.sampled_from([b"1", b"2", b"", b"x" * SMALLEST]),
    st.integers(0, 2),
    st.booleans(),
    publishing,
)
bursts = st.builds(
    lambda number, each: (
        number,
        "burst",
        [
            Publish(topic, payload, qos, retain, packet_id=20 + place if qos else 0)
            for place, (topic, payload, qos, retain) in enumerate(each)
        ],
    ),
    numbers,
    # Topics in turn, and retained messages that nobody takes.
    st.lists(
        st.tuples(
            st.sampled_from([*TOPICS, "n/1", "n/2", "n/2/3"]),
            st.sampled_from([b"1", b"2", b"3", b""]),
            st.sampled_from([0, 1, 1, 2]),
            st.booleans(),
        ),
        min_size=2,
        max_size=8,
    ),
)
leaves = st.tuples(numbers, st.just("leave"), st.booleans())
# Whatever the version: QoS 3, a wildcard in a topic, no filter, identifier 0, a
# length of five bytes, packet type 0.
DAMAGED = ["3603000161", "3003000123", NO_FILTERS.hex(), "3205000161 0000", "30ffffffff01",
           "0000",
           # QoS 3 and no filter in a request, text that is none, reserved flags of several kinds.
           "8206000100016103", "30040002ffff", "30050003610062", "8006000100016100",
           UNSUBSCRIBE_FLAGS.hex(), "60020001", "e100",
           # Acknowledgements of nothing, what only servers send.
           "40020000", "50020063", "70020063", "20020000",
           # A topic that ends behind its packet, an empty one, AUTH that nobody began.
           "3003000961", "30020000", "f000"]  # fmt: skip
raws = st.tuples(numbers, st.just("raw"), st.sampled_from(DAMAGED).map(bytes.fromhex))


def _as_first(first: Request, again: Request) -> Request:
    return Request(
        again.topic_filter,
        again.qos,
        first.no_local,
        first.retain_as_published,
        again.retain_handling,
    )


def _without_shares(asked: Subscribe) -> Subscribe:
    requests = [each for each in asked.requests if not each.topic_filter.startswith("$share")]
    return Subscribe(asked.packet_id, requests, asked.properties)


def comparable(steps: list[Step]) -> list[Step]:
    """Leaves out what is known to differ (mqtt.DIFFERENCES).

    Clients subscribe to shares before anything is retained ("shared retained"), and those before
    MQTT 5 with one QoS ("overlapping"), and to shares or to others ("both"); an equal filter keeps
    two options ("again").
    """
    flags: dict[tuple[int, str], Request] = {}
    retained = False
    versions: dict[int, int] = {}
    shares: dict[int, bool] = {}
    given: dict[int, int] = {}
    even: list[Step] = []
    for number, what, value in steps:
        if what == "connect":
            versions[number] = value[0]
        if isinstance(value, Publish) and versions[number] < 5 and not value.topic_name:
            continue
        published = value if what == "burst" else [value]
        retained = retained or any(isinstance(each, Publish) and each.retain for each in published)
        if isinstance(value, Subscribe):
            value = Subscribe(
                value.packet_id,
                [
                    _as_first(flags.setdefault((number, each.topic_filter), each), each)
                    for each in value.requests
                ],
                value.properties,
            )
        if isinstance(value, Subscribe) and versions[number] < 5:
            qos = given.setdefault(number, value.requests[0].qos)
            shared = shares.setdefault(number, value.requests[0].topic_filter.startswith("$share"))
            requests = [
                Request(each.topic_filter, qos)
                for each in value.requests
                if each.topic_filter.startswith("$share") == shared
            ]
            value = Subscribe(value.packet_id, requests)
        if isinstance(value, Subscribe) and retained:
            value = _without_shares(value)
        if isinstance(value, Subscribe) and not value.requests:
            continue
        even.append((number, what, value))
    return even


def begun(asked: list[dict[str, Any]], first: list[tuple[int, str, Any]]) -> list[Step]:
    """A client of each version, one more of MQTT 5, and what they subscribe to."""
    versions = [3, 4, 5, 5]
    connected = [
        (each, "connect", (version, True, None, more))
        for each, (version, more) in enumerate(zip(versions, asked, strict=True))
    ]
    return [*connected, *first]


steps = st.one_of(
    connects, subscribes, subscribes, *[publishes] * 5, bursts, bursts, unsubscribes, leaves, raws
)
scripts = st.builds(
    lambda asked, first, more: comparable(begun(asked, first) + more),
    st.lists(connecting, min_size=4, max_size=4),
    st.lists(subscribes, min_size=2, max_size=4),
    st.lists(steps, min_size=6, max_size=16),
)
