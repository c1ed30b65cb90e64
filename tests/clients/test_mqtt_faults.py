"""Each kind of trouble of the guide's table for MQTT: what a client sees, and how it recovers."""

import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from mockforge_tui import MockForge

from .conftest import hits, wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    yield running
    running.run("panic")
    running.run("reset -y")


class Client:
    """A paho client whose session stays; it notes all that is answered."""

    def __init__(
        self, mockforge: MockForge, *, version: int = paho.MQTTv311, keep_alive: int = 60
    ) -> None:
        self.got: list[bytes] = []
        self.published: list[int] = []
        self.subscribed: list[int] = []
        self.unsubscribed: list[int] = []
        self.connected: list[bool] = []
        self.lost: list[Any] = []
        place = urlsplit(mockforge.mqtt.url)
        stays: dict[str, Any] = {} if version == paho.MQTTv5 else {"clean_session": False}
        self.client = client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="dev-7", protocol=version, **stays
        )
        client.reconnect_delay_set(1, 1)
        client.on_message = lambda *args: self.got.append(args[2].payload)
        client.on_publish = lambda *args: self.published.append(args[3].value)
        client.on_subscribe = lambda *args: self.subscribed.append(args[3][0].value)
        client.on_unsubscribe = lambda *args: self.unsubscribed.append(
            args[3][0].value if args[3] else 0
        )
        client.on_connect = lambda *args: self.connected.append(args[2].session_present)
        client.on_disconnect = lambda *args: self.lost.append(args[3])
        client.connect(place.hostname, place.port, keep_alive)
        client.loop_start()
        wait_for(lambda: self.connected)

    def subscribe(self, qos: int, topic: str = "t") -> None:
        before = len(self.subscribed)
        self.client.subscribe(topic, qos)
        wait_for(lambda: len(self.subscribed) > before)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize(
    ("line", "qos", "got"),
    [
        ("drop op:PUBACK --dir out --once", 1, [b"a", b"a"]),
        ("drop op:PUBACK --dir in --once", 1, [b"a", b"a"]),
        ("duplicate op:PUBACK --dir out --once", 1, [b"a"]),
        ("duplicate op:PUBACK --dir in --once", 1, [b"a"]),
        ("disconnect op:PUBLISH --after --dir in --once", 1, [b"a", b"a"]),
        ("disconnect op:PUBLISH --after --dir in --once", 2, [b"a"]),
        ("drop op:PUBREC --dir out --once", 2, [b"a"]),
        ("drop op:PUBREC --dir in --once", 2, [b"a"]),
        ("drop op:PUBREL --dir out --once", 2, [b"a"]),
        ("drop op:PUBREL --dir in --once", 2, [b"a"]),
        ("drop op:PUBCOMP --dir out --once", 2, [b"a"]),
        ("drop op:PUBCOMP --dir in --once", 2, [b"a"]),
        ("duplicate op:PUBREC --dir out --once", 2, [b"a"]),
        ("duplicate op:PUBREC --dir in --once", 2, [b"a"]),
        ("duplicate op:PUBREL --dir out --once", 2, [b"a"]),
        ("duplicate op:PUBREL --dir in --once", 2, [b"a"]),
        ("duplicate op:PUBCOMP --dir out --once", 2, [b"a"]),
        ("duplicate op:PUBCOMP --dir in --once", 2, [b"a"]),
    ],
)
def test_a_message_comes_through_whichever_acknowledgement_is_lost_or_doubled(
    mockforge, line, qos, got
):
    """QoS 2 once, QoS 1 at least once: again where its acknowledgement was lost."""
    with Client(mockforge) as client:
        client.subscribe(qos)
        mockforge.run(f"fault add {line}")
        client.client.publish("t", b"a", qos)
        wait_for(lambda: hits(mockforge) == 1)
        if line.startswith("drop"):
            mockforge.run("conn kill dev-7 -y")
        if not line.startswith("duplicate"):
            wait_for(lambda: len(client.connected) == 2)
        wait_for(lambda: client.published and client.got)
        client.client.publish("t", b"b", qos)
        wait_for(lambda: b"b" in client.got and len(client.published) == 2)
        *came, last = client.got
        if qos == 1 and len(got) > 1:
            # Once more where the connection ended before the client had acknowledged what it got.
            got = got + [b"a"] * (len(came) == 3)
        assert (came, last) == (got, b"b")


