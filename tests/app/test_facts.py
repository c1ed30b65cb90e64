"""What rows of events say, in the words of their protocol."""

import pytest
from brokers.fake_peer import FakeNetwork
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import Event, RequestDenied
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Packet, Request, Subscribe

from mockforge_tui.feed.facts import event_row


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(
    ("packets", "operation", "text"),
    [
        (
            [Connect("a", 0), Subscribe(1, [Request("secret")])],
            "refused",
            "SUBSCRIBE secret Not authorized: refused by the broker (refused_filters)",
        ),
        (
            [Connect("too-long", 0)],
            "connection refused",
            "Client identifier not valid: a client identifier has at most 4 bytes here",
        ),
    ],
)
def test_a_refusal_of_mqtt_has_its_reason_code_in_words(
    version: int, packets: list[Packet], operation: str, text: str
) -> None:
    environment = Environment.create(ManualClock(), seed=1)
    options = MqttOptions(refused_filters={"secret": 0x87}, client_id_maximum=4)
    client = FakeNetwork(MqttBroker(environment, options), environment).connect()
    seen: list[Event] = []
    environment.spine.watch(seen.append)
    for packet in packets:
        if isinstance(packet, Connect):
            packet.version = version
        client.send(encode_packet(packet, version))
    rows = [row for event in seen if (row := event_row(0, event)) is not None]
    assert (operation, text) in [(row.operation, row.detail["text"]) for row in rows]


def test_a_code_without_a_name_stays_a_number() -> None:
    row = event_row(0, RequestDenied("kafka", 1, "c", "CreateTopics", 36, "orders is there"))
    assert row is not None
    assert row.detail["text"] == "CreateTopics 36 orders is there"
