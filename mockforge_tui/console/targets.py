"""Where a message goes or comes from, as people write it.

kafka:TOPIC[PARTITION]@OFFSET  ·  mqtt:TOPIC  ·  amqp:EXCHANGE/ROUTING-KEY  ·  queue:NAME

In another virtual host than `/`: amqp://VHOST/EXCHANGE/ROUTING-KEY  ·  queue://VHOST/NAME
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import quote, unquote

from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import protocol_of
from mockforge_brokers.snapshots import DestinationView, GroupView

_FIRST_HOST: Final = "/"
SHARE: Final = "$share/"
"""How the name of a shared subscription begins; its own name and its filter follow."""
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
    vhost: str | None = None

    @classmethod
    def parse(cls, name: str) -> "AmqpTarget":
        vhost, name = split_host(name)
        exchange, _, routing_key = name.partition("/")
        return cls(exchange, routing_key, vhost)

    @property
    def title(self) -> str:
        return f"exchange {at_host(self.vhost, self.exchange)}"

    @property
    def watched(self) -> str:
        return self.exchange

    def __str__(self) -> str:
        return f"amqp:{at_host(self.vhost, f'{self.exchange}/{self.routing_key}')}"


@dataclass(frozen=True, slots=True)
class QueueTarget:
    protocol: ClassVar = "amqp"
    scheme: ClassVar = "queue"
    name: str
    vhost: str | None = None

    @classmethod
    def parse(cls, name: str) -> "QueueTarget":
        vhost, name = split_host(name)
        return cls(_named(cls.scheme, name), vhost)

    @property
    def title(self) -> str:
        return f"queue {at_host(self.vhost, self.name)}"

    @property
    def watched(self) -> str:
        return f"queue:{self.name}"

    def __str__(self) -> str:
        return f"queue:{at_host(self.vhost, self.name)}"


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
shown as; as text it is what people write. Without a `vhost` it is the one that has it, `/` before
all others."""

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
            return AmqpTarget(view.name, vhost=view.detail.get("vhost"))
        case "queue":
            return QueueTarget(view.name, view.detail.get("vhost"))


def name_of(view: DestinationView | GroupView) -> str:
    """What tells it from others of its kind: in another virtual host than `/` that host, too."""
    return at_host(view.detail.get("vhost"), view.name)


def at_host(vhost: str | None, name: str) -> str:
    """`//shop/orders`; just the name in `/`, and where its virtual host is not known."""
    if vhost not in (None, _FIRST_HOST):
        return f"//{quote(str(vhost), safe='')}/{name}"
    # What looks as if it began with a virtual host has one that says otherwise.
    return f"//{quote(_FIRST_HOST, safe='')}/{name}" if name.startswith("//") else name


def split_host(name: str) -> tuple[str | None, str]:
    """`//shop/orders` as its virtual host, None where none is named, and the rest."""
    if not name.startswith("//"):
        return None, name
    vhost, slash, rest = name[2:].partition("/")
    if not slash:
        raise ValueError(f"//{vhost} is a virtual host alone: //{vhost}/NAME")
    return unquote(vhost) or _FIRST_HOST, rest


def shared_by(view: GroupView) -> str | None:
    """What a shared subscription of MQTT is about: its filter without the share's name; None for
    every other group."""
    shared = view.detail.get("filter") if protocol_of(view.protocol).levels else None
    return None if shared is None else str(shared).split("/", 2)[2]


def store_of(view: GroupView) -> SessionTarget | QueueTarget | None:
    """Where messages wait for those who consume together; None where they have positions only."""
    if shared_by(view) is not None:
        return None
    kept = _OF_GROUPS.get(view.protocol)
    if kept is QueueTarget:
        return QueueTarget(view.name, view.detail.get("vhost"))
    return SessionTarget(view.name) if kept is not None else None


def origin_of(row: Row) -> Place:
    """Where a message that came was sent to."""
    if of_topic := _OF_TOPICS.get(row.protocol):
        return of_topic(row.destination)
    exchange = str(row.detail.get("exchange", row.destination))
    return AmqpTarget(exchange, str(row.detail.get("routing_key", "")), host_of(row))


def host_of(row: Row) -> str | None:
    """The virtual host that a message was published in, as far as a row says."""
    return row.origin.vhost or row.detail.get("vhost")


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
