"""The rules of each protocol behind one face, for whoever asks about all of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
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

    def _in(self, vhost: str) -> amqp.Amqp:
        return amqp_of(self._session, vhost)


ABOUT: Final[dict[str, type[About]]] = {
    each.protocol: each for each in (AboutKafka, AboutMqtt, AboutAmqp)
}
"""By the protocol's name."""
