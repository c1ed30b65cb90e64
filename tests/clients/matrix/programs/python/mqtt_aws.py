"""The client of AWS IoT's device SDK, with the checks that it has for AWS IoT Core.

It dials a broker that is as AWS IoT Core (`--mqtt-as aws-iot`).
"""

import importlib.metadata
import os
import queue
from typing import Any
from urllib.parse import urlsplit

from awscrt import mqtt5
from checks import RUN, SECONDS, Skip, equal, run

URL = os.environ.get("MQTT_AWS_URL", "")


class Thing:
    def __init__(self, name: str, **more: Any) -> None:
        if not URL:
            raise Skip("the broker that is dialled is not as AWS IoT Core")
        place = urlsplit(URL)
        self.name = f"{RUN}-{name}"
        self.events: queue.Queue[Any] = queue.Queue()
        self.messages: queue.Queue[Any] = queue.Queue()
        checks = mqtt5.ExtendedValidationAndFlowControlOptions.AWS_IOT_CORE_DEFAULTS
        more.setdefault("session_expiry_interval_sec", 86_400)
        self.client = mqtt5.Client(
            mqtt5.ClientOptions(
                host_name=place.hostname,
                port=place.port,
                connect_options=mqtt5.ConnectPacket(
                    client_id=self.name, keep_alive_interval_sec=1200, **more
                ),
                extended_validation_and_flow_control_options=checks,
                session_behavior=mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS,
                on_publish_callback_fn=self.messages.put,
                on_lifecycle_event_connection_success_fn=self.events.put,
                on_lifecycle_event_stopped_fn=self.events.put,
            )
        )
        self.client.start()
        self.settings = self.events.get(timeout=SECONDS).negotiated_settings

    def subscribe(self, *topic_filters: str) -> list[int]:
        wanted = [mqtt5.Subscription(each, mqtt5.QoS.AT_LEAST_ONCE) for each in topic_filters]
        answer = self.client.subscribe(mqtt5.SubscribePacket(wanted)).result(SECONDS)
        return [int(code) for code in answer.reason_codes]

    def publish(self, topic: str, payload: str, **more: Any) -> None:
        packet = mqtt5.PublishPacket(payload, mqtt5.QoS.AT_LEAST_ONCE, topic=topic, **more)
        self.client.publish(packet).result(SECONDS)

    def gets(self, topic: str, payload: bytes) -> Any:
        came = self.messages.get(timeout=SECONDS).publish_packet
        equal((came.topic, came.payload), (topic, payload))
        return came

    def stop(self) -> None:
        self.client.stop()
        self.events.get(timeout=SECONDS)


def limits() -> None:
    """AWS IoT Core's: https://docs.aws.amazon.com/general/latest/gr/iot-core.html"""
    thing = Thing("limits")
    settings = thing.settings
    equal(int(settings.maximum_qos), 1)
    equal(settings.receive_maximum_from_server, 100)
    equal(settings.topic_alias_maximum_to_server, 8)
    equal(settings.subscription_identifiers_available, False)
    equal(settings.session_expiry_interval_sec, 3_600)
    equal(settings.maximum_packet_size_to_server, 128 * 1024)
    thing.stop()


def shadow() -> None:
    thing, service = Thing("thing"), Thing("service")
    topic = f"$aws/things/{thing.name}/shadow/update"
    equal(thing.subscribe(f"{topic}/accepted", f"{topic}/delta"), [1, 1])
    equal(service.subscribe(topic), [1])
    thing.publish(topic, '{"state":{"reported":{"on":true}}}')
    service.gets(topic, b'{"state":{"reported":{"on":true}}}')
    service.publish(f"{topic}/accepted", '{"version":1}')
    thing.gets(f"{topic}/accepted", b'{"version":1}')
    thing.stop()
    service.stop()


def ingest() -> None:
    """Eight levels beside the prefix of Basic Ingest, which goes to no subscriber."""
    thing = Thing("ingest")
    thing.publish("$aws/rules/Building/a/b/c/d/e/f/g/h", "21")
    thing.stop()


def properties() -> None:
    thing = Thing("properties")
    topic = f"{RUN}/properties"
    equal(thing.subscribe(topic), [1])
    thing.publish(topic, "here", user_properties=[mqtt5.UserProperty("a", "1")])
    (found,) = thing.gets(topic, b"here").user_properties
    equal((found.name, found.value), ("a", "1"))
    thing.stop()


def session() -> None:
    sleeper = Thing("sleeper")
    topic = f"{RUN}/away"
    equal(sleeper.subscribe(topic), [1])
    sleeper.stop()
    other = Thing("other")
    other.publish(topic, "while away")
    again = Thing("sleeper")
    again.gets(topic, b"while away")
    other.stop()
    again.stop()


run(
    "AWS IoT device SDK",
    importlib.metadata.version("awscrt"),
    {
        "limits": limits,
        "shadow": shadow,
        "Basic Ingest": ingest,
        "properties": properties,
        "session": session,
    },
)
