"""An MQTT broker on a manual clock, and its clients without sockets."""

from typing import Any, TypeVar

from mockforge_brokers.access import Access, rule_of
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import Event
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import PacketSplitter
from mockforge_brokers.mqtt.wire.packets import Connect, Packet, Publish, Request, Subscribe
from mockforge_brokers.storage.facts import Kept

from ..fake_peer import FakeClient, FakeNetwork
from ..storage.memory_disk import MemoryDisk

LASTING = {"session_expiry_interval": 100}
E = TypeVar("E", bound=Event)


class Scene:
    """`version` is what clients speak that do not say another one."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        version: int = 5,
        wall: float = 1_700_000_000.0,
        journal: bool = True,
        disk: MemoryDisk | None = None,
        found: Kept | None = None,
        **options: Any,
    ) -> None:
        """With a disk the broker keeps things there, and begins with what was `found`."""
        self.version = version
        self.clock = ManualClock(wall)
        self.environment = Environment.create(self.clock, seed=1, limits=limits, journal=journal)
        if disk is not None:
            disk.store_for(self.environment)
        self.broker = MqttBroker(self.environment, MqttOptions(**options))
        if disk is not None:
            self.broker.take_up(found or Kept())
        self.network = FakeNetwork(self.broker, self.environment)
        self._versions: dict[FakeClient, int] = {}

    # Clients.

    def come(self, *packets: Packet) -> FakeClient:
        """A new connection that sends these packets, the first its CONNECT; nothing is taken."""
        client = self.network.connect()
        if packets and isinstance(packets[0], Connect):
            self._versions[client] = packets[0].version
        self.send(client, *packets)
        return client

    def connect(
        self, name: str = "c", *filters: str, qos: int = 0, version: int | None = None, **more: Any
    ) -> FakeClient:
        """A client that is connected and subscribed; its CONNACK and SUBACK are taken."""
        client = self.come(Connect(name, version or self.version, **more))
        if filters:
            self.send(client, Subscribe(1, [Request(each, qos) for each in filters]))
        client.take()
        return client

    def lasting(
        self,
        name: str,
        *filters: str,
        qos: int = 1,
        properties: dict[str, Any] = LASTING,
        **more: Any,
    ) -> FakeClient:
        """A client whose session outlasts it; what came is taken where it subscribes."""
        more.setdefault("clean_start", False)
        client = self.come(Connect(name, 5, properties=dict(properties), **more))
        for topic_filter in filters:
            self.ask(client, Subscribe(1, [Request(topic_filter, qos)]))
        return client

    def subscribe(self, client: FakeClient, topic_filter: str, qos: int = 0) -> None:
        self.send(client, Subscribe(1, [Request(topic_filter, qos)]))

    def send(self, client: FakeClient, *packets: Packet) -> None:
        """All in one burst."""
        version = self.version_of(client)
        client.send(b"".join(encode_packet(each, version) for each in packets))

    def got(self, client: FakeClient) -> list[Packet]:
        version = self.version_of(client)
        return [decode_packet(each, version) for each in PacketSplitter().feed(client.take())]

    def ask(self, client: FakeClient, *packets: Packet) -> list[Packet]:
        """What a client has got once it sent these packets."""
        self.send(client, *packets)
        return self.got(client)

    def publishes(self, client: FakeClient) -> list[Publish]:
        return [packet for packet in self.got(client) if isinstance(packet, Publish)]

    def version_of(self, client: FakeClient) -> int:
        return self._versions.get(client, self.version)

    # The broker.

    @property
    def access(self) -> Access:
        return self.environment.access

    def guard(self, *rules: str) -> None:
        """From now on there is the user alice with a password, whom these rules allow things."""
        self.access.add_user("alice", "secret")
        self.access.anonymous.clear()
        for rule in rules:
            self.access.add_rule(rule_of(rule))

    def publish(self, topic_name: str, payload: bytes = b"x", **how: Any) -> None:
        self.broker.publish(topic_name, payload, **how)
        self.network.settle()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.network.settle()

    def emitted(self, kind: type[E]) -> list[E]:
        return [event for _, event in self.environment.spine.history if isinstance(event, kind)]
