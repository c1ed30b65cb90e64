"""What real clients see of each action, and that they recover when it is over."""

import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Consumer, Producer
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import AMQPConnectionError, AMQPError, ChannelClosedByBroker

from mockforge_tui import MockForge

from .conftest import SAME_BROKERS, wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def mockforge() -> Iterator[MockForge]:
    with MockForge() as running:
        running.run("topic add orders -p 1")
        running.run("queue add q")
        yield running


def hits(mockforge: MockForge) -> list[int]:
    return [record["hits"] for record in mockforge.run("fault ls").records]


# Kafka.


class Reports(list[str]):
    """What became of each message: "" or the error's name."""

    def __call__(self, error: Any, message: Any) -> None:
        self.append("" if error is None else error.name())


def producer_of(mockforge: MockForge, **settings: Any) -> Producer:
    return Producer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            # Of a request that is lost; on a busy machine an answer may take longer than a second.
            "request.timeout.ms": 3000,
            "socket.timeout.ms": 3000,
            **SAME_BROKERS,
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
            "linger.ms": 0,
            **settings,
        }
    )


def stored(mockforge: MockForge) -> list[bytes | None]:
    read = mockforge.runtime.brokers.kafka.read
    return [record.value for record in mockforge.call(read, "orders", 0, 0, 100)]


@pytest.mark.parametrize(
    ("line", "settings", "kept"),
    [
        ("blackhole op:Produce --dir in --once", {}, [b"a"]),
        ("blackhole op:Produce --dir out --once", {"enable.idempotence": True}, [b"a"]),
        ("disconnect op:Produce --dir out --mid --once", {"enable.idempotence": True}, [b"a"]),
        ("disconnect op:open --rst --times 3", {}, [b"a"]),
        ("corrupt op:Produce payload --dir in --once", {}, [b"a"]),
        ("truncate op:Produce --dir out --once", {"enable.idempotence": True}, [b"a"]),
        ("duplicate op:Produce --dir in --once", {}, [b"a", b"a"]),
        ("duplicate op:Produce --dir in --once", {"enable.idempotence": True}, [b"a"]),
        ("delay op:Produce 10ms --jitter 20ms --log-normal", {}, [b"a"]),
        ("throttle op:Produce 64k --messages 100/s", {}, [b"a"]),
        ("duplicate op:Produce --dir out --once", {"enable.idempotence": True}, [b"a"]),
        ("join op:Produce --wait 50ms", {}, [b"a"]),
        ("watch op:Produce", {}, [b"a"]),
        (
            "inject op:Produce 0x00000004ffffffff --instead --once",
            {"enable.idempotence": True},
            [b"a"],
        ),
    ],
)
def test_a_kafka_producer_gets_its_record_through(mockforge, line, settings, kept):
    mockforge.run(f"fault add {line}")
    reports = Reports()
    producer = producer_of(mockforge, **settings)
    producer.produce("orders", b"a", on_delivery=reports)
    assert producer.flush(40) == 0
    assert reports == [""]
    assert stored(mockforge) == kept
    assert hits(mockforge)[0] >= 1
    mockforge.run("fault clear")
    producer.produce("orders", b"b", on_delivery=reports)
    assert producer.flush(40) == 0
    assert stored(mockforge) == [*kept, b"b"]


@pytest.mark.parametrize(
    "line",
    [
        "corrupt op:Fetch has:payload payload --dir out --once",
        "truncate op:Fetch --dir out --nth 2",
        "slice op:Fetch 7 --dir out --times 3",
        "disconnect op:Fetch --dir out --mid --once",
        "blackhole op:Fetch --dir out --once",
        "blackhole op:Heartbeat --once",
        "reorder op:Fetch --dir out --wait 200ms --times 3",
    ],
)
def test_a_kafka_consumer_gets_every_record_once(mockforge, line):
    for number in range(3):
        mockforge.run(f"pub kafka:orders m{number}")
    mockforge.run(f"fault add {line}")
    consumer = Consumer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "check.crcs": True,
            "socket.timeout.ms": 1000,
            "fetch.wait.max.ms": 100,
            "heartbeat.interval.ms": 200,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
        }
    )
    consumer.subscribe(["orders"])
    got: list[bytes] = []

    def poll() -> bool:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            got.append(message.value())
        return len(got) >= 4 and hits(mockforge)[0] >= 1

    wait_for(lambda: poll() or len(got) == 3)
    wait_for(lambda: poll() or hits(mockforge)[0])
    mockforge.run("pub kafka:orders m3")
    wait_for(poll)
    assert got == [b"m0", b"m1", b"m2", b"m3"]
    consumer.close()


