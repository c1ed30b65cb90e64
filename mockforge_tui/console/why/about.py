"""The rules of each protocol behind one face, for whoever asks about all of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from mockforge_brokers.journal import Row
from mockforge_brokers.snapshots import ConnectionView, DestinationView

from ..targets import host_of
from . import amqp, kafka, mqtt
from .finding import Finding
from .views import amqp_of, hosts_of, kafka_of, mqtt_of

if TYPE_CHECKING:
    from ..session import Session


class About(ABC):
    """What one broker shows right now, and what its protocol's rules find in it."""

    protocol: ClassVar[str]

    @abstractmethod
    def __init__(self, session: "Session") -> None: ...

    @abstractmethod
    def client(self, name: str) -> list[Finding]:
        """All connections of a client."""

    @abstractmethod
    def destination(self, view: DestinationView) -> list[Finding]:
        """A topic, an exchange or a queue."""

    @abstractmethod
    def row(self, row: Row) -> list[Finding]:
        """Who was to get this message."""

    @abstractmethod
    def wants(self, name: str) -> Callable[[str], bool]:
        """Whether what is published to a destination is for what has this name."""

    @abstractmethod
    def consumers(self, name: str) -> Iterable[tuple[str, frozenset[int]]]:
        """Who gets the messages of a group, topic or queue: clients, each with its connections."""

    def group(self, name: str) -> list[Finding]:
        """Those who consume together, where they are something by themselves."""
        return []

    def remembers(self, client: str) -> bool:
        """Something of a client is kept that has no connection."""
        return False

    def ended(
        self, client: str, views: Sequence[ConnectionView], found: list[Finding]
    ) -> list[Finding]:
        """A client all of whose connections are over; `found` says why they went."""
        return found


class AboutKafka(About):
    protocol = "kafka"

    def __init__(self, session: "Session") -> None:
        self._kafka = kafka_of(session)

    def client(self, name: str) -> list[Finding]:
        return kafka.of_client(self._kafka, name)

    def destination(self, view: DestinationView) -> list[Finding]:
        return kafka.of_topic(self._kafka, view.name)

    def row(self, row: Row) -> list[Finding]:
        known = row.destination in self._kafka.topics
        return kafka.of_topic(self._kafka, row.destination) if known else []

    def wants(self, name: str) -> Callable[[str], bool]:
        return kafka.topics_of(self._kafka, name).__contains__

    def consumers(self, name: str) -> Iterable[tuple[str, frozenset[int]]]:
        clients = kafka.readers_of(self._kafka, name)
        return _by_client(self._kafka.connections, clients)

    def group(self, name: str) -> list[Finding]:
        return kafka.of_group(self._kafka, name)

    def ended(
        self, client: str, views: Sequence[ConnectionView], found: list[Finding]
    ) -> list[Finding]:
        return [*found, *kafka.of_ended(self._kafka, views)]


class AboutMqtt(About):
    protocol = "mqtt"

    def __init__(self, session: "Session") -> None:
        self._mqtt = mqtt_of(session)

    def client(self, name: str) -> list[Finding]:
        return mqtt.of_client(self._mqtt, name)

    def destination(self, view: DestinationView) -> list[Finding]:
        return mqtt.of_topic(self._mqtt, view.name)

    def row(self, row: Row) -> list[Finding]:
        return mqtt.of_topic(self._mqtt, row.destination)

    def wants(self, name: str) -> Callable[[str], bool]:
        return partial(mqtt.wants, self._mqtt, name)

    def consumers(self, name: str) -> Iterable[tuple[str, frozenset[int]]]:
        return _by_client(self._mqtt.connections, mqtt.takers_of(self._mqtt, name))

    def group(self, name: str) -> list[Finding]:
        return mqtt.of_share(self._mqtt, name) if name in self._mqtt.shares else []

    def remembers(self, client: str) -> bool:
        history = (event for _, event in self._mqtt.history)
        return client in self._mqtt.sessions or any(
            getattr(event, "client", None) == client and type(event).__name__.startswith("Session")
            for event in history
        )

    def ended(
        self, client: str, views: Sequence[ConnectionView], found: list[Finding]
    ) -> list[Finding]:
        # To be away is nothing uncommon here: what it cost says more.
        return [*mqtt.of_client(self._mqtt, client), *found] if client else found


class AboutAmqp(About):
    protocol = "amqp"

    def __init__(self, session: "Session") -> None:
        self._session = session

    def client(self, name: str) -> list[Finding]:
        hosts = hosts_of(self._session, name)
        return [each for host in hosts for each in amqp.of_client(self._in(host), name)]

    def destination(self, view: DestinationView) -> list[Finding]:
        rules = amqp.of_queue if view.kind == "queue" else amqp.of_exchange
        return rules(self._in(view.detail["vhost"]), view.name)

    def row(self, row: Row) -> list[Finding]:
        detail, found = row.detail, self._in(host_of(row) or "/")
        if detail.get("unroutable") or row.error:
            exchange = str(detail.get("exchange", row.destination))
            return [amqp.unrouted(found, exchange, str(detail.get("routing_key", "")))]
        queue = str(detail.get("queue") or "")
        queues = [queue] if queue else list(detail.get("queues") or ())
        return [
            each for name in queues if name in found.queues for each in amqp.of_queue(found, name)
        ]

    def wants(self, name: str) -> Callable[[str], bool]:
        hosts = hosts_of(self._session, name)
        return {
            each for host in hosts for each in amqp.sources_of(self._in(host), name)
        }.__contains__

    def consumers(self, name: str) -> Iterable[tuple[str, frozenset[int]]]:
        found = amqp.consumers_of(self._in("/"), name)
        return _by_client(self._in("/").connections, {each.client for each in found})

    def _in(self, vhost: str) -> amqp.Amqp:
        return amqp_of(self._session, vhost)


def _by_client(
    connections: Iterable[ConnectionView], clients: Collection[str]
) -> Iterator[tuple[str, frozenset[int]]]:
    for client in clients:
        yield client, frozenset(each.id for each in connections if each.client == client)


ABOUT: Final[dict[str, type[About]]] = {
    each.protocol: each for each in (AboutKafka, AboutMqtt, AboutAmqp)
}
"""By the protocol's name."""
