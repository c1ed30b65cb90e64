"""An MQTT-SN client without a socket, for tests: it sends and takes messages as values."""

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import Event
from mockforge_brokers.limits import Limits
from mockforge_brokers.listener import Listener
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.options import MqttOptions
from mockforge_brokers.mqtt.sn.codec import cut, decode, encode
from mockforge_brokers.mqtt.sn.connection import SnConnection
from mockforge_brokers.mqtt.sn.messages import Connack, Connect, Disconnect, Regack, SnMessage
from mockforge_brokers.mqtt.wire.decode import decode_packet
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import PacketSplitter
from mockforge_brokers.mqtt.wire.packets import Connect as MqttConnect
from mockforge_brokers.mqtt.wire.packets import Packet, Request, Subscribe

from brokers.fake_peer import FakeNetwork

UDP = Listener("mqtt", port=1884, datagram=True)


class Device:
    """At one address of its own."""

    def __init__(self, network: FakeNetwork) -> None:
        self.client = network.connect(UDP)

    @property
    def connection(self) -> SnConnection:
        assert isinstance(self.client.connection, SnConnection)
        return self.client.connection

    def send(self, *messages: SnMessage) -> None:
        for message in messages:
            self.client.send(encode(message))

    def take(self) -> list[SnMessage]:
        """What came since it was last asked."""
        return [decode(frame) for frame in cut(self.client.take())]

    def ask(self, *messages: SnMessage) -> list[SnMessage]:
        self.send(*messages)
        return self.take()

    def accept(self, register: SnMessage) -> list[SnMessage]:
        """Acknowledge a REGISTER; what comes then."""
        return self.ask(Regack(register.topic_id, register.message_id))  # type: ignore[union-attr]


class Field:
    """A broker with devices and MQTT clients around it, and what it reported."""

    def __init__(self, options: MqttOptions | None = None, limits: Limits | None = None) -> None:
        self.clock = ManualClock()
        self.environment = Environment.create(self.clock, seed=1, limits=limits or Limits())
        self.broker = MqttBroker(self.environment, options)
        self.network = FakeNetwork(self.broker, self.environment)
        self.events: list[Event] = []
        self.environment.spine.watch(self.events.append)

    def device(self) -> Device:
        """One that is not connected."""
        return Device(self.network)

    def connected(self, name: str = "d", *, clean: bool = True, duration: int = 600) -> Device:
        device = self.device()
        assert device.ask(Connect(name, duration, clean)) == [Connack(0)]
        return device

    def asleep(self, name: str = "d", seconds: int = 300) -> Device:
        device = self.connected(name)
        assert device.ask(Disconnect(seconds)) == [Disconnect()]
        return device

    def subscriber(self, topic_filter: str, qos: int = 0) -> "Listening":
        return Listening(self.network, topic_filter, qos)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.network.settle()

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> int:
        reached = self.broker.publish(topic, payload, qos=qos, retain=retain)
        self.network.settle()
        return reached

    def reported(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


class Listening:
    """A client of MQTT 3.1.1 that subscribed."""

    def __init__(self, network: FakeNetwork, topic_filter: str, qos: int) -> None:
        self._client = network.connect()
        self._client.send(encode_packet(MqttConnect(f"listens to {topic_filter}"), 4))
        self._client.send(encode_packet(Subscribe(1, [Request(topic_filter, qos)]), 4))
        self._client.take()

    def take(self) -> list[Packet]:
        frames = PacketSplitter().feed(self._client.take())
        return [decode_packet(frame, 4) for frame in frames]