# MQTT.


class Mqtt:
    """A paho client with a session that stays, which connects again by itself."""

    def __init__(self, mockforge: MockForge, name: str, *, keep_alive: int = 60) -> None:
        self.got: list[bytes] = []
        self.acknowledged: list[int] = []
        self.lost: list[Any] = []
        self.connected: list[bool] = []
        subscribed: list[Any] = []
        place = urlsplit(mockforge.mqtt.url)
        self.client = client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, clean_session=False
        )
        client.reconnect_delay_set(1, 1)
        client.on_message = lambda *args: self.got.append(args[2].payload)
        client.on_publish = lambda *args: self.acknowledged.append(args[2])
        client.on_disconnect = lambda *args: self.lost.append(args[3])
        client.on_connect = lambda *args: self.connected.append(args[2].session_present)
        client.on_subscribe = lambda *args: subscribed.append(args)
        client.connect(place.hostname, place.port, keepalive=keep_alive)
        client.loop_start()
        client.subscribe("t", 1)
        wait_for(lambda: subscribed)

    def publish(self, payload: bytes, qos: int = 1) -> None:
        self.client.publish("t", payload, qos)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize(
    ("line", "got", "reconnects"),
    [
        ("disconnect op:PUBLISH --dir out --mid --once", [b"a", b"b"], True),
        ("truncate op:PUBACK 2 --dir out --once", [b"a", b"a", b"b"], True),
        ("slice op:PUBLISH --dir out --wait 5ms --once", [b"a", b"b"], False),
        ("duplicate op:PUBLISH --dir in --dup --once", [b"a", b"a", b"b"], False),
        ("duplicate op:PUBLISH --dir out --dup --once", [b"a", b"a", b"b"], False),
        ("duplicate op:PUBACK --dir out --once", [b"a", b"b"], False),
        ("reorder op:PUBLISH --dir in --wait 1h --once", [b"b", b"a"], False),
        ("reorder op:PUBLISH --dir out --behind 3 --wait 1h --once", [b"b", b"a"], False),
        ("disconnect op:PUBLISH --dir in --once", [b"a", b"b"], True),
        ("disconnect op:PUBLISH --dir in --rst --once", [b"a", b"b"], True),
        ("blackhole op:PUBLISH --once", [b"a", b"b"], True),
        ("blackhole op:PUBLISH --dir in --once", [b"a", b"b"], True),
        ("blackhole op:PUBLISH --dir out --once", [b"a", b"b"], True),
    ],
)
def test_an_mqtt_session_gets_what_it_was_promised(mockforge, line, got, reconnects):
    # Only what it waits for in vain is to end its connection.
    client = Mqtt(mockforge, "c", keep_alive=2 if line.startswith("blackhole") else 60)
    mockforge.run(f"fault add {line}")
    client.publish(b"a")
    client.publish(b"b")
    wait_for(lambda: len(client.acknowledged) >= 2)
    wait_for(lambda: set(client.got) == {b"a", b"b"} and len(client.got) >= len(got))
    assert hits(mockforge) == [1]
    assert bool(client.lost) == reconnects
    if reconnects:
        # At least once each: a second copy where the first or its PUBACK was on its way.
        assert client.connected[1:] == [True] * (len(client.connected) - 1)
    else:
        assert client.got == got
    client.close()


def test_a_flipped_bit_of_an_mqtt_payload_is_for_the_subscriber_to_find(mockforge):
    client = Mqtt(mockforge, "c")
    mockforge.run("fault add corrupt op:PUBLISH --dir in --once")
    client.publish(b"\x00")
    client.publish(b"\x00")
    wait_for(lambda: len(client.got) == 2)
    assert client.got[0] in {bytes((1 << bit,)) for bit in range(8)}
    assert client.got[1] == b"\x00"
    client.close()


@pytest.mark.parametrize(("rate", "time"), [("--messages 1/h", "1h"), ("1", "8s")])
def test_a_throttled_mqtt_subscriber_gets_its_messages_one_by_one_and_all(mockforge, rate, time):
    client = Mqtt(mockforge, "c", keep_alive=0)
    # A PUBLISH of one byte to t has eight.
    mockforge.run(f"fault add throttle op:PUBLISH {rate} --dir out")
    for payload in (b"a", b"b", b"c"):
        client.publish(payload)
    wait_for(lambda: hits(mockforge) == [3])
    for count in (1, 2, 3):
        mockforge.run(f"clock advance {time}")
        wait_for(lambda count=count: len(client.got) == count)
    assert client.got == [b"a", b"b", b"c"]
    client.close()