@pytest.mark.parametrize(
    "line",
    [
        "drop op:SUBACK --once",
        "drop op:UNSUBACK --once",
        "duplicate op:SUBACK --once",
        "duplicate op:UNSUBACK --once",
    ],
)
def test_a_client_asks_again_when_what_it_asked_for_is_not_answered(mockforge, line):
    with Client(mockforge) as client:
        mockforge.run(f"fault add {line}")
        subscribes = "op:SUBACK" in line
        ask = client.client.subscribe if subscribes else client.client.unsubscribe
        answers = client.subscribed if subscribes else client.unsubscribed
        ask("t")
        wait_for(lambda: hits(mockforge) == 1)
        if line.startswith("drop"):
            assert not answers
            ask("t")
        wait_for(lambda: answers)
        if subscribes:
            client.client.publish("t", b"a", 1)
            wait_for(lambda: client.got == [b"a"])
        assert not client.lost


@pytest.mark.parametrize(
    ("line", "qos", "got"),
    [
        # What a sender of QoS 2 sends again, marked or not, is known by its packet identifier.
        ("duplicate op:PUBLISH --dir in --once", 2, [b"a"]),
        ("duplicate op:PUBLISH --dir in --dup --once", 2, [b"a"]),
        ("duplicate op:PUBLISH --dir out --once", 2, [b"a"]),
        ("duplicate op:PUBLISH --dir in --once", 1, [b"a", b"a"]),
        ("duplicate op:PUBLISH --dir out --once", 0, [b"a", b"a"]),
    ],
)
def test_a_message_that_is_repeated_with_or_without_dup(mockforge, line, qos, got):
    with Client(mockforge) as client:
        client.subscribe(2)
        mockforge.run(f"fault add {line}")
        client.client.publish("t", b"a", qos)
        client.client.publish("t", b"b", qos)
        wait_for(lambda: b"b" in client.got)
        assert client.got == [*got, b"b"]
        assert not client.lost


def test_each_answer_of_mqtt_5_has_a_reason_of_choice_and_the_next_one_has_none(mockforge):
    with Client(mockforge, version=paho.MQTTv5) as client:
        client.subscribe(2)
        for line in (
            "fault add refuse op:SUBSCRIBE topic:a/# QUOTA_EXCEEDED --once",
            "fault add refuse op:UNSUBSCRIBE topic:a/# NOT_AUTHORIZED --once",
            "fault add refuse op:PUBLISH topic:a/1 PACKET_IDENTIFIER_IN_USE --once",
        ):
            mockforge.run(line)
        for _ in range(2):
            client.client.subscribe("a/#", 2)
            wait_for(lambda: len(client.subscribed) in (2, 3))
            before = len(client.published)
            client.client.publish("a/1", b"x", 1)
            wait_for(lambda before=before: len(client.published) > before)
            before = len(client.unsubscribed)
            client.client.unsubscribe("a/#")
            wait_for(lambda before=before: len(client.unsubscribed) > before)
        assert client.subscribed[1:] == [0x97, 2]
        assert client.published == [0x91, 0]
        assert client.unsubscribed == [0x87, 0]
        assert hits(mockforge) == 3
        assert not client.lost


