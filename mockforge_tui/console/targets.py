"""Where a message goes or comes from, as people write it.

kafka:TOPIC[PARTITION]@OFFSET  ·  mqtt:TOPIC  ·  amqp:EXCHANGE/ROUTING-KEY  ·  queue:NAME
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from mockforge_brokers.journal import Row
from mockforge_brokers.snapshots import DestinationView, GroupView

_KAFKA = re.compile(r"(?P<topic>.*?)(?:\[(?P<partition>\d*)\])?(?:@(?P<offset>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class KafkaTarget:
    """`offset` is a number, begin, end, or @-5m back in time; None where nothing was said."""

    protocol: ClassVar = "kafka"
    scheme: ClassVar = "kafka"
    topic: str
    partition: int | None = None
    offset: str | None = None

    @classmethod
    def parse(cls, name: str) -> "KafkaTarget":
        found = _KAFKA.fullmatch(name)
        if found is None or not found["topic"]:
            raise ValueError("a topic is missing behind kafka:")
        if found["partition"] == "":
            raise ValueError("a partition's number is missing between [ and ]")
        if found["offset"] == "":
            raise ValueError("an offset is missing behind @ (118, begin, end, -5m)")
        partition = int(found["partition"]) if found["partition"] else None
        return cls(found["topic"], partition, found["offset"])

    @property
    def title(self) -> str:
        return f"topic {self.topic}"

    @property
    def watched(self) -> str:
        return self.topic

    def __str__(self) -> str:
        return f"kafka:{self.topic}" + ("" if self.partition is None else f"[{self.partition}]")


@dataclass(frozen=True, slots=True)
class MqttTarget:
    protocol: ClassVar = "mqtt"
    scheme: ClassVar = "mqtt"
    topic: str

    @classmethod
    def parse(cls, name: str) -> "MqttTarget":
        return cls(_named(cls.scheme, name))

    @property
    def title(self) -> str:
        return f"retained at {self.topic}"

    @property
    def watched(self) -> str:
        return self.topic

    def __str__(self) -> str:
        return f"mqtt:{self.topic}"


@dataclass(frozen=True, slots=True)
class AmqpTarget:
    protocol: ClassVar = "amqp"
    scheme: ClassVar = "amqp"
    exchange: str
    routing_key: str = ""

    @classmethod
    def parse(cls, name: str) -> "AmqpTarget":
        exchange, _, routing_key = name.partition("/")
        return cls(exchange, routing_key)

    @property
    def title(self) -> str:
        return f"exchange {self.exchange}"

    @property
    def watched(self) -> str:
        return self.exchange

    def __str__(self) -> str:
        return f"amqp:{self.exchange}/{self.routing_key}"


@dataclass(frozen=True, slots=True)
class QueueTarget:
    protocol: ClassVar = "amqp"
    scheme: ClassVar = "queue"
    name: str

    @classmethod
    def parse(cls, name: str) -> "QueueTarget":
        return cls(_named(cls.scheme, name))

    @property
    def title(self) -> str:
        return f"queue {self.name}"

    @property
    def watched(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"queue:{self.name}"


@dataclass(frozen=True, slots=True)
class SessionTarget:
    """What waits for an MQTT client; nothing can be published to it."""

    protocol: ClassVar = "mqtt"
    client: str

    @property
    def title(self) -> str:
        return f"waiting for {self.client}"


@dataclass(frozen=True, slots=True)
class BareTarget:
    """A name without a protocol: fine where it can mean only one thing."""

    name: str

    def __str__(self) -> str:
        return self.name


Place = KafkaTarget | MqttTarget | AmqpTarget | QueueTarget
"""`watched` is what `contract.Broker.watch` calls it, `title` is what its stored messages are
shown as; as text it is what people write."""

Target = Place | BareTarget

_BY_SCHEME: Final[dict[str, type[Place]]] = {
    each.scheme: each for each in (KafkaTarget, MqttTarget, AmqpTarget, QueueTarget)
}
SCHEMES: Final = tuple(f"{scheme}:" for scheme in _BY_SCHEME)
_OF_TOPICS: Final[dict[str, type[KafkaTarget | MqttTarget]]] = {
    each.protocol: each for each in (KafkaTarget, MqttTarget)
}
_OF_GROUPS: Final[dict[str, type[SessionTarget | QueueTarget]]] = {
    each.protocol: each for each in (SessionTarget, QueueTarget)
}


def place_of(view: DestinationView) -> Place:
    """Where the messages of a topic, an exchange or a queue go."""
    match view.kind:
        case "topic":
            return _OF_TOPICS[view.protocol](view.name)
        case "exchange":
            return AmqpTarget(view.name)
        case "queue":
            return QueueTarget(view.name)


def store_of(view: GroupView) -> SessionTarget | QueueTarget | None:
    """Where messages wait for those who consume together; None where they have positions only."""
    kept = _OF_GROUPS.get(view.protocol)
    return kept(view.name) if kept is not None else None


def origin_of(row: Row) -> Place:
    """Where a message that came was sent to."""
    if of_topic := _OF_TOPICS.get(row.protocol):
        return of_topic(row.destination)
    exchange = str(row.detail.get("exchange", row.destination))
    return AmqpTarget(exchange, str(row.detail.get("routing_key", "")))


def parse_target(text: str) -> Target:
    """Returns what a target says; raises ValueError."""
    scheme, colon, name = text.partition(":")
    if colon and scheme in _BY_SCHEME:
        return _BY_SCHEME[scheme].parse(name)
    if colon and re.fullmatch(r"[a-z]+", scheme):
        raise ValueError(f"{scheme}: is no broker; write kafka:, mqtt:, amqp: or queue:")
    if not text:
        raise ValueError("a target is missing (kafka:TOPIC, mqtt:TOPIC, amqp:EXCHANGE/KEY)")
    return BareTarget(text)


def _named(scheme: str, name: str) -> str:
    if not name:
        raise ValueError(f"a name is missing behind {scheme}:")
    return name