def test_connections_are_refused_while_a_rule_says_so(mockforge):
    place = urlsplit(mockforge.mqtt.url)
    mockforge.run("fault add disconnect op:open proto:mqtt --rst")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c")
    failures: list[Any] = []
    connected: list[Any] = []
    client.on_connect_fail = lambda *args: failures.append(args)
    client.on_disconnect = lambda *args: failures.append(args)
    client.on_connect = lambda *args: connected.append(args)
    client.reconnect_delay_set(1, 1)
    client.connect_async(place.hostname, place.port)
    client.loop_start()
    wait_for(lambda: hits(mockforge)[0] >= 2)
    assert not connected
    mockforge.run("fault clear")
    wait_for(lambda: connected)
    client.disconnect()
    client.loop_stop()


def test_the_closest_thing_that_an_idle_rule_saw_is_said(mockforge):
    mockforge.run("fault add drop client:other op:PUBLISH topic:t")
    client = Mqtt(mockforge, "c")
    client.publish(b"a")
    wait_for(lambda: client.got)
    [record] = mockforge.run("fault ls").records
    assert (record["hits"], record["seen"]) == (0, 0)
    assert record["closest"] == "PUBLISH t of c: not client:other"
    client.close()


# AMQP.


def connection_of(mockforge: MockForge, heartbeat: int | None = None) -> pika.BlockingConnection:
    parameters = pika.URLParameters(mockforge.amqp.url)
    parameters.heartbeat = heartbeat
    return pika.BlockingConnection(parameters)


def confirming(mockforge: MockForge, heartbeat: int | None = None) -> Any:
    channel = connection_of(mockforge, heartbeat).channel()
    channel.confirm_delivery()
    return channel


def queued(mockforge: MockForge) -> list[bytes]:
    peek = mockforge.runtime.brokers.amqp.peek
    return [message.payload for message in mockforge.call(peek, "q", 100)]


def test_a_repeated_amqp_publish_is_routed_twice_and_confirmed_once(mockforge):
    mockforge.run("fault add duplicate op:basic.publish --copies 2 --once")
    channel = confirming(mockforge)
    for body in (b"a", b"b"):
        channel.basic_publish("", "q", body, mandatory=True)
    assert queued(mockforge) == [b"a", b"a", b"a", b"b"]
    channel.connection.close()


def test_a_delivery_that_comes_twice_cannot_be_acknowledged_twice(mockforge):
    mockforge.run("fault add duplicate op:basic.deliver --once")
    mockforge.run("pub queue:q a")
    channel = connection_of(mockforge).channel()
    tags: list[int] = []
    channel.basic_consume("q", lambda *args: tags.append(args[1].delivery_tag))
    wait_for(lambda: channel.connection.process_data_events(0.1) or len(tags) == 2)
    assert tags == [1, 1]
    channel.basic_ack(1)
    with pytest.raises(ChannelClosedByBroker, match="PRECONDITION_FAILED - unknown delivery tag 1"):
        channel.basic_ack(1)
        channel.queue_declare("q", passive=True)
    assert queued(mockforge) == []
    channel.connection.close()


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("blackhole op:basic.publish --once", [b"a"]),
        ("blackhole op:basic.ack --dir out --once", [b"a", b"a"]),
        ("disconnect op:basic.ack --dir out --mid --once", [b"a", b"a"]),
        ("disconnect op:basic.publish --once", [b"a"]),
        ("disconnect op:basic.publish --rst --once", [b"a"]),
        ("inject op:basic.ack 0x58000100000000ce --instead --once", [b"a", b"a"]),
        ("truncate op:basic.ack 3 --dir out --once", [b"a", b"a"]),
        ("corrupt op:basic.ack head --bits 8 --dir out --once", [b"a", b"a"]),
    ],
)
def test_an_amqp_publisher_tries_again_on_a_new_connection(mockforge, line, kept):
    mockforge.run(f"fault add {line}")
    with pytest.raises(AMQPError):
        confirming(mockforge, heartbeat=2).basic_publish("", "q", b"a")
    channel = confirming(mockforge)
    channel.basic_publish("", "q", b"a")
    assert queued(mockforge) == kept
    assert hits(mockforge) == [1]
    channel.connection.close()


def test_a_flipped_bit_of_an_amqp_body_is_for_the_consumer_to_find(mockforge):
    mockforge.run("fault add corrupt op:basic.publish payload --once")
    channel = confirming(mockforge)
    for _ in range(2):
        channel.basic_publish("", "q", b"\x00")
    first, second = queued(mockforge)
    assert first in {bytes((1 << bit,)) for bit in range(8)}
    assert second == b"\x00"
    channel.connection.close()


