"""MQTT's topics at the prompt: the tree, values and how they change, and who shares."""

import struct
from typing import Any

import msgspec
import pytest
from brokers.fake_peer import FakeClient
from mockforge_brokers.listener import Listener
from mockforge_brokers.mqtt.sn import messages as sn
from mockforge_brokers.mqtt.sn.codec import encode as sn_encode
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe

from app.console.scene import Scene
from mockforge_tui.decoding.avro import Schema
from mockforge_tui.decoding.schemas import SCHEMAS
from mockforge_tui.feed.values import TopicValues, newest_values


@pytest.fixture
def scene() -> Scene:
    return Scene(furnished=False)


def came(scene: Scene, name: str, *filters: str, version: int = 4) -> FakeClient:
    client = scene.networks["mqtt"].connect()
    client.send(encode_packet(Connect(name, version=version), version))
    if filters:
        requests = [Request(each, 1) for each in filters]
        client.send(encode_packet(Subscribe(1, requests), version))
    return client


def rows(scene: Scene, line: str) -> list[dict[str, Any]]:
    result = scene.session.run(line)
    assert result.ok, result.as_text()
    return [dict(each) for each in result.records]


def test_values_in_avro_are_compared_and_charted_by_their_schema(scene: Scene) -> None:
    fields = [{"name": "t", "type": "double"}, {"name": "on", "type": "boolean"}]
    schema = {"type": "record", "name": "Reading", "fields": fields}
    client = came(scene, "dev")
    forget = SCHEMAS.give("plant/*", Schema(msgspec.json.encode(schema)))
    try:
        for t, on in ((20.5, True), (21.0, True), (22.5, False)):
            payload = struct.pack("<d?", t, on)
            client.send(encode_packet(Publish("plant/line1/t", payload, retain=True), 4))
        result = scene.session.run("topic history plant/line1/t t")
        assert result.text.startswith("t: 3 values")
        assert [each["change"] for each in result.records] == [
            "", "t 20.5 → 21.0", "t 21.0 → 22.5, on true → false",
        ]  # fmt: skip
        differing = rows(scene, "topic diff plant/line1/t")
        assert [each["path"] for each in differing] == ["t", "on"]
        assert not scene.session.run("topic history plant/line1/t u").ok
    finally:
        forget()


def test_the_tree_counts_below_and_shows_what_is_retained_and_last(scene: Scene) -> None:
    client = came(scene, "dev")
    client.send(encode_packet(Publish("home/hall/t", b"20", retain=True), 4))
    client.send(encode_packet(Publish("home/hall/t", b"21"), 4))
    client.send(encode_packet(Publish("home/attic", b"dark"), 4))
    client.send(encode_packet(Publish("/odd", b"x"), 4))
    found = [(each["shown"], each["messages_in"], each["retained"], each["value"])
             for each in rows(scene, "topic tree")]  # fmt: skip
    assert found == [
        ("(empty level)", 1, False, None),
        ("  odd", 1, False, "x"),
        ("home", 3, False, None),
        ("  attic", 1, False, "dark"),
        ("  hall", 2, False, None),
        ("    t", 2, True, "21"),
    ]
    assert [each["topic"] for each in rows(scene, "topic tree home/hall/#")] == [
        "home/#",
        "home/hall/#",
        "home/hall/t",
    ]


def test_a_topic_that_has_topics_below_is_a_leaf_as_well(scene: Scene) -> None:
    client = came(scene, "dev")
    client.send(encode_packet(Publish("a/b", b"below"), 4))
    client.send(encode_packet(Publish("a", b"above"), 4))
    [above, below] = rows(scene, "topic tree")
    assert (above["topic"], above["leaf"], above["value"]) == ("a", True, "above")
    assert (above["messages_in"], below["messages_in"]) == (2, 1)


def test_history_shows_each_value_with_what_changed_and_a_chart(scene: Scene) -> None:
    client = came(scene, "dev")
    for number in (20, 22, 21):
        client.send(encode_packet(Publish("t", b'{"t": %d, "on": true}' % number), 4))
    result = scene.session.run("topic history t")
    assert [each["change"] for each in result.records] == ["", "t 20 → 22", "t 22 → 21"]
    assert result.records[1]["changes"] == [{"path": "t", "before": 20, "after": 22}]
    assert result.records[0]["client"] == "dev"
    assert result.text.startswith("t: 3 values\n 22 ┤   ███")
    assert [each["value"] for each in rows(scene, "topic history t -n 1")] == [
        '{"t": 21, "on": true}'
    ]


def test_a_field_without_numbers_is_refused_with_those_there_are(scene: Scene) -> None:
    came(scene, "dev").send(encode_packet(Publish("t", b'{"t": 1, "x": "y"}'), 4))
    wrong = scene.session.run("topic history t x").problem
    assert wrong is not None
    assert wrong.text == "no number at x; numbers are at t"


def test_history_of_what_is_only_retained_is_that(scene: Scene) -> None:
    came(scene, "dev").send(encode_packet(Publish("t", b"1", retain=True), 4))
    journal = scene.journal
    assert journal is not None
    journal.clear()
    [kept] = rows(scene, "topic history t")
    assert (kept["value"], kept["retain"], kept["time"]) == ("1", True, None)


