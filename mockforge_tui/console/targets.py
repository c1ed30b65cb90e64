"""Where a message goes or comes from, as people write it.

kafka:TOPIC[PARTITION]@OFFSET  ·  mqtt:TOPIC  ·  amqp:EXCHANGE/ROUTING-KEY  ·  queue:NAME
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from mockforge_brokers.protocols import PROTOCOLS
from mockforge_brokers.snapshots import DestinationView

_KAFKA = re.compile(r"(?P<topic>.*?)(?:\[(?P<partition>\d*)\])?(?:@(?P<offset>.*))?", re.DOTALL)
SCHEMES = ("kafka:", "mqtt:", "amqp:", "queue:")


@dataclass(frozen=True, slots=True)
class KafkaTarget:
    """`offset` is a number, begin, end, or @-5m back in time; None where nothing was said."""

    protocol: ClassVar = "kafka"
    topic: str
    partition: int | None = None
    offset: str | None = None

    @property
    def watched(self) -> str:
        return self.topic

    def __str__(self) -> str:
        return f"kafka:{self.topic}" + ("" if self.partition is None else f"[{self.partition}]")


@dataclass(frozen=True, slots=True)
class MqttTarget:
    protocol: ClassVar = "mqtt"
    topic: str

    @property
    def watched(self) -> str:
        return self.topic

    def __str__(self) -> str:
        return f"mqtt:{self.topic}"


@dataclass(frozen=True, slots=True)
class AmqpTarget:
    protocol: ClassVar = "amqp"
    exchange: str
    routing_key: str = ""

    @property
    def watched(self) -> str:
        return self.exchange

    def __str__(self) -> str:
        return f"amqp:{self.exchange}/{self.routing_key}"


@dataclass(frozen=True, slots=True)
class QueueTarget:
    protocol: ClassVar = "amqp"
    name: str

    @property
    def watched(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"queue:{self.name}"


@dataclass(frozen=True, slots=True)
class SessionTarget:
    """What waits for an MQTT client; nothing can be published to it."""

    client: str


@dataclass(frozen=True, slots=True)
class BareTarget:
    """A name without a protocol: fine where it can mean only one thing."""

    name: str

    def __str__(self) -> str:
        return self.name


Place = KafkaTarget | MqttTarget | AmqpTarget | QueueTarget
"""`watched` is what `contract.Broker.watch` calls it; as text it is what people write."""

Target = Place | BareTarget


def place_of(view: DestinationView) -> Place:
    """Where the messages of a topic, an exchange or a queue go."""
    match view.protocol, view.kind:
        case "kafka", _:
            return KafkaTarget(view.name)
        case "mqtt", _:
            return MqttTarget(view.name)
        case _, "exchange":
            return AmqpTarget(view.name)
    return QueueTarget(view.name)


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