def test_a_sliced_delivery_and_confirm_are_whole_to_their_client(mockforge):
    mockforge.run("fault add slice proto:amqp 3 --dir out")
    channel = confirming(mockforge)
    channel.basic_publish("", "q", b"abc" * 100)
    assert channel.basic_get("q")[2] == b"abc" * 100
    assert hits(mockforge)[0] > 3
    channel.connection.close()


def test_publishes_are_reordered_and_all_confirmed(mockforge):
    mockforge.run("fault add reorder op:basic.publish --wait 1h --once")
    channel = connection_of(mockforge).channel()
    for body in (b"a", b"b", b"c"):
        channel.basic_publish("", "q", body)
    wait_for(lambda: len(queued(mockforge)) == 3)
    assert queued(mockforge) == [b"b", b"a", b"c"]
    channel.connection.close()


def test_an_amqp_connection_is_refused_and_later_not(mockforge):
    mockforge.run("fault add disconnect op:open proto:amqp --rst")
    with pytest.raises(AMQPConnectionError):
        connection_of(mockforge)
    mockforge.run("fault clear")
    connection_of(mockforge).close()


def test_a_client_is_refused_by_its_name_as_it_connects(mockforge):
    mockforge.run("fault add refuse op:CONNECT client:dev-* SERVER_BUSY")
    place = urlsplit(mockforge.mqtt.url)
    reasons: dict[str, int] = {}
    for name in ("dev-1", "other"):
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        client.on_connect = lambda *args, name=name: reasons.setdefault(name, args[3].value)
        client.connect(place.hostname, place.port)
        client.loop_start()
        wait_for(lambda name=name: name in reasons)
        client.disconnect()
        client.loop_stop()
    assert reasons == {"dev-1": 0x89, "other": 0}


# Fields that say something else, and blocked publishers.


def test_a_kafka_producer_hears_that_it_is_throttled(mockforge):
    throttled: list[float] = []
    mockforge.run("fault add set op:Produce throttle_time_ms=120 --dir out --once")
    settings = {"throttle_cb": lambda event: throttled.append(event.throttle_time)}
    producer = producer_of(mockforge, **settings)
    producer.produce("orders", b"a")
    wait_for(lambda: producer.poll(0.1) is None or throttled)
    assert producer.flush(20) == 0
    wait_for(lambda: producer.poll(0.1) or throttled)
    assert throttled == [0.12]


def test_any_error_code_in_any_response_is_what_a_kafka_consumer_recovers_from(mockforge):
    mockforge.run("pub kafka:orders a")
    mockforge.run("fault add set op:Fetch error_code=NOT_LEADER_OR_FOLLOWER --dir out --times 2")
    consumer = Consumer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "group.id": "g",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe(["orders"])
    got: list[bytes] = []

    def poll() -> bool:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            got.append(message.value())
        return bool(got) and hits(mockforge) == [2]

    wait_for(poll)
    assert got == [b"a"]
    consumer.close()


def test_a_session_is_promised_that_is_not_there(mockforge):
    mockforge.run("fault add set op:CONNACK session_present=true --dir out --once")
    place = urlsplit(mockforge.mqtt.url)
    flags: list[bool] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c", clean_session=False)
    client.on_connect = lambda *args: flags.append(args[2].session_present)
    client.connect(place.hostname, place.port)
    client.loop_start()
    wait_for(lambda: flags)
    assert flags == [True]
    assert not mockforge.call(mockforge.runtime.brokers.mqtt.sessions)[0]["subscriptions"]
    client.disconnect()
    client.loop_stop()


def test_an_mqtt_5_property_is_promised_by_the_rule(mockforge):
    mockforge.run("fault add set op:CONNACK server_keep_alive=7,receive_maximum=1 --dir out")
    place = urlsplit(mockforge.mqtt.url)
    properties: list[Any] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c", protocol=paho.MQTTv5)
    client.on_connect = lambda *args: properties.append(args[4])
    client.connect(place.hostname, place.port)
    client.loop_start()
    wait_for(lambda: properties)
    assert (properties[0].ServerKeepAlive, properties[0].ReceiveMaximum) == (7, 1)
    client.disconnect()
    client.loop_stop()


