"""Where a message goes or comes from, as people write it.

kafka:TOPIC[PARTITION]@OFFSET  ·  mqtt:TOPIC  ·  amqp:EXCHANGE/ROUTING-KEY  ·  queue:NAME
"""

import re
from dataclasses import dataclass

from mockforge_brokers.protocols import PROTOCOLS

_KAFKA = re.compile(r"(?P<topic>.*?)(?:\[(?P<partition>\d*)\])?(?:@(?P<offset>.*))?", re.DOTALL)
SCHEMES = ("kafka:", "mqtt:", "amqp:", "queue:")


@dataclass(frozen=True, slots=True)
class KafkaTarget:
    """`offset` is a number, begin, end, or @-5m back in time; None where nothing was said."""

    topic: str
    partition: int | None = None
    offset: str | None = None


@dataclass(frozen=True, slots=True)
class MqttTarget:
    topic: str


@dataclass(frozen=True, slots=True)
class AmqpTarget:
    exchange: str
    routing_key: str = ""


@dataclass(frozen=True, slots=True)
class QueueTarget:
    name: str


@dataclass(frozen=True, slots=True)
class SessionTarget:
    """What waits for an MQTT client; nothing can be published to it."""

    client: str


@dataclass(frozen=True, slots=True)
class BareTarget:
    """A name without a protocol: fine where it can mean only one thing."""

    name: str


Target = KafkaTarget | MqttTarget | AmqpTarget | QueueTarget | BareTarget


def parse_target(text: str) -> Target:
    """Returns what a target says; raises ValueError."""
    scheme, colon, name = text.partition(":")
    if not colon or scheme not in (*PROTOCOLS, "queue"):
        if colon and re.fullmatch(r"[a-z]+", scheme):
            raise ValueError(f"{scheme}: is no broker; write kafka:, mqtt:, amqp: or queue:")
        if not text:
            raise ValueError("a target is missing (kafka:TOPIC, mqtt:TOPIC, amqp:EXCHANGE/KEY)")
        return BareTarget(text)
    match scheme:
        case "kafka":
            return _kafka(name)
        case "amqp":
            exchange, _, routing_key = name.partition("/")
            return AmqpTarget(exchange, routing_key)
    if not name:
        raise ValueError(f"a name is missing behind {scheme}:")
    return MqttTarget(name) if scheme == "mqtt" else QueueTarget(name)


def _kafka(name: str) -> KafkaTarget:
    found = _KAFKA.fullmatch(name)
    if found is None or not found["topic"]:
        raise ValueError("a topic is missing behind kafka:")
    if found["partition"] == "":
        raise ValueError("a partition's number is missing between [ and ]")
    if found["offset"] == "":
        raise ValueError("an offset is missing behind @ (118, begin, end, -5m)")
    partition = int(found["partition"]) if found["partition"] else None
    return KafkaTarget(found["topic"], partition, found["offset"])
