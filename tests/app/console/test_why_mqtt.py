"""What `why` says of MQTT clients that were refused, sent away, granted less or found by lint."""

import re
from typing import Any

import pytest
from brokers.fake_peer import FakeClient
from mockforge_brokers.limits import MIB, Limits
from mockforge_brokers.listener import Listener
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.sn import messages as sn
from mockforge_brokers.mqtt.sn.codec import encode as sn_encode
from mockforge_brokers.mqtt.state.retained import RetainedMessages
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe
from msgspec.structs import replace

from .scene import Scene


def scene(**options: Any) -> Scene:
    made = Scene(furnished=False)
    made.mqtt.options = replace(MqttOptions(), **options)
    return made


def came(made: Scene, connect: Connect, *requests: Request) -> FakeClient:
    client = made.networks["mqtt"].connect()
    client.send(encode_packet(connect, connect.version))
    if requests:
        client.send(encode_packet(Subscribe(1, list(requests)), connect.version))
    return client


def found(made: Scene, about: str) -> dict[str, str]:
    return {each["cause"]: each["text"] for each in made.run(f"why {about}").data["findings"]}


def test_a_client_that_is_sent_elsewhere_is_told_how_that_ends() -> None:
    made = scene()
    assert made.run("redirect add dev-* b.example:1883").ok
    came(made, Connect("dev-1", version=5))
    assert found(made, "dev-1")["redirected"] == (
        "dev-1 was sent to another server just now (use b.example:1883): it must follow the "
        "Server Reference of CONNACK, or redirect rm takes it back"
    )


def test_an_authentication_that_failed_is_named() -> None:
    made = scene()
    assert made.run("auth add DENIED refuse=NOT_AUTHORIZED").ok
    properties: dict[str, Any] = {"authentication_method": "DENIED"}
    came(made, Connect("dev-1", version=5, properties=properties))
    assert "denied authenticate" in found(made, "dev-1")["access"]


def test_a_client_beyond_our_receive_maximum_is_named_with_it() -> None:
    made = scene(receive_maximum=2)
    client = came(made, Connect("dev-1", version=5))
    for packet_id in (1, 2, 3):
        client.send(encode_packet(Publish("t", b"", 2, packet_id=packet_id), 5))
    assert "more than 2 QoS 2 publishes unfinished" in found(made, "dev-1")["protocol"]


def test_a_lower_qos_than_was_asked_for_is_named_with_its_setting() -> None:
    made = scene(maximum_qos=1)
    came(made, Connect("dev-1"), Request("t", 2))
    assert found(made, "dev-1")["granted-less"] == (
        "dev-1 got less than it asked for in SUBSCRIBE t: QoS 1 in place of 2 (maximum_qos)"
    )


def test_what_lint_found_is_said_of_the_client() -> None:
    made = scene()
    client = came(made, Connect("dev-1"), Request("t", 1))
    dup = bytearray(encode_packet(Publish("t", b"x"), 4))
    dup[0] |= 0x08
    client.send(bytes(dup))
    assert found(made, "dev-1")["lint"].startswith("dev-1 broke MQTT-3.3.1-2 1 time, last just now")


@pytest.mark.parametrize(
    ("limits", "named"),
    [((1, MIB), "mqtt_retained=N"), ((9, 5), "mqtt_retained_bytes=N")],
)
def test_a_topic_whose_message_was_not_retained_is_named_with_the_limit(
    limits: tuple[int, int], named: str
) -> None:
    made = scene()
    made.mqtt.router.retained = RetainedMessages(*limits)
    client = came(made, Connect("dev-1"))
    for topic in ("one", "two"):
        client.send(encode_packet(Publish(topic, b"x", retain=True), 4))
    made.usage.report()
    assert f"--limit {named}" in found(made, "mqtt:two")["retained-lost"]
    assert "retained-lost" not in found(made, "mqtt:one")


def test_a_device_that_sleeps_is_told_from_one_that_does_not_answer() -> None:
    made = scene()
    device = made.networks["mqtt"].connect(Listener("mqtt", port=1884, datagram=True))
    for message in (sn.Connect("dev-1"), sn.Subscribe(1, "t/1", qos=1), sn.Disconnect(60)):
        device.send(sn_encode(message))
    assert made.run("pub mqtt:t/1 x -q 1").ok
    assert found(made, "dev-1")["asleep"] == (
        "dev-1 sleeps, and 1 message of QoS 1 and 2 wait for it: it gets them at its PINGREQ "
        "with its client identifier, or at CONNECT (MQTT-SN 6.14)"
    )