def test_a_publish_of_qos_2_ends_with_the_reason_of_its_pubrec(mockforge):
    """paho goes on with PUBREL whatever the PUBREC says; Mosquitto's client reads it."""
    mockforge.run("fault add refuse op:PUBLISH topic:t PAYLOAD_FORMAT_INVALID --once")
    place = urlsplit(mockforge.mqtt.url)
    command = ["mosquitto_pub", "-p", str(place.port), "-V", "5", "-q", "2", "-t", "t", "-m", "x"]
    words = [
        subprocess.run(command, capture_output=True, text=True, timeout=150).stderr for _ in "ab"
    ]
    assert "Payload format invalid" in words[0]
    assert not words[1]


@pytest.mark.parametrize(
    "line",
    [
        "set op:PUBLISH qos=3 --dir out --once",
        "corrupt op:PUBLISH head --bits 8 --dir out --once",
        "truncate op:PUBLISH 3 --dir out --once",
    ],
)
def test_a_client_connects_anew_after_a_packet_that_makes_no_sense(mockforge, line):
    with Client(mockforge) as client:
        client.subscribe(1)
        mockforge.run(f"fault add {line}")
        client.client.publish("t", b"a", 1)
        wait_for(lambda: hits(mockforge) == 1)
        if not line.startswith("set"):
            # What comes behind it is read as its rest.
            mockforge.run("pub mqtt:t behind -q 1")
        wait_for(lambda: b"a" in client.got)
        assert client.lost
        assert client.connected == [False, True]


def test_a_promised_keep_alive_is_kept(mockforge):
    mockforge.run("fault add set op:CONNACK server_keep_alive=4 --dir out --once")
    pings = mockforge.run("fault add watch op:PINGREQ").data["id"]
    # It asks for a minute itself.
    with Client(mockforge, version=paho.MQTTv5) as client:
        mockforge.run(f"expect fault {pings} --hits 1 --within 20s")
        assert len(client.connected) == 1


def test_a_client_whose_ping_is_not_answered_connects_anew(mockforge):
    # The broker takes it for more patient: a client that is late it would end itself.
    mockforge.run("fault add set op:CONNECT keep_alive=60 --dir in")
    pings = mockforge.run("fault add drop op:PINGRESP --dir out --once").data["id"]
    with Client(mockforge, keep_alive=1) as client:
        client.client.reconnect_delay_set(0.1, 0.1)
        mockforge.run(f"expect fault {pings} --hits 1 --within 20s")
        wait_for(lambda: client.lost and len(client.connected) > 1)
        client.subscribe(1)
        client.client.publish("t", b"a", 1)
        wait_for(lambda: client.got == [b"a"])


def test_a_client_is_let_in_once_it_was_refused_as_often_as_asked_for(mockforge):
    mockforge.run("fault add refuse op:CONNECT SERVER_BUSY --times 2")
    place = urlsplit(mockforge.mqtt.url)
    codes: list[int] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="dev-7", protocol=paho.MQTTv5)
    client.reconnect_delay_set(0.1, 0.1)
    client.on_connect = lambda *args: codes.append(args[3].value)
    client.connect(place.hostname, place.port)
    client.loop_start()
    wait_for(lambda: 0 in codes)
    client.disconnect()
    client.loop_stop()
    assert codes == [0x89, 0x89, 0]


def test_a_client_that_may_have_one_message_on_its_way_sends_the_next_when_it_is_taken(mockforge):
    place = urlsplit(mockforge.mqtt.url)
    mockforge.run("fault add set op:CONNACK receive_maximum=1 --dir out --once")
    mockforge.run("hold op:PUBACK")
    came: list[bytes] = []
    mockforge.call(mockforge.runtime.brokers.mqtt.watch, lambda event: came.append(event.payload))
    program = subprocess.Popen(
        ["mosquitto_pub", "-p", str(place.port), "-V", "5", "-q", "1", "-t", "t", "-l"],
        stdin=subprocess.PIPE,
    )
    assert program.stdin is not None
    program.stdin.write(b"1\n2\n3\n")
    program.stdin.close()
    for number in (1, 2, 3):
        wait_for(lambda: mockforge.run("held").records)
        assert came == [b"1", b"2", b"3"][:number]
        mockforge.run("release")
    assert program.wait(20) == 0