def test_diff_compares_field_by_field(scene: Scene) -> None:
    client = came(scene, "dev")
    for payload in (b'{"a": 1}', b'{"a": 2}', b'{"a": 2, "b": [3]}'):
        client.send(encode_packet(Publish("t", payload), 4))
    assert rows(scene, "topic diff t") == [{"path": "b[0]", "before": "–", "after": "3"}]
    assert [each["path"] for each in rows(scene, "topic diff t --back 2")] == ["a", "b[0]"]
    short = scene.session.run("topic diff t --back 3").problem
    assert short is not None
    assert "t has 3 values here" in short.text


def test_an_unknown_topic_is_refused_with_the_nearest(scene: Scene) -> None:
    came(scene, "dev").send(encode_packet(Publish("sensors/room1", b"1"), 4))
    wrong = scene.session.run("topic history sensors/romo1").problem
    assert wrong is not None
    assert wrong.text == "no MQTT topic sensors/romo1; did you mean sensors/room1?"


def test_share_ls_says_who_got_how_much(scene: Scene) -> None:
    for name in ("a", "b"):
        came(scene, name, "$share/workers/jobs/#")
    came(scene, "p").send(encode_packet(Publish("jobs/1", b"x"), 4) * 3)
    assert [(each["client"], each["taken"]) for each in rows(scene, "share ls")] == [
        ("a", 1),
        ("b", 2),
    ]


def test_sub_shows_what_is_retained_first_and_then_what_comes(scene: Scene) -> None:
    client = came(scene, "dev")
    client.send(encode_packet(Publish("home/t", b"kept", retain=True), 4))
    assert scene.session.run("sub home/# -n 2").ok
    scene.time.advance(1)
    client.send(encode_packet(Publish("home/t", b"now"), 4))
    client.send(encode_packet(Publish("elsewhere", b"not"), 4))
    scene.time.advance(1)
    payloads = [each.data["payload"] for each in scene.heard if each.kind == "row"]
    assert payloads == ["kept", "now"]
    wrong = scene.session.run("sub a/b#").problem
    assert wrong is not None
    assert "# is only legal as the whole last level" in wrong.text


# What the journal has of a topic.


def values(scene: Scene, topic: str, most: int = 200) -> list[bytes]:
    assert scene.journal is not None
    found = TopicValues(scene.journal, topic, most, lambda: 0.0)
    found.look()
    return [each.payload for each in found.values]


def test_values_are_in_order_over_clients_and_over_chunks(scene: Scene) -> None:
    clients = [came(scene, name) for name in "abc"]
    for number in range(30):
        clients[number % 3].send(encode_packet(Publish("t", b"%d" % number), 4))
        clients[0].send(encode_packet(Publish("other/t", b"no"), 4))
    assert values(scene, "t") == [b"%d" % number for number in range(30)]
    assert values(scene, "t", 4) == [b"26", b"27", b"28", b"29"]


@pytest.mark.parametrize("cut", range(1, 16, 2))
def test_a_message_in_several_reads_is_a_value(scene: Scene, cut: int) -> None:
    client = came(scene, "a")
    frame = encode_packet(Publish("topic/1", b"in pieces"), 4)
    client.send(frame[:cut])
    client.send(frame[cut : cut + 2])
    client.send(frame[cut + 2 :] + encode_packet(Publish("topic/1", b"whole"), 4))
    assert values(scene, "topic/1") == [b"in pieces", b"whole"]


def test_a_message_by_its_alias_is_a_value(scene: Scene) -> None:
    client = came(scene, "a", version=5)
    client.send(encode_packet(Publish("t", b"1", properties={"topic_alias": 1}), 5))
    client.send(encode_packet(Publish("", b"2", properties={"topic_alias": 1}), 5))
    assert values(scene, "t") == [b"1", b"2"]


def test_messages_of_a_device_that_names_topics_by_numbers_are_values(scene: Scene) -> None:
    device = scene.networks["mqtt"].connect(Listener("mqtt", port=1884, datagram=True))
    for message in (
        sn.Connect("dev-7"),
        sn.Register(1, "home/t"),
        sn.Register(2, "home/u"),
        sn.Publish(1, b'{"t": 20}'),
        sn.Publish(2, b"no"),
        sn.Publish(1, b'{"t": 21}', 1, message_id=3),
    ):
        device.send(sn_encode(message))
    assert values(scene, "home/t") == [b'{"t": 20}', b'{"t": 21}']
    assert "t: 2 values" in scene.session.run("topic history home/t t").as_text(80)


def test_a_later_look_takes_in_what_came_since(scene: Scene) -> None:
    client = came(scene, "a")
    assert scene.journal is not None
    found = TopicValues(scene.journal, "t", 3)
    assert not found.look()
    for number in range(5):
        client.send(encode_packet(Publish("t", b"%d" % number), 4))
        assert found.look()
        assert not found.look()
    assert [each.payload for each in found.values] == [b"2", b"3", b"4"]


def test_a_look_ends_with_its_budget_and_says_so(scene: Scene) -> None:
    client = came(scene, "a")
    for number in range(5):
        client.send(encode_packet(Publish("t", b"%d" % number), 4))
    ticks = iter(range(100))
    assert scene.journal is not None
    found = TopicValues(scene.journal, "t", timer=lambda: next(ticks))
    found.look(2)
    assert not found.complete
    assert [each.payload for each in found.values] == [b"3", b"4"]


def test_the_newest_of_several_topics_is_found_in_one_look(scene: Scene) -> None:
    client = came(scene, "a")
    for number in range(4):
        client.send(encode_packet(Publish(f"t/{number % 2}", b"%d" % number), 4))
    assert scene.journal is not None
    assert newest_values(scene.journal, {"t/0", "t/1", "t/9"}) == {"t/0": b"2", "t/1": b"3"}