def test_messages_that_expired_while_a_client_was_away_are_counted() -> None:
    made = scene()
    kept: dict[str, Any] = {"session_expiry_interval": 600}
    away = Connect("dev-1", version=5, clean_start=False, properties=kept)
    came(made, away, Request("t", 1)).vanish()
    publisher = came(made, Connect("p", version=5))
    short: dict[str, Any] = {"message_expiry_interval": 5}
    publisher.send(encode_packet(Publish("t", b"x", 1, packet_id=1, properties=short), 5))
    made.time.advance(6)
    came(made, away)
    assert found(made, "dev-1")["expired"] == (
        "1 message for dev-1 expired while it was away or did not acknowledge: publish with a "
        "longer Message Expiry Interval, or come back sooner"
    )
    (session,) = [each for each in made.run("session ls").data if each["client"] == "dev-1"]
    assert (session["expired"], session["oversized"], session["own"]) == (1, 0, 0)


@pytest.mark.parametrize("qos", [0, 1])
def test_messages_larger_than_the_client_takes_are_counted(qos: int) -> None:
    made = scene()
    limits: dict[str, Any] = {"maximum_packet_size": 50}
    came(made, Connect("dev-1", version=5, properties=limits), Request("t", qos))
    assert made.run(f"pub mqtt:t {'x' * 100} -q {qos}").ok
    assert found(made, "dev-1")["too-large"].startswith("dev-1 was not sent 1 message ")
    assert made.run("session show dev-1").data["oversized"] == 1


def test_what_a_client_published_itself_is_missing_for_no_local() -> None:
    made = scene()
    client = came(made, Connect("dev-1", version=5), Request("t", no_local=True))
    client.send(encode_packet(Publish("t", b"x"), 5) * 2)
    assert found(made, "dev-1")["no-local"] == (
        "2 messages that dev-1 published did not come back to it, since it subscribed with No "
        "Local: subscribe without it to get its own"
    )


def test_who_subscribed_after_a_message_that_was_not_retained_is_told_so() -> None:
    made = scene()
    assert made.run("pub mqtt:t/1 x -n 2").ok
    came(made, Connect("early"), Request("t/#"))
    made.time.advance(5)
    late = came(made, Connect("late"), Request("t/1", 1))
    assert found(made, "late")["subscribed-too-late"] == (
        "late subscribed to t/1 just now, after the 2 messages of t/1, and none is retained: "
        "subscribe first, or publish with retain"
    )
    assert "subscribed-too-late" in found(made, "mqtt:t/1")
    # What comes from now on it gets, be it that it still waits for its PUBACK.
    assert made.run("pub mqtt:t/1 x -q 1").ok
    assert "subscribed-too-late" not in found(made, "late")
    made.networks["mqtt"].settle()
    assert late.take()[-1:] == b"x"


def test_who_got_what_is_retained_did_not_subscribe_too_late() -> None:
    made = scene()
    assert made.run("pub mqtt:t x -r").ok
    came(made, Connect("late"), Request("t"))
    assert "subscribed-too-late" not in found(made, "late")


def test_what_a_rule_keeps_away_did_not_come_too_early() -> None:
    made = scene()
    came(made, Connect("late"), Request("t"))
    assert made.run("rule add deny * read mqtt:t").ok
    assert made.run("pub mqtt:t x").ok
    causes = found(made, "late")
    assert "subscribed-too-late" not in causes
    assert "a rule denies it: deny * read mqtt:t" in causes["access"]


@pytest.mark.parametrize(("version", "code"), [(4, 0x80), (5, 0x87)])
def test_a_filter_that_suback_refused_is_named_with_the_option(version: int, code: int) -> None:
    made = scene(refused_filters={"no/#": 0x87})
    client = came(made, Connect("dev-1", version=version), Request("no/1"))
    assert client.take()[-1] == code
    assert found(made, "dev-1")["refused"] == (
        "SUBSCRIBE no/1 of dev-1 was refused just now: refused by the broker (refused_filters)"
    )


def test_a_filter_and_a_publish_that_no_rule_allows_are_named_with_the_rule() -> None:
    made = scene()
    assert made.run("rule add allow * all mqtt:a/#").ok
    client = came(made, Connect("dev-1"), Request("b/#"))
    assert client.take()[-1] == 0x80
    assert found(made, "dev-1")["access"] == (
        "dev-1 was denied read b/# just now: no rule allows it: allow anonymous read mqtt:b/#"
    )
    client.send(encode_packet(Publish("b", b"x", 1, packet_id=3), 4))
    assert found(made, "dev-1")["access"] == (
        "dev-1 was denied write b just now: no rule allows it: allow anonymous write mqtt:b"
    )