def test_a_client_whose_promised_session_is_gone_subscribes_again(mockforge):
    with Client(mockforge) as client:
        client.subscribe(1)
        mockforge.run("fault add set op:CONNACK session_present=true --dir out --once")
        mockforge.run("session rm dev-7 -y")
        wait_for(lambda: len(client.connected) == 2)
        mockforge.run("pub mqtt:t lost -q 1")
        assert client.connected == [False, True]
        client.subscribe(1)
        mockforge.run("pub mqtt:t kept -q 1")
        wait_for(lambda: client.got == [b"kept"])


def test_a_retained_message_is_lost_and_stays_where_it_is_published_again(mockforge):
    mockforge.run("pub mqtt:sensors/1 20 -r")
    mockforge.run("retained rm sensors/# -y")
    with Client(mockforge) as client:
        client.subscribe(1, "sensors/#")
        mockforge.run("pub mqtt:sensors/1 21 -r")
        wait_for(lambda: client.got == [b"21"])
        client.subscribe(1, "sensors/1")
        wait_for(lambda: client.got == [b"21", b"21"])


def test_a_connection_is_accepted_late(mockforge):
    mockforge.run("fault add delay op:open proto:mqtt 1h --once")
    place = urlsplit(mockforge.mqtt.url)
    connected: list[object] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="late")
    client.on_connect = lambda *args: connected.append(args)
    client.connect(place.hostname, place.port)
    client.loop_start()
    wait_for(lambda: hits(mockforge) == 1)
    assert not connected
    mockforge.run("clock advance 1h")
    wait_for(lambda: connected)
    client.disconnect()
    client.loop_stop()


def test_a_client_unsubscribes_from_what_no_rule_keeps_it_in(mockforge):
    with Client(mockforge, version=paho.MQTTv5) as client:
        for topic in ("kept", "gone"):
            client.subscribe(1, topic)
        mockforge.run("fault add refuse op:UNSUBSCRIBE topic:kept NOT_AUTHORIZED --once")
        answered: list[list[int]] = []
        client.client.on_unsubscribe = lambda *args: answered.append([one.value for one in args[3]])
        client.client.unsubscribe(["kept", "gone"])
        wait_for(lambda: answered)
        for topic in ("gone", "kept"):
            mockforge.run(f"pub mqtt:{topic} {topic} -q 1")
        wait_for(lambda: client.got)
        assert (answered, client.got) == ([[0x87, 0]], [b"kept"])


def test_a_message_that_waits_to_be_overtaken_comes_when_its_rule_ends(mockforge):
    with Client(mockforge) as client:
        client.subscribe(1)
        mockforge.run("fault add reorder op:PUBLISH --dir in --behind 9 --wait 1h --once")
        client.client.publish("t", b"a", 1)
        client.client.publish("t", b"b", 1)
        wait_for(lambda: client.published == [0] and client.got)
        assert client.got == [b"b"]
        mockforge.run("fault clear")
        wait_for(lambda: len(client.published) == len(client.got) == 2)
        assert (client.got, client.lost) == ([b"b", b"a"], [])


def test_a_client_sees_nothing_of_a_rule_that_counts(mockforge):
    watching = mockforge.run("fault add watch op:PUBACK client:dev-7 --dir out").data["id"]
    mockforge.run("fault add drop op:PUBACK --dir in --once")
    with Client(mockforge) as client:
        client.subscribe(1)
        for payload in (b"a", b"b"):
            client.client.publish("t", payload, 1)
        wait_for(lambda: len(client.published) == 2)
        mockforge.run(f"expect fault {watching} --hits 2 --within 20s")
        wait_for(lambda: len(client.got) == 2)
        assert (client.got, client.lost) == ([b"a", b"b"], [])
