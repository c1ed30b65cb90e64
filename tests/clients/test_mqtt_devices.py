"""Home Assistant and Zigbee2MQTT, replayed, and a device of AWS IoT by AWS' own client."""

import json
import queue
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as paho
import pytest

from clients.conftest import Servers
from clients.test_mqtt_paho import Client
from mockforge_tui import MockForge

pytestmark = pytest.mark.client

_LAMP = "zigbee2mqtt/lamp"
_CONFIG = "homeassistant/light/0x00124b0024c1/light/config"


def home_assistant(servers: Servers) -> Client:
    """Its MQTT integration: 3.1.1, birth and will, then wildcards for discovery, all of QoS 0."""
    hub = Client(servers, paho.MQTTv311, "home-assistant", clean_session=True)
    hub.paho.will_set("homeassistant/status", "offline", 0, retain=False)
    hub.connect(keepalive=60)
    for topic_filter in ("homeassistant/+/+/config", "homeassistant/+/+/+/config"):
        hub.subscribe(topic_filter)
    hub.publish("homeassistant/status", b"online")
    return hub


def zigbee2mqtt(servers: Servers) -> Client:
    """Its bridge: state as retained will and birth, one subscription for all below its base."""
    bridge = Client(servers, paho.MQTTv5, "zigbee2mqtt")
    offline = json.dumps({"state": "offline"})
    bridge.paho.will_set("zigbee2mqtt/bridge/state", offline, 1, retain=True)
    bridge.connect(keepalive=60)
    bridge.subscribe("zigbee2mqtt/+/set")
    bridge.subscribe("homeassistant/status")
    bridge.publish("zigbee2mqtt/bridge/state", b'{"state":"online"}', 1, retain=True)
    return bridge


def test_home_assistant_finds_a_lamp_of_zigbee2mqtt_and_sees_the_bridge_go(
    servers: Servers,
) -> None:
    bridge = zigbee2mqtt(servers)
    config = {"state_topic": _LAMP, "command_topic": f"{_LAMP}/set", "schema": "json"}
    bridge.publish(_CONFIG, json.dumps(config).encode(), 1, retain=True)
    bridge.publish(_LAMP, b'{"state":"OFF"}', 0, retain=True)
    hub = home_assistant(servers)

    found = hub.next()
    assert (found.topic, found.retain, json.loads(found.payload)) == (_CONFIG, True, config)
    assert bridge.next().payload == b"online"
    for topic in ("zigbee2mqtt/bridge/state", config["state_topic"]):
        hub.subscribe(topic)
    assert {hub.next().payload, hub.next().payload} == {b'{"state":"online"}', b'{"state":"OFF"}'}

    hub.publish(config["command_topic"], b'{"state":"ON"}')
    asked = bridge.next()
    assert (asked.topic, asked.payload) == (f"{_LAMP}/set", b'{"state":"ON"}')
    bridge.publish(_LAMP, b'{"state":"ON"}', 0, retain=True)
    now = hub.next()
    assert (now.topic, now.payload, now.retain) == (_LAMP, b'{"state":"ON"}', False)

    bridge.vanish()
    assert json.loads(hub.next().payload) == {"state": "offline"}
    hub.vanish()
    # After a restart all that it knows is what is retained.
    again = home_assistant(servers)
    assert again.next().topic == _CONFIG
    again.subscribe("zigbee2mqtt/bridge/state")
    assert json.loads(again.next().payload) == {"state": "offline"}
    again.vanish()


# AWS IoT.


@pytest.fixture(scope="module")
def core() -> Iterator[MockForge]:
    """As `--mqtt-as aws-iot`."""
    with MockForge(kafka=False, amqp=False, mqtt_as="aws-iot") as running:
        yield running


class Thing:
    """The client of AWS' device SDK with the checks that it has for AWS IoT Core."""

    def __init__(self, port: int, name: str) -> None:
        mqtt5 = pytest.importorskip("awscrt.mqtt5", reason="awscrt is not installed")
        self.mqtt5 = mqtt5
        self.events: queue.Queue[Any] = queue.Queue()
        self.messages: queue.Queue[Any] = queue.Queue()
        checks = mqtt5.ExtendedValidationAndFlowControlOptions.AWS_IOT_CORE_DEFAULTS
        self.client = mqtt5.Client(
            mqtt5.ClientOptions(
                host_name="127.0.0.1",
                port=port,
                connect_options=mqtt5.ConnectPacket(
                    client_id=name, keep_alive_interval_sec=1200, session_expiry_interval_sec=86_400
                ),
                extended_validation_and_flow_control_options=checks,
                on_publish_callback_fn=self.messages.put,
                on_lifecycle_event_connection_success_fn=self.events.put,
                on_lifecycle_event_stopped_fn=self.events.put,
            )
        )
        self.client.start()
        self.settings = self.events.get(timeout=20).negotiated_settings

    def subscribe(self, *topic_filters: str) -> list[int]:
        mqtt5 = self.mqtt5
        wanted = [mqtt5.Subscription(each, mqtt5.QoS.AT_LEAST_ONCE) for each in topic_filters]
        answer = self.client.subscribe(mqtt5.SubscribePacket(wanted)).result(20)
        return [int(code) for code in answer.reason_codes]

    def publish(self, topic: str, payload: str) -> None:
        mqtt5 = self.mqtt5
        packet = mqtt5.PublishPacket(payload, mqtt5.QoS.AT_LEAST_ONCE, topic=topic)
        self.client.publish(packet).result(20)

    def stop(self) -> None:
        self.client.stop()
        self.events.get(timeout=20)


def test_a_device_of_aws_iot_gets_the_limits_of_aws_iot_and_its_shadow(core: MockForge) -> None:
    thing = Thing(core.runtime.listeners.ports["mqtt"], "thing-1")
    try:
        settings = thing.settings
        assert int(settings.maximum_qos) == 1
        assert settings.receive_maximum_from_server == 100
        assert settings.topic_alias_maximum_to_server == 8
        assert settings.subscription_identifiers_available is False
        assert settings.session_expiry_interval_sec == 3_600
        shadow = "$aws/things/thing-1/shadow/update"
        assert thing.subscribe(f"{shadow}/accepted", f"{shadow}/delta") == [1, 1]
        thing.publish(shadow, '{"state":{"reported":{"on":true}}}')
        core.run(f'pub mqtt:{shadow}/accepted {{"version":1}} -q 1')
        came = thing.messages.get(timeout=20).publish_packet
        assert (came.topic, came.payload) == (f"{shadow}/accepted", b'{"version":1}')
        # Basic Ingest: eight levels beside the prefix, which the SDK counts as AWS does.
        thing.publish("$aws/rules/Building/a/b/c/d/e/f/g/h", "21")
        core.mqtt.expect("$aws/rules/Building/#", count=1, payload=b"21")
    finally:
        thing.stop()
