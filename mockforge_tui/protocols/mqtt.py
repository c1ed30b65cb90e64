"""MQTT in the app."""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from mockforge_brokers.listener import Listener

from ..config import Config
from .receipt import Receipt
from .ways import Ways

if TYPE_CHECKING:
    from mockforge_brokers.environment import Environment
    from mockforge_brokers.mqtt.broker import MqttBroker

    from ..fixtures.messages import MqttMessage
    from ..fixtures.model import FixtureSet, Retained
    from ..fixtures.source.problems import Position


def _others(config: Config) -> Iterator[Listener]:
    """A Unix socket, and MQTT-SN over UDP."""
    if config.mqtt_unix is not None:
        yield Listener("mqtt", path=os.path.abspath(config.mqtt_unix))
    if config.serves_mqtt_sn:
        udp = Listener("mqtt", config.host, advertised_host=config.advertise, datagram=True)
        yield udp.at(config.port(udp.service))


WAYS = Ways("mqtt", websocket=lambda config: config.mqtt_ws, others=_others)


def build(environment: "Environment", config: Config) -> "MqttBroker":
    from mockforge_brokers.mqtt.broker import MqttBroker
    from msgspec.structs import replace

    options = replace(config.mqtt_options, server_keep_alive=config.keep_alive)
    return MqttBroker(environment, options)


def declarations(
    mqtt: "MqttBroker", fixtures: "FixtureSet"
) -> Iterator[tuple["Position", Callable[[], None]]]:
    """See `production.declarations`."""
    for retained in fixtures.retained:
        yield retained.position, partial(_retain, mqtt, retained)


def _retain(mqtt: "MqttBroker", retained: "Retained") -> None:
    from ..fixtures.maker import make
    from ..fixtures.messages import MqttMessage
    from ..fixtures.templates.scope import Scope

    scope = Scope(Random(0), time.time, environ=os.environ)
    for message in make(retained.body, scope, "fixtures"):
        assert isinstance(message, MqttMessage)
        publish(mqtt, message)


def publish(broker: "MqttBroker", message: "MqttMessage") -> Receipt:
    """Raises InvalidInput."""
    reached = broker.publish(
        message.topic_name,
        message.payload,
        qos=message.qos,
        retain=message.retain,
        properties=message.properties or None,
        source=message.source,
    )
    return Receipt(message.topic_name, reached)
