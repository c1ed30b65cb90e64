"""`chaos report` tells a correct client from one that doubles or loses messages."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Producer
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import NackError

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client

CLEAN = "nothing lost, doubled or out of order"


@pytest.fixture
def mockforge() -> Iterator[MockForge]:
    with MockForge() as running:
        yield running


def verdicts(mockforge: MockForge) -> dict[str, str]:
    mockforge.run("chaos stop")
    return {each["client"]: each["verdict"] for each in mockforge.run("chaos report").records}


def touched(mockforge: MockForge) -> set[str]:
    found = mockforge.run("chaos report").records
    return {each["client"] for each in found if each["faults"] or each["lost"]}


def connected(mockforge: MockForge, name: str) -> pika.BlockingConnection:
    parameters = pika.URLParameters(mockforge.amqp.url)
    parameters.client_properties = {"connection_name": name}
    return pika.BlockingConnection(parameters)


def test_a_kafka_producer_that_is_not_idempotent_doubles_under_lossy_answers(mockforge, tmp_path):
    mockforge.run("topic add orders -p 1")
    mockforge.run("chaos start lossy-answers -s loss=50% --seed 3")
    for name, idempotent in (("correct", True), ("careless", False)):
        producer = Producer(
            {
                "bootstrap.servers": mockforge.kafka.bootstrap,
                "client.id": name,
                "enable.idempotence": idempotent,
                "request.timeout.ms": 500,
                "socket.timeout.ms": 500,
                "retry.backoff.ms": 10,
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 20,
            }
        )
        for number in range(1, 9):
            producer.produce("orders", f"{name}-{number}".encode())
            assert producer.flush(30) == 0
    found = verdicts(mockforge)
    assert found["correct"] == CLEAN
    assert found["careless"].startswith("doubled ")
    page = tmp_path / "report.html"
    mockforge.run(f"chaos report --html > {page}")
    text = page.read_text(encoding="utf-8")
    assert text.index("</span> careless") < text.index("</span> correct")
    assert "✓ 1 kept all" in text
    assert text.rstrip().endswith("</html>")


def test_an_amqp_publisher_that_ignores_nacks_loses(mockforge):
    mockforge.run("queue add q")
    mockforge.run("chaos start observe")
    for name in ("correct", "careless"):
        connection = connected(mockforge, name)
        channel = connection.channel()
        channel.confirm_delivery()
        mockforge.run(f"fault add refuse op:basic.publish client:{name} NACK --first 1 --times 2")
        for number in range(1, 5):
            taken = False
            while not taken:
                try:
                    channel.basic_publish("", "q", f"{name}-{number}".encode())
                    taken = True
                except NackError:
                    taken = name == "careless"
        connection.close()
    found = verdicts(mockforge)
    assert found["correct"] == CLEAN
    assert found["careless"] == "not sent again 2: careless-2, careless-3"


def test_a_message_that_a_fault_changed_and_that_was_confirmed_is_not_missed(mockforge):
    mockforge.run("queue add q")
    mockforge.run("chaos start observe")
    mockforge.run("fault add corrupt op:basic.publish payload --once")
    connection = connected(mockforge, "correct")
    channel = connection.channel()
    channel.confirm_delivery()
    for number in range(1, 4):
        channel.basic_publish("", "q", b"o-%d" % number)
    found = verdicts(mockforge)
    assert found["correct"] == CLEAN
    connection.close()


def test_the_last_message_is_missed_too_though_no_number_comes_behind_it(mockforge):
    mockforge.run("queue add q")
    mockforge.run("chaos start observe")
    mockforge.run("fault add refuse op:basic.publish NACK --nth 3")
    connection = connected(mockforge, "careless")
    channel = connection.channel()
    channel.confirm_delivery()
    for number in range(1, 3):
        channel.basic_publish("", "q", f"{number}".encode())
    with pytest.raises(NackError):
        channel.basic_publish("", "q", b"3")
    mockforge.run("chaos stop")
    [found] = mockforge.run("chaos report").records
    assert (found["verdict"], found["missing"]) == ("not sent again 1: 3", ["3"])
    # It may still come for a while.
    channel.basic_publish("", "q", b"3")
    [found] = mockforge.run("chaos report").records
    assert (found["verdict"], found["sent"]) == (CLEAN, 2)
    connection.close()


def test_what_went_with_its_connection_is_missed_where_nobody_sends_it_again(mockforge):
    place = urlsplit(mockforge.mqtt.url)
    mockforge.run("chaos start observe")
    # The first waits, and with it what is no rule's concern.
    mockforge.run("fault add delay client:careless topic:t 1h")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="careless")
    client.connect(place.hostname, place.port, keepalive=0)
    client.loop_start()
    wait_for(client.is_connected)
    client.publish("t", "first", 0)
    client.publish("u", "second", 0)
    observer = mockforge.runtime.chaos[-1].observer

    def withheld() -> list[int]:
        return [len(list(each.withheld)) for each in observer.stories()]

    wait_for(lambda: mockforge.call(withheld) == [2])
    assert [each["verdict"] for each in mockforge.run("chaos report").records] == ["sent nothing"]
    mockforge.run("conn kill careless --rst -y")
    [found] = mockforge.run("chaos report").records
    assert found["verdict"].startswith("not sent again 2: first, second")
    client.disconnect()
    client.loop_stop()


def test_an_mqtt_publisher_that_ignores_reason_codes_loses(mockforge):
    place = urlsplit(mockforge.mqtt.url)
    mockforge.run("chaos start observe")
    for name in ("correct", "careless"):
        reasons: list[int] = []
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        client.on_publish = lambda *args, reasons=reasons: reasons.append(args[3].value)
        client.connect(place.hostname, place.port)
        client.loop_start()
        wait_for(client.is_connected)
        mockforge.run(f"fault add refuse op:PUBLISH client:{name} QUOTA_EXCEEDED --nth 2")
        for number in range(1, 5):
            taken = False
            while not taken:
                reasons.clear()
                client.publish("t", f"{name}-{number}", 1)
                wait_for(lambda reasons=reasons: reasons)
                taken = name == "careless" or reasons[0] < 0x80
        client.disconnect()
        client.loop_stop()
    found = verdicts(mockforge)
    assert found["correct"] == CLEAN
    assert found["careless"] == "not sent again 1: careless-2"


def test_an_amqp_publisher_that_does_not_wait_for_its_confirm_doubles(mockforge):
    mockforge.run("queue add q")
    mockforge.run("chaos start observe")
    mockforge.run("fault add delay op:basic.ack 150ms --dir out")
    for name in ("correct", "careless"):
        connection = connected(mockforge, name)
        channel = connection.channel()._impl
        confirmed: list[object] = []
        channel.confirm_delivery(confirmed.append)
        for number in range(1, 4):
            confirmed.clear()
            channel.basic_publish("", "q", f"{name}-{number}".encode())
            if name == "careless":
                connection.process_data_events(0.02)
                channel.basic_publish("", "q", f"{name}-{number}".encode())
            wait_for(lambda c=connection, k=confirmed: c.process_data_events(0.05) or k)
        connection.close()
    found = verdicts(mockforge)
    assert found["correct"] == CLEAN
    assert found["careless"] == "doubled 3: careless-1, careless-2, careless-3"


def test_an_mqtt_publisher_that_takes_slow_for_lost_doubles(mockforge, tmp_path):
    place = urlsplit(mockforge.mqtt.url)
    mockforge.run("chaos start observe")
    mockforge.run("fault add delay op:PUBACK 150ms --dir out")
    for name in ("correct", "careless"):
        acknowledged: list[int] = []
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
        client.on_publish = lambda *args, seen=acknowledged: seen.append(args[2])
        client.connect(place.hostname, place.port)
        client.loop_start()
        wait_for(client.is_connected)
        for number in range(1, 4):
            acknowledged.clear()
            for _ in range(2 if name == "careless" else 1):
                client.publish("t", f"{name}-{number}", 1)
            wait_for(lambda seen=acknowledged: seen)
        client.disconnect()
        client.loop_stop()
    found = verdicts(mockforge)
    assert found["correct"] == CLEAN
    assert found["careless"] == "doubled 3: careless-1, careless-2, careless-3"
    page = tmp_path / "report.html"
    mockforge.run(f"chaos report --html > {page}")
    text = page.read_text(encoding="utf-8")
    # Who errs comes first.
    assert text.index("</span> careless") < text.index("</span> correct")
    assert "doubled 3" in text


def test_an_idempotent_producer_comes_through_the_presets_with_nothing_lost_or_doubled(mockforge):
    """One producer for all, since to connect and to find its bearings is what costs the time."""
    mockforge.run("topic add orders -p 1")
    producer = Producer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "client.id": "correct",
            "enable.idempotence": True,
            "request.timeout.ms": 500,
            "socket.timeout.ms": 500,
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 20,
            "topic.metadata.refresh.fast.interval.ms": 20,
        }
    )
    sent = 0
    for preset in (
        "leader-failover -s time=300ms",
        "flaky-wifi -s delay=2ms -s jitter=3ms -s breaks=5%",
        "broker-full -s time=300ms",
        "subway -s gap=300ms -s apart=10m",
        "rolling-restart -s down=300ms -s apart=10m -s later=20m",
    ):
        mockforge.run(f"chaos start {preset} --seed 5")
        for _ in range(5):
            sent += 1
            producer.produce("orders", f"correct-{sent}".encode())
            assert producer.flush(40) == 0
        assert verdicts(mockforge).get("correct", CLEAN) == CLEAN, preset
    read = mockforge.runtime.brokers.kafka.read
    values = [record.value for record in mockforge.call(read, "orders", 0, 0, 100)]
    assert values == [f"correct-{number}".encode() for number in range(1, sent + 1)]


def test_a_kafka_producer_that_does_not_try_again_loses(mockforge):
    mockforge.run("topic add orders -p 1")
    mockforge.run("chaos start observe")
    for name, retries in (("correct", 1_000), ("careless", 0)):
        refused = f"op:Produce client:{name} NOT_ENOUGH_REPLICAS --first 1 --times 2"
        mockforge.run(f"fault add refuse {refused}")
        producer = Producer(
            {
                "bootstrap.servers": mockforge.kafka.bootstrap,
                "client.id": name,
                "retries": retries,
                "retry.backoff.ms": 10,
                "topic.metadata.refresh.fast.interval.ms": 20,
            }
        )
        for number in range(1, 5):
            producer.produce("orders", f"{name}-{number}".encode())
            assert producer.flush(40) == 0
    found = verdicts(mockforge)
    assert found["correct"] == CLEAN
    assert found["careless"] == "not sent again 2: careless-2, careless-3"


@pytest.mark.parametrize(
    "preset",
    [
        "subway -s gap=10m -s apart=1h",
        "half-open -s time=10m",
        "rolling-restart -s down=10ms -s apart=0s -s later=20m",
        "thundering-herd -s wait=20ms -s time=500ms",
        "broker-full -s time=10m",
    ],
)
def test_an_mqtt_client_that_does_not_come_back_gave_up(mockforge, preset):
    place = urlsplit(mockforge.mqtt.url)
    acknowledged: list[int] = []
    clients = []
    for name in ("correct", "careless"):
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=False,
            reconnect_on_failure=name == "correct",
        )
        client.reconnect_delay_set(1, 1)
        # Time is moved on, in which nobody is silent for too long.
        client.connect(place.hostname, place.port, keepalive=0)
        client.loop_start()
        wait_for(client.is_connected)
        clients.append(client)
    correct, careless = clients
    correct.on_publish = lambda *args: acknowledged.append(args[2])
    # While it connects again, paho sends what is new before what is old: all is sent before.
    for client in clients:
        client.loop_stop()
    mockforge.run(f"chaos start {preset}")
    for number in range(1, 5):
        for client in clients:
            client.publish("t", f"{number}", 1)
    for client in clients:
        client.loop_start()
    # What lasts for a time is over once it has touched both, however late they come.
    wait_for(lambda: touched(mockforge) == {"correct", "careless"})
    mockforge.run("clock advance 10m")
    wait_for(lambda: len(acknowledged) == 4 and not careless.is_connected())
    found = verdicts(mockforge)
    assert found["correct"] == CLEAN
    # Where a fault kept what it had sent, it did not send it again either.
    assert found["careless"].rpartition("; ")[2] == "gave up"
    for client in clients:
        client.disconnect()
        client.loop_stop()
