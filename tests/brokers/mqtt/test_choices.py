"""Where a client gets something else than it asked for, the setting that decided is reported."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.mqtt.events import ServerChose
from mockforge_brokers.mqtt.state.topics import matches, overlap
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe, Unsubscribe

from ..fake_peer import FakeClient
from .scene import Scene


def came(scene: Scene, connect: Connect, *requests: Request) -> FakeClient:
    client = scene.come(connect)
    for number, request in enumerate(requests, 1):
        scene.send(client, Subscribe(number, [request]))
    return client


def chosen(scene: Scene) -> list[str]:
    return [f"{event.about}: {event.choice}" for event in scene.emitted(ServerChose)]


def test_what_connack_changes_is_reported_with_its_setting() -> None:
    scene = Scene(version=4, server_keep_alive=60, session_expiry_maximum=30, preset="aws-iot")
    asked = Connect("", version=5, keep_alive=0, properties={"session_expiry_interval": 3600})
    came(scene, asked)
    [keep_alive, expiry, assigned] = chosen(scene)
    assert keep_alive == "CONNECT: a keep alive of 60 s in place of none (keep_alive_secs)"
    assert expiry == (
        "CONNECT: the session ends 30 s after its connection (session_expiry_maximum)"
    )
    assert assigned.startswith("CONNECT: the client identifier auto-")
    last = [e for _, e in scene.environment.spine.history if isinstance(e, ServerChose)][-1]
    assert last.preset == "aws-iot"


def test_how_long_a_session_before_mqtt_5_lasts_is_reported_where_that_is_set() -> None:
    scene = Scene(version=4, session_expiry_before_5=7_200)
    came(scene, Connect("a", clean_start=False))
    came(scene, Connect("b"))
    came(scene, Connect("c", version=5, clean_start=False))
    assert chosen(scene) == [
        "CONNECT: the session ends 7200 s after its connection (session_expiry_before_5)"
    ]


def test_nothing_is_reported_of_who_gets_what_it_asked_for() -> None:
    scene = Scene(version=4)
    came(scene, Connect("a"), Request("t/1", 2), Request("t/2", 1))
    came(scene, Connect("b", version=5, keep_alive=10), Request("+/1", 2))
    assert chosen(scene) == []


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
    scene = Scene(version=4, **options)
    came(scene, Connect("a"), *requests)
    assert chosen(scene) == [expected]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"qos2_hand_on": "release"},
            ["PUBLISH: QoS 2 goes on at PUBREL, not at PUBLISH (qos2_hand_on)"],
        ),
        (
            {"tell_no_subscribers": False},
            [
                "PUBLISH: no 0x10 in PUBACK or PUBREC, though nobody subscribed "
                "(tell_no_subscribers)"
            ],
        ),
        (
            {"outbound_topic_aliases": 3},
            ["CONNECT: topic aliases 1 to 3 in what it gets (outbound_topic_aliases)"],
        ),
        ({}, []),
    ],
)
def test_a_choice_that_acts_again_and_again_is_reported_once_of_a_connection(
    options: dict[str, Any], expected: list[str]
) -> None:
    scene = Scene(version=5, **options)
    client = came(scene, Connect("a", version=5, properties={"topic_alias_maximum": 9}))
    for packet_id in (1, 2):
        scene.send(client, Publish("nobody", b"x", 2, packet_id=packet_id))
    assert chosen(scene) == expected


def test_a_share_says_that_nobody_gets_what_a_member_leaves() -> None:
    scene = Scene(version=4, shared_redelivery=False)
    came(scene, Connect("a"), Request("$share/g/t", 1))
    assert chosen(scene)[1:] == [
        "SUBSCRIBE $share/g/t: what it leaves unacknowledged at its end is lost (shared_redelivery)"
    ]


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
    scene = Scene(version=4)
    members = [came(scene, Connect(name), Request("$share/g/t/+", 1)) for name in "ab"]
    publisher = came(scene, Connect("p"))
    publisher.send(encode_packet(Publish("t/1", b"x", 0), 4) * 5)
    [share] = scene.broker.shares()
    assert (share["filter"], share["order"], share["messages"]) == ("$share/g/t/+", "turns", 5)
    assert {each["client"]: each["taken"] for each in share["members"]} == {"a": 2, "b": 3}
    scene.send(members[0], Unsubscribe(9, ["$share/g/t/+"]))
    assert [each["client"] for each in scene.broker.shares()[0]["members"]] == ["b"]
    scene.broker.end_session("b")
    assert scene.broker.shares() == []