def test_a_queue_that_was_full_is_named_with_what_it_lost() -> None:
    made = scene()
    made.mqtt.environment.limits = Limits(mqtt_session_queue=2)
    kept = Connect("dev-1", clean_start=False)
    came(made, kept, Request("t", 1)).vanish()
    assert made.run("pub mqtt:t x -q 1 -n 3").ok
    assert found(made, "dev-1")["dropped"] == (
        "dev-1 lost 1 message, since its queue or backlog was full: see limits"
    )


def test_sessions_show_what_is_in_flight_what_waits_and_when_they_end() -> None:
    made = scene()
    slow: dict[str, Any] = {"receive_maximum": 1, "session_expiry_interval": 100}
    client = came(made, Connect("slow", version=5, properties=slow), Request("t", 1))
    came(made, Connect("ever", clean_start=False), Request("t", 2)).vanish()
    came(made, Connect("brief"))
    assert made.run("pub mqtt:t x -q 1 -n 3").ok
    shown = made.run("session ls").as_text().splitlines()
    assert [line.split(maxsplit=5) for line in shown[1:]] == [
        ["slow", "yes", "t=1", "1", "2", "1m40s after its connection"],
        ["ever", "no", "t=2", "0", "3", "never"],
        ["brief", "yes", "0", "0", "with", "its connection"],
    ]
    assert re.search("expiry +never", made.run("session show ever").as_text())
    assert made.run("session show ever").data["expiry"] is None
    assert "must send PUBACK, 2 wait" in found(made, "slow")["unacknowledged"]
    data = made.run("session show slow").data
    assert (data["inflight"], data["queued"], data["window"], data["expiry"]) == (1, 2, 1, 100.0)
    client.send(bytes.fromhex("40 02 00 01"))
    data = made.run("session show slow").data
    assert (data["inflight"], data["queued"]) == (1, 1)


def shared(made: Scene, *clients: str) -> list[FakeClient]:
    wanted = Request("$share/workers/jobs/#", 1)
    return [came(made, Connect(each, version=5), wanted) for each in clients]


def test_who_shares_a_subscription_is_told_who_got_what() -> None:
    made = scene()
    shared(made, "one", "two")
    for number in range(3):
        made.run(f"pub mqtt:jobs/a {number} -q 1")
    assert found(made, "$share/workers/jobs/#")["share"] == (
        "each message of $share/workers/jobs/# goes to one of 2 members: two got 2, one got 1"
    )


def test_a_share_without_a_connected_member_or_a_message_says_so() -> None:
    made = scene()
    (one,) = shared(made, "one")
    assert "nothing was published yet" in found(made, "$share/workers/jobs/#")["nothing-published"]
    made.run("pub mqtt:jobs/a 1 -q 1")
    one.vanish()
    made.settle()
    # Its session ended with its connection, and the share with its last member.
    assert not [each for each in made.mqtt.groups() if each.detail.get("filter")]
    keeping = Connect("two", version=5, properties={"session_expiry_interval": 100})
    came(made, keeping, Request("$share/workers/jobs/#", 1)).vanish()
    made.settle()
    assert (
        "no member of $share/workers/jobs/# is connected"
        in (found(made, "$share/workers/jobs/#")["share-away"])
    )


def test_of_very_many_subscribers_of_a_topic_the_first_are_asked_about() -> None:
    made = scene()
    for number in range(40):
        came(made, Connect(f"dev-{number}"), Request("jobs/#", 0))
    texts = found(made, "mqtt:jobs/a")
    assert texts["others"].startswith("20 more clients of jobs/a not looked at")


def test_of_a_client_whose_broker_is_stopped_that_comes_first() -> None:
    made = Scene(furnished=False)
    made.mqtt_client("dev-7", "t").vanish()
    assert "stopped" not in [each["cause"] for each in made.run("why dev-7").data["findings"]]
    made.run("broker stop mqtt -y")
    assert made.run("why dev-7").text.splitlines()[0] == (
        "mqtt is stopped, so that nobody can connect: broker start mqtt"
    )
    made.run("broker start mqtt")
    assert "is stopped" not in made.run("why dev-7").text
