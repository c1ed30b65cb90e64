"""An AMQP client without sockets: methods out, methods back, by name."""

from dataclasses import dataclass, field
from typing import Any

from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.records import plain, table
from mockforge_brokers.amqp.wire import content, frames, methods
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import Event
from mockforge_brokers.limits import Limits
from mockforge_brokers.listener import Listener
from mockforge_brokers.storage.facts import Kept

from brokers.fake_peer import FakeClient, FakeNetwork
from brokers.storage.memory_disk import MemoryDisk

CAPABILITIES = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}

AT_LEAST_ONCE = {
    "x-queue-type": "quorum",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
"""Of a quorum queue whose dead letters stay until a queue has them."""


@dataclass
class Got:
    """A method that came, with its content if it has one."""

    name: str
    channel: int
    values: dict[str, Any]
    body: bytes = b""
    properties: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class Client:
    """`send` a method and get what came back; `connect` does the handshake."""

    def __init__(self, network: FakeNetwork, listener: Listener | None = None) -> None:
        self.fake: FakeClient = network.connect(listener)
        self.peer = self.fake.peer

    def connect(
        self,
        *,
        user: str = "guest",
        password: str = "guest",
        vhost: str = "/",
        name: str = "",
        capabilities: dict[str, bool] | None = None,
        tune: tuple[int, int, int] = (2047, 131_072, 60),
    ) -> list[Got]:
        """From protocol header to connection.open; returns what came after the last step."""
        self.fake.send(frames.PROTOCOL_HEADER)
        properties = {
            "capabilities": CAPABILITIES if capabilities is None else capabilities,
            "product": "test",
            "version": "1",
            **({"connection_name": name} if name else {}),
        }
        self.fake.take()
        came = self.send(
            "connection.start-ok",
            channel=0,
            client_properties=table(properties),
            mechanism="PLAIN",
            response=f"\0{user}\0{password}",
            locale="en_US",
        )
        if came and came[0].name == "connection.tune":
            channel_max, frame_max, heartbeat = tune
            self.send(
                "connection.tune-ok",
                channel=0,
                channel_max=channel_max,
                frame_max=frame_max,
                heartbeat=heartbeat,
            )
            if not self.peer.ended:
                came = self.send("connection.open", channel=0, virtual_host=vhost)
        return came

    def open(self, channel: int = 1) -> "Client":
        came = self.send("channel.open", channel=channel)
        assert [got.name for got in came] == ["channel.open-ok"]
        return self

    def send(self, name: str, *, channel: int = 1, **values: Any) -> list[Got]:
        if "arguments" in values:
            values["arguments"] = table(values["arguments"])
        self.fake.send(frames.method(channel, name, **values))
        return self.received()

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes = b"",
        *,
        channel: int = 1,
        mandatory: bool = False,
        immediate: bool = False,
        **properties: Any,
    ) -> list[Got]:
        self.fake.send(
            publish(exchange, routing_key, body, channel, mandatory, immediate, **properties)
        )
        return self.received()

    def received(self) -> list[Got]:
        """What came since it was last asked; heartbeats are left out."""
        found: list[Got] = []
        for frame in frames.split(self.fake.take()):
            if frame.type == frames.METHOD:
                method = methods.find(frame.payload)
                assert method is not None
                values = plain(methods.decode(method, frame.payload))
                found.append(Got(method.name, frame.channel, values))
            elif frame.type == frames.HEADER:
                found[-1].properties = content.decode_properties(frame.payload)
            elif frame.type == frames.BODY:
                found[-1].body += frame.payload
        return found


def publish(
    exchange: str,
    routing_key: str,
    body: bytes = b"",
    channel: int = 1,
    mandatory: bool = False,
    immediate: bool = False,
    **properties: Any,
) -> bytes:
    """The frames of one publish."""
    if "headers" in properties:
        properties["headers"] = table(properties["headers"])
    method = frames.method(
        channel,
        "basic.publish",
        exchange=exchange,
        routing_key=routing_key,
        mandatory=mandatory,
        immediate=immediate,
    )
    return method + content.make_content(channel, body, properties, 131_064)


class Scene:
    """A broker on a manual clock, the clients around it and the events that it emitted."""

    def __init__(
        self,
        options: AmqpOptions | None = None,
        limits: Limits | None = None,
        *,
        disk: MemoryDisk | None = None,
        found: Kept | None = None,
    ) -> None:
        """With a disk the broker keeps things there, and begins with what was `found`."""
        self.clock = ManualClock()
        self.environment = Environment.create(self.clock, seed=1, limits=limits)
        if disk is not None:
            disk.store_for(self.environment)
        self.broker = AmqpBroker(self.environment, options)
        self.network = FakeNetwork(self.broker, self.environment)
        self.events: list[Event] = []
        self.stop_noting = self.environment.spine.watch(self.events.append)
        if disk is not None:
            self.broker.take_up(found or Kept())

    def client(self, **handshake: Any) -> Client:
        """A client with an open connection and channel 1 open."""
        client = Client(self.network)
        came = client.connect(**handshake)
        assert [got.name for got in came] == ["connection.open-ok"]
        return client.open()

    def stranger(self) -> Client:
        """A client that has not said a word yet."""
        return Client(self.network)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.network.settle()

    def emitted(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def names(came: list[Got]) -> list[str]:
    return [got.name for got in came]


def bodies(came: list[Got]) -> list[bytes]:
    return [got.body for got in came if got.name == "basic.deliver"]
