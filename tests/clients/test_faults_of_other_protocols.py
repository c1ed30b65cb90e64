"""Faults on AMQP 1.0 and MQTT-SN: what their clients see, and that they get through afterwards."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput

from mockforge_tui import MockForge

from .conftest import hits, wait_for

proton = pytest.importorskip(
    "proton", reason="python-qpid-proton is built from source, where there is a compiler"
)
mqttsn = pytest.importorskip("mqttsn12.client.MqttSnClient")
from mqttsn12.client.MqttSnClientException import MqttSnClientException  # noqa: E402
from proton import ConnectionException, Message, ProtonException, Timeout  # noqa: E402
from proton.utils import BlockingConnection, SendException  # noqa: E402

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge(kafka=False, mqtt_sn=True) as running:
        yield running


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    running.run("queue add q")
    yield running
    running.run("panic")
    running.run("reset -y")


# AMQP 1.0.


def connect(mockforge: MockForge) -> BlockingConnection:
    port = mockforge.runtime.listeners.ports["amqp"]
    return BlockingConnection(f"amqp://guest:guest@127.0.0.1:{port}", timeout=20)


def queued(mockforge: MockForge) -> list[bytes]:
    peek = mockforge.runtime.brokers.amqp.peek
    return [message.payload for message in mockforge.call(peek, "q", 100)]


def send(connection: BlockingConnection, body: bytes) -> Any:
    return connection.create_sender("/queues/q").send(Message(body=body, inferred=True))


@pytest.mark.parametrize(
    ("line", "error", "kept"),
    [
        ("delay op:transfer 20ms --jitter 10ms --log-normal", None, [b"a"]),
        ("throttle op:transfer 64k --messages 100/s", None, [b"a"]),
        ("slice proto:amqp 3 --dir out", None, [b"a"]),
        ("join op:transfer 5 --wait 50ms", None, [b"a"]),
        ("watch op:transfer", None, [b"a"]),
        ("block op:transfer 100ms --once", None, [b"a"]),
        ("partition op:transfer 100ms --once", None, [b"a"]),
        ("refuse op:transfer NACK --once", SendException, []),
        ("refuse op:transfer NO_ROUTE --once", SendException, []),
        ("disconnect op:transfer --once", ConnectionException, []),
        ("disconnect op:transfer --rst --once", ConnectionException, []),
        ("disconnect op:transfer --after --once", ConnectionException, [b"a"]),
        ("disconnect op:disposition --dir out --mid --once", ConnectionException, [b"a"]),
        ("blackhole op:transfer 100ms --once", ConnectionException, []),
        ("corrupt op:disposition body --bits 40 --dir out --once", ProtonException, [b"a"]),
        ("truncate op:disposition 9 --dir out --once", ProtonException, [b"a"]),
        ("inject op:disposition 0x0000000800000000 --instead --once", ProtonException, [b"a"]),
    ],
)
def test_a_sender_of_amqp_1_0_gets_over_it(mockforge, line, error, kept):
    connection = connect(mockforge)
    mockforge.run(f"fault add {line}")
    if error is None:
        assert send(connection, b"a").remote_state == proton.Delivery.ACCEPTED
    else:
        with pytest.raises(error):
            send(connection, b"a")
    assert hits(mockforge) >= 1
    assert queued(mockforge) == kept
    mockforge.run("fault clear")
    again = connect(mockforge)
    assert send(again, b"b").remote_state == proton.Delivery.ACCEPTED
    assert queued(mockforge) == [*kept, b"b"]
    again.close()


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("drop op:transfer --dir in --once", [b"b"]),
        ("drop op:disposition --dir out --once", [b"a", b"b"]),
    ],
)
def test_a_sender_of_amqp_1_0_waits_in_vain_and_sends_again(mockforge, line, kept):
    mockforge.run(f"fault add {line}")
    connection = connect(mockforge)
    sender = connection.create_sender("/queues/q")
    connection.timeout = 0.2
    with pytest.raises(Timeout):
        sender.send(Message(body=b"a", inferred=True))
    # However long it takes to get there.
    wait_for(lambda: hits(mockforge) == 1)
    send(connect(mockforge), b"b")
    assert (hits(mockforge), queued(mockforge)) == (1, kept)


@pytest.mark.parametrize(
    "line",
    [
        "disconnect op:transfer --dir out --once",
        "disconnect op:transfer --dir out --mid --once",
        "truncate op:transfer 20 --dir out --once",
        "corrupt op:transfer head --bits 8 --dir out --once",
        "drop op:disposition --dir in --once",
    ],
)
def test_a_receiver_of_amqp_1_0_gets_on_its_next_connection_what_it_had_not_settled(
    mockforge, line
):
    mockforge.run("pub queue:q a")
    mockforge.run(f"fault add {line}")
    connection = connect(mockforge)
    with pytest.raises(ProtonException):
        receiver = connection.create_receiver("/queues/q", credit=1)
        if line.startswith(("truncate", "corrupt")):
            # It may wait for the rest of a frame, as long as it likes.
            wait_for(lambda: hits(mockforge) == 1)
            connection.timeout = 0.2
        receiver.receive()
        receiver.accept()
        # Its settlement goes out with this, and is lost.
        connection.create_sender("/queues/q")
        raise Timeout
    # Who waits for the rest of a frame has its connection still.
    with suppress(InvalidInput):
        mockforge.run("conn kill (proto:amqp) --rst -y")
    connection = connect(mockforge)
    receiver = connection.create_receiver("/queues/q", credit=1)
    assert bytes(receiver.receive(timeout=20).body) == b"a"
    receiver.accept()
    connection.close()
    assert (hits(mockforge), queued(mockforge)) == (1, [])


# MQTT-SN.


@pytest.mark.parametrize(
    ("line", "error", "kept"),
    [
        ("delay op:PUBLISH 20ms --jitter 10ms --log-normal", False, [b"a"]),
        ("throttle op:PUBLISH 64k --messages 100/s", False, [b"a"]),
        ("reorder op:PUBLISH --wait 50ms --once", False, [b"a"]),
        ("block op:PUBLISH 100ms --once", False, [b"a"]),
        ("partition op:PUBLISH 100ms --once", False, [b"a"]),
        ("watch op:PUBLISH", False, [b"a"]),
        ("duplicate op:PUBLISH --dir in --dup --once", False, [b"a", b"a"]),
        ("duplicate op:PUBACK --dir out --once", False, [b"a"]),
        ("refuse op:PUBLISH QUOTA_EXCEEDED --once", True, []),
        ("set op:PUBACK code=1 --dir out --once", True, [b"a"]),
    ],
)
def test_a_device_of_mqtt_sn_gets_over_it(mockforge, line, error, kept):
    client = mqttsn.MqttSnClient()
    client.set_client_id("device")
    client.set_timeout(20)
    client.open("127.0.0.1", int(mockforge.facts["mqtt"]["sn"].rpartition(":")[2]))
    client.send_connect()
    mockforge.run(f"fault add {line}")
    if error:
        with pytest.raises(MqttSnClientException):
            client.send_publish("ab", b"a", 1)
    else:
        client.send_publish("ab", b"a", 1)
    assert hits(mockforge) >= 1
    mockforge.run("fault clear")
    client.send_publish("ab", b"b", 1)
    # It takes any PUBACK for that of its last message, an older one's second, too.
    mockforge.mqtt.expect("ab", payload=b"b", within=20)
    assert [each.payload for each in mockforge.mqtt.messages("ab")] == [*kept, b"b"]
    client.send_disconnect()
    client.close()