def test_an_amqp_publisher_is_blocked_and_goes_on(mockforge):
    mockforge.run("fault add block op:basic.publish --once --reason disk")
    connection = connection_of(mockforge)
    heard: list[str] = []
    connection.add_on_connection_blocked_callback(
        lambda _, method: heard.append(method.method.reason)
    )
    connection.add_on_connection_unblocked_callback(lambda _, method: heard.append("unblocked"))
    channel = connection.channel()
    for body in (b"a", b"b"):
        channel.basic_publish("", "q", body)
    wait_for(lambda: connection.process_data_events(0.1) or heard)
    assert (heard, queued(mockforge)) == (["disk"], [])
    mockforge.run("fault clear")
    wait_for(lambda: connection.process_data_events(0.1) or len(heard) == 2)
    assert channel.queue_declare("q", passive=True).method.message_count == 2
    assert heard == ["disk", "unblocked"]
    connection.close()


def test_a_delivery_says_that_it_was_delivered_before(mockforge):
    mockforge.run("fault add set op:basic.deliver redelivered=true --once")
    for body in (b"a", b"b"):
        mockforge.run(f"pub queue:q {body.decode()}")
    channel = connection_of(mockforge).channel()
    got: list[tuple[bytes, bool]] = []
    channel.basic_consume(
        "q", lambda *args: got.append((args[3], args[1].redelivered)), auto_ack=True
    )
    wait_for(lambda: channel.connection.process_data_events(0.1) or len(got) == 2)
    assert got == [(b"a", True), (b"b", False)]
    channel.connection.close()


def test_a_tls_client_that_is_turned_away_is_answered_no_more(caplog):
    with MockForge(tls="auto") as mockforge:
        context = ssl.create_default_context(cafile=mockforge.facts["tls"]["ca"])
        place = urlsplit(mockforge.mqtt.tls)
        mockforge.run("fault add disconnect op:open proto:mqtt --once")
        for turned_away in (True, False):
            plain = socket.create_connection((place.hostname, place.port), 20)
            if turned_away:
                with plain, pytest.raises(OSError):
                    context.wrap_socket(plain, server_hostname="localhost")
            else:
                context.wrap_socket(plain, server_hostname="localhost").close()
    assert not [record for record in caplog.records if record.name == "asyncio"]


# What is done by hand.


def test_a_hanging_transaction_holds_up_who_reads_committed_until_it_is_aborted(mockforge):
    mockforge.run("pub kafka:orders a")
    mockforge.run("txn hang kafka:orders[0]")
    mockforge.run("pub kafka:orders b")
    got: dict[str, list[bytes]] = {"read_committed": [], "read_uncommitted": []}
    consumers = {}
    for level in got:
        consumers[level] = Consumer(
            {
                "bootstrap.servers": mockforge.kafka.bootstrap,
                "group.id": level,
                "auto.offset.reset": "earliest",
                "isolation.level": level,
                "fetch.wait.max.ms": 50,
            }
        )
        consumers[level].subscribe(["orders"])

    def poll() -> None:
        for level, consumer in consumers.items():
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                got[level].append(message.value())

    wait_for(lambda: poll() or len(got["read_uncommitted"]) == 3)
    wait_for(lambda: poll() or got["read_committed"])
    assert got["read_committed"] == [b"a"]
    mockforge.run("txn abort kafka:orders[0]")
    wait_for(lambda: poll() or len(got["read_committed"]) == 2)
    assert got["read_committed"] == [b"a", b"b"]
    for consumer in consumers.values():
        consumer.close()


def test_a_will_comes_early_and_once(mockforge):
    watcher = Mqtt(mockforge, "watcher")
    place = urlsplit(mockforge.mqtt.url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="dev-7")
    client.will_set("t", b"gone", 1)
    client.connect(place.hostname, place.port)
    client.loop_start()
    wait_for(client.is_connected)
    mockforge.run("session will dev-7")
    wait_for(lambda: watcher.got == [b"gone"])
    assert client.is_connected()
    assert not mockforge.runtime.brokers.mqtt.publish_will("dev-7")
    client.disconnect()
    client.loop_stop()
    watcher.close()


def test_a_consumer_is_cancelled_and_consumes_again(mockforge):
    channel = connection_of(mockforge).channel()
    cancelled: list[Any] = []
    got: list[bytes] = []
    channel.add_on_cancel_callback(cancelled.append)
    channel.basic_consume("q", lambda *args: got.append(args[3]), auto_ack=True)
    mockforge.run("consumer cancel q")
    wait_for(lambda: channel.connection.process_data_events(0.1) or cancelled)
    mockforge.run("pub queue:q a")
    assert queued(mockforge) == [b"a"]
    channel.basic_consume("q", lambda *args: got.append(args[3]), auto_ack=True)
    wait_for(lambda: channel.connection.process_data_events(0.1) or got)
    channel.connection.close()
