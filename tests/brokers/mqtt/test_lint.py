"""Lint: what a client did against the specification is named; what is risky is a warning."""

from typing import Any

import pytest
from mockforge_brokers.events import LintFound, ProtocolViolated
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Auth,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Publish,
    Request,
    Subscribe,
    Unsubscribe,
    Will,
)

from ..fake_peer import FakeClient
from .scene import Scene


class Linted(Scene):
    """Clients of MQTT 3.1.1 that keep alive, where a test says nothing else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(version=4, **options)

    def client(self, name: str = "dev", version: int = 4, **more: Any) -> FakeClient:
        return self.connect(name, version=version, **({"keep_alive": 60} | more))

    def found(self) -> dict[tuple[str, str], tuple[str, int, int]]:
        return {
            (each.client, each.statement): (each.severity, each.times, each.ended)
            for each in self.broker.lint()
        }

    def statements(self) -> list[str]:
        return [event.statement for event in self.emitted(LintFound)]


HALF = Publish("t", b"x", 2, packet_id=7)

# The raw packets behind CONNECT of 3.1.1, the statement, and whether Mosquitto 2.0.11 closed the
# connection when it was sent them (asked over a socket; each was followed by a PINGREQ).
BROKEN = {
    "a control character in a topic": ("3005 0003 61 01 62", "MQTT-1.5.4", True),
    "no character in a topic": ("3005 0003 efbfbe", "MQTT-1.5.4", True),
    "a control character in a filter": ("8208 0001 0003 61 01 62 00", "MQTT-1.5.4", True),
    "DUP with QoS 0": ("3803 0001 61", "MQTT-3.3.1-2", False),
    "a length of four bytes": ("3084 8000 0001 61 78", "MQTT-1.5.5-1", False),
    "a length of two bytes": ("c080 00", "MQTT-1.5.5-1", False),
    "QoS 2 in use, no DUP": ("3406 0001 61 0001 78 3406 0001 61 0001 79", "MQTT-2.3.1-2", False),
    "QoS 1 in use": ("3406 0001 61 0001 78 3206 0001 61 0001 79", "MQTT-2.3.1-2", False),
    "SUBSCRIBE in use": ("3406 0001 61 0001 78 8206 0001 0001 61 00", "MQTT-2.3.1-2", False),
    "UNSUBSCRIBE in use": ("3406 0001 61 0001 78 a205 0001 0001 61", "MQTT-2.3.1-2", False),
}


@pytest.mark.parametrize("level", ["lenient", "strict", "as-mosquitto"])
@pytest.mark.parametrize("name", BROKEN)
def test_the_level_says_whether_a_broken_statement_ends_the_connection(
    name: str, level: str
) -> None:
    raw, statement, mosquitto_closes = BROKEN[name]
    scene = Linted(lint=level)
    client = scene.client()
    client.send(bytes.fromhex(raw) + b"\xc0\x00")
    ends = {"lenient": False, "strict": True, "as-mosquitto": mosquitto_closes}[level]
    assert (client.peer.ended == "closed") is ends
    assert scene.found() == {("dev", statement): ("error", 1, int(ends))}
    assert scene.statements() == ([] if ends else [statement])
    if not ends:
        assert client.take().endswith(b"\xd0\x00")


def test_an_error_is_emitted_once_a_connection_and_counted_each_time() -> None:
    scene = Linted()
    for name in ("a", "b", "b"):
        scene.send(scene.client(name), *[Publish("t", dup=True)] * 3)
    assert scene.statements() == ["MQTT-3.3.1-2"] * 3
    assert scene.found() == {
        ("a", "MQTT-3.3.1-2"): ("error", 3, 0),
        ("b", "MQTT-3.3.1-2"): ("error", 6, 0),
    }


def test_what_ends_a_connection_is_counted_by_the_statement_in_its_text() -> None:
    scene = Linted()
    scene.client("twice").send(encode_packet(Connect("twice"), 4))
    scene.client("flags").send(bytes.fromhex("8006 0001 0001 61 00"))
    scene.client("short").send(bytes.fromhex("8202 0001"))
    scene.client("", clean_start=False)
    scene.client("wild").send(encode_packet(Publish("a/#"), 4))
    scene.client("server").send(encode_packet(Pingresp(), 4))
    assert scene.found() == {
        ("twice", "MQTT-3.1.0-2"): ("error", 1, 1),
        ("flags", "MQTT-2.1.3-1"): ("error", 1, 1),
        ("short", "MQTT-3.8.3-2"): ("error", 1, 1),
        ("", "MQTT-3.1.3-8"): ("error", 1, 1),
        ("wild", "MQTT-3.3.2-2"): ("error", 1, 1),
        ("server", "MQTT 2.1.2"): ("error", 1, 1),
    }


def test_a_refusal_of_ours_and_a_stranger_are_no_findings() -> None:
    scene = Linted(maximum_qos=0)
    scene.send(scene.client("a"), Publish("t", b"x", 1, packet_id=1))
    scene.network.connect().send(b"GET / HTTP/1.1\r\n\r\n")
    events = [event for _, event in scene.environment.spine.history]
    assert sum(isinstance(event, ProtocolViolated) for event in events) == 2
    assert [key for key in scene.found() if key[1] != "MQTT-3.2.2-11"] == []


@pytest.mark.parametrize(("version", "found"), [(4, []), (5, ["MQTT-3.3.4-7"])])
def test_a_burst_of_more_qos_1_than_our_receive_maximum_is_an_error_in_mqtt_5(
    version: int, found: list[str]
) -> None:
    scene = Linted(receive_maximum=3)
    taker = scene.client("taker", version)
    scene.send(taker, Subscribe(1, [Request("t", 0)]))
    client = scene.client("dev", version)
    burst = [Publish("t", b"x", 1, packet_id=number) for number in (1, 2, 3)]
    scene.send(client, *burst)
    scene.send(client, *burst)
    assert scene.statements() == []
    scene.send(client, *burst, Publish("t", b"x", 1, packet_id=4))
    assert scene.statements() == found


def test_mqtt_5_names_its_own_statement_for_an_identifier_in_use() -> None:
    scene = Linted()
    scene.send(scene.client("a", 5), HALF, HALF)
    assert scene.statements() == ["MQTT-2.2.1-3"]


# Habits: what is legal and risky.


def test_keep_alive_0_is_a_warning() -> None:
    scene = Linted()
    scene.client("a", keep_alive=0)
    scene.client("b", keep_alive=1)
    assert scene.found() == {("a", "keep-alive-0"): ("warning", 1, 0)}


def test_qos_1_in_a_session_that_is_not_kept_is_a_warning() -> None:
    scene = Linted()
    kept = {"session_expiry_interval": 10}
    for client in (
        scene.client("clean"),
        scene.client("kept", clean_start=False),
        scene.client("clean 5", 5),
        scene.client("kept 5", 5, properties=kept),
    ):
        scene.send(client, Subscribe(1, [Request("t", 1), Request("u", 0)]))
    assert set(scene.found()) == {("clean", "session-not-kept"), ("clean 5", "session-not-kept")}


def test_a_will_that_never_gets_old_is_a_warning() -> None:
    scene = Linted()
    expiring = {"message_expiry_interval": 60}
    scene.client("a", 5, will=Will("w", b"x", 1))
    scene.client("b", 5, will=Will("w", b"x", 1, properties=expiring))
    scene.client("c", 5, will=Will("w", b"x"))
    scene.client("d", 4, will=Will("w", b"x", 1))
    assert set(scene.found()) == {("a", "will-without-expiry")}


def test_a_client_identifier_made_anew_at_each_connect_is_a_warning() -> None:
    scene = Linted()
    for number in (17, 94_112, 3):
        client = scene.client(f"app-{number}", clean_start=False)
        scene.send(client, Disconnect())
    assert set(scene.found()) == {("app-3", "new-client-id")}


def test_very_long_client_identifiers_are_not_kept_to_be_compared() -> None:
    scene = Linted()
    for number in range(3):
        scene.send(scene.client(f"{number}".rjust(60_000, "x"), clean_start=False), Disconnect())
    assert scene.found() == {}


def test_a_fleet_whose_clients_stay_or_come_back_or_start_clean_is_none() -> None:
    scene = Linted()
    for number in range(5):
        scene.client(f"stays-{number}", clean_start=False)
        scene.send(scene.client(f"clean-{number}"), Disconnect())
        scene.send(scene.client("named", clean_start=False), Disconnect())
    assert scene.found() == {}


def test_odd_topics_are_a_warning_also_on_the_fast_path() -> None:
    scene = Linted()
    taker = scene.client("taker")
    scene.send(taker, Subscribe(1, [Request("#", 0)]))
    for name in ("/a", "a/", "a b"):
        for client in (scene.client(f"1 {name}"), scene.client(f"2 {name}")):
            scene.send(client, *[Publish(name, b"x"), Publish("plain", b"x")] * 3)
    assert set(scene.found()) == {
        (f"{number} {name}", "doubtful-topic") for number in (1, 2) for name in ("/a", "a/", "a b")
    }


def test_clearing_what_is_not_retained_is_a_warning() -> None:
    scene = Linted()
    client = scene.client("a")
    scene.send(client, Publish("t", b"x", retain=True), Publish("t", b"", retain=True))
    assert scene.found() == {}
    scene.send(client, Publish("t", b"", retain=True))
    assert set(scene.found()) == {("a", "nothing-to-clear")}


@pytest.mark.parametrize(("qos", "found"), [(1, set()), (2, {("a", "qos-2-throughout")})])
def test_telemetry_of_qos_2_on_both_sides_is_a_warning(
    qos: int, found: set[tuple[str, str]]
) -> None:
    scene = Linted()
    kept = {"clean_start": False}
    scene.send(scene.client("s", **kept), Subscribe(1, [Request("t", qos)]))
    client = scene.client("a")
    for _ in range(99):
        scene.send(client, HALF, Ack(PacketType.PUBREL, 7))
    assert scene.found() == {}
    scene.send(client, HALF)
    assert set(scene.found()) == found


def test_a_warning_ends_nothing_and_is_emitted_once_a_client() -> None:
    scene = Linted(lint="strict")
    for _ in range(3):
        scene.send(scene.client("a", keep_alive=0), Pingreq(), Unsubscribe(1, ["t"]))
    assert scene.statements() == ["keep-alive-0"]
    assert scene.found() == {("a", "keep-alive-0"): ("warning", 3, 0)}


def test_clients_under_ever_new_names_do_not_grow_the_table() -> None:
    scene = Linted()
    for number in range(1100):
        scene.send(scene.client(f"c{number}", keep_alive=0), Disconnect())
    assert len(scene.found()) == 1001
    assert scene.found()["(others)", "keep-alive-0"] == ("warning", 100, 0)


def test_a_connection_shows_what_lint_found_of_its_client_also_once_it_has_ended() -> None:
    scene = Linted()
    client = scene.client("dev", keep_alive=0)
    scene.send(client, *[Publish("t", dup=True)] * 3)
    text = "CONNECT: keep alive 0: nobody notices when the client or its network is gone"
    found = {
        "MQTT-3.3.1-2": "error, 3 times: PUBLISH: DUP with QoS 0",
        "keep-alive-0": f"warning: {text}",
    }
    [view] = scene.broker.connections()
    assert view.detail["lint"] == found
    scene.send(client, Publish("a/#"))
    assert client.peer.last is not None
    wild = "error: PUBLISH: topic name 'a/#' has a wildcard in it [MQTT-3.3.2-2]"
    assert client.peer.last.detail["lint"] == {**found, "MQTT-3.3.2-2": wild}


def test_the_metric_counts_by_statement() -> None:
    scene = Linted()
    scene.client("a", keep_alive=0)
    scene.send(scene.client("b", keep_alive=0), Publish("t", dup=True))
    [metric] = [each for each in scene.broker.metrics() if each.name == "mqtt_lint_findings_total"]
    assert dict(metric.samples) == {
        ("keep-alive-0", "warning"): 2,
        ("MQTT-3.3.1-2", "error"): 1,
    }


ALIAS = {"topic_alias": 1}

# What a client of MQTT 5 sends behind its CONNECT, and the statement that it is counted under.
ENDING = {
    "an alias of the connection before": ([Publish("", properties=ALIAS)], "MQTT 3.3.2.3.4"),
    "alias 0": ([Publish("t", properties={"topic_alias": 0})], "MQTT-3.3.2-8"),
    "an alias above our maximum": ([Publish("t", properties={"topic_alias": 9})], "MQTT-3.3.2-9"),
    "subscription identifier 0": (
        [Subscribe(1, [Request("t")], {"subscription_identifier": 0})],
        "MQTT 3.8.2.1.2",
    ),
    "PUBREC where PUBACK is due": (
        [Subscribe(1, [Request("t", 1)]), HALF, Ack(PacketType.PUBREC, 1)],
        "MQTT-4.3.2-4",
    ),
    "more than the Receive Maximum": (
        [Publish("t", b"", 2, packet_id=number) for number in range(1, 5)],
        "MQTT-3.3.4-7",
    ),
    "a packet that only servers send": ([Pingresp()], "MQTT 2.1.2"),
    "AUTH that nobody began": ([Auth(0x18)], "MQTT-4.12.0-6"),
    "No Local on a share": (
        [Subscribe(1, [Request("$share/g/t", no_local=True)])],
        "MQTT-3.8.3-4",
    ),
    "Retain Handling 3": ([Subscribe(1, [Request("t", retain_handling=3)])], "MQTT 3.8.3.1"),
    "a session expiry that CONNECT had not": (
        [Disconnect(0, {"session_expiry_interval": 5})],
        "MQTT-3.14.2-2",
    ),
}


@pytest.mark.parametrize("name", ENDING)
def test_what_ends_a_connection_of_mqtt_5_is_counted_under_its_statement(name: str) -> None:
    packets, statement = ENDING[name]
    scene = Linted(receive_maximum=3, topic_alias_maximum=5)
    scene.send(scene.client("dev", 5), Publish("t", properties=ALIAS))
    client = scene.client("dev", 5)
    scene.send(client, *packets)
    assert client.peer.ended == "closed"
    assert scene.found()["dev", statement] == ("error", 1, 1)
