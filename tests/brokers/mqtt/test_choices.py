"""Where a client gets something else than it asked for, the setting that decided is reported."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.events import ServerChose
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.state.topics import matches, overlap
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe, Unsubscribe

from brokers.fake_peer import FakeClient, FakeNetwork


def world(**options: Any) -> FakeNetwork:
    environment = Environment.create(ManualClock(), seed=1)
    return FakeNetwork(MqttBroker(environment, MqttOptions(**options)), environment)


def came(network: FakeNetwork, connect: Connect, *requests: Request) -> FakeClient:
    client = network.connect()
    client.send(encode_packet(connect, connect.version))
    for number, request in enumerate(requests, 1):
        client.send(encode_packet(Subscribe(number, [request]), connect.version))
    return client


def chosen(network: FakeNetwork) -> list[str]:
    return [
        f"{event.about}: {event.choice}"
        for _, event in network.environment.spine.history
        if isinstance(event, ServerChose)
    ]


def test_what_connack_changes_is_reported_with_its_setting() -> None:
    network = world(server_keep_alive=60, session_expiry_maximum=30, preset="aws-iot")
    asked = Connect("", version=5, keep_alive=0, properties={"session_expiry_interval": 3600})
    came(network, asked)
    [keep_alive, expiry, assigned] = chosen(network)
    assert keep_alive == "CONNECT: a keep alive of 60 s in place of none (keep_alive_secs)"
    assert expiry == (
        "CONNECT: the session ends 30 s after its connection (session_expiry_maximum)"
    )
    assert assigned.startswith("CONNECT: the client identifier auto-")
    last = [e for _, e in network.environment.spine.history if isinstance(e, ServerChose)][-1]
    assert last.preset == "aws-iot"


def test_how_long_a_session_before_mqtt_5_lasts_is_reported_where_that_is_set() -> None:
    network = world(session_expiry_before_5=7_200)
    came(network, Connect("a", clean_start=False))
    came(network, Connect("b"))
    came(network, Connect("c", version=5, clean_start=False))
    assert chosen(network) == [
        "CONNECT: the session ends 7200 s after its connection (session_expiry_before_5)"
    ]


def test_nothing_is_reported_of_who_gets_what_it_asked_for() -> None:
    network = world()
    came(network, Connect("a"), Request("t/1", 2), Request("t/2", 1))
    came(network, Connect("b", version=5, keep_alive=10), Request("+/1", 2))
    assert chosen(network) == []


@pytest.mark.parametrize(
    ("options", "requests", "expected"),
    [
        ({"maximum_qos": 1}, [Request("t", 2)], "SUBSCRIBE t: QoS 1 in place of 2 (maximum_qos)"),
        (
            {},
            [Request("t/#", 1), Request("t/1", 0)],
            "SUBSCRIBE t/1: one message for both: it overlaps t/# (merge_overlapping)",
        ),
        (
            {"merge_overlapping": False},
            [Request("t/#", 1), Request("+/1", 0)],
            "SUBSCRIBE +/1: a message for each: it overlaps t/# (merge_overlapping)",
        ),
        (
            {"shared_order": "sticky"},
            [Request("$share/g/t", 0)],
            "SUBSCRIBE $share/g/t: one member gets all as long as it is there (shared_order)",
        ),
    ],
)
def test_what_a_subscription_becomes_is_reported(
    options: dict[str, Any], requests: list[Request], expected: str
) -> None:
    network = world(**options)
    came(network, Connect("a"), *requests)
    assert chosen(network) == [expected]


_LEVELS = st.sampled_from(["a", "b", "+", "$s"])
_FILTERS = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(_LEVELS, min_size=1, max_size=3),
    st.sampled_from([[], ["#"]]),
) | st.just("#")
_NAMES = [
    "/".join(levels)
    for size in (1, 2, 3, 4)
    for levels in product(["a", "b", "$s", "c"], repeat=size)
]


@given(_FILTERS, _FILTERS)
def test_filters_overlap_where_some_name_matches_both(one: str, other: str) -> None:
    both = any(matches(one, name) and matches(other, name) for name in _NAMES)
    assert overlap(one, other) == both == overlap(other, one)


def test_a_share_says_who_got_what_until_its_members_leave() -> None:
    network = world()
    members = [came(network, Connect(name), Request("$share/g/t/+", 1)) for name in "ab"]
    publisher = came(network, Connect("p"))
    publisher.send(encode_packet(Publish("t/1", b"x", 0), 4) * 5)
    broker = network.broker
    assert isinstance(broker, MqttBroker)
    [share] = broker.shares()
    assert (share["filter"], share["order"], share["messages"]) == ("$share/g/t/+", "turns", 5)
    assert {each["client"]: each["taken"] for each in share["members"]} == {"a": 2, "b": 3}
    members[0].send(encode_packet(Unsubscribe(9, ["$share/g/t/+"]), 4))
    assert [each["client"] for each in broker.shares()[0]["members"]] == ["b"]
    broker.end_session("b")
    assert broker.shares() == []
