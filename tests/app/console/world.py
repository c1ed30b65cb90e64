"""A small world for commands: brokers that only remember, on a clock that stands still."""

from collections.abc import Callable, Mapping
from random import Random
from types import SimpleNamespace
from typing import Any

from brokers.misbehaving import Waiting, hold
from mockforge_brokers.access import Access
from mockforge_brokers.amqp import misbehaviour as amqp
from mockforge_brokers.clock import AdjustableClock, ManualClock
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import BrokerRestarted, MessageSeen
from mockforge_brokers.journal import Journal, Row, Tape
from mockforge_brokers.kafka import misbehaviour as kafka
from mockforge_brokers.kafka.snapshots import RecordView as Record
from mockforge_brokers.limits import Limits
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.holds import Holds
from mockforge_brokers.misbehaviour.rules import Faults
from mockforge_brokers.mqtt import misbehaviour as mqtt
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView
from mockforge_brokers.spine import Spine
from mockforge_brokers.usage import Usage

from mockforge_tui.console.generators import generator_of
from mockforge_tui.console.payloads import Payload
from mockforge_tui.console.results import Notice, Result
from mockforge_tui.console.session import Session
from mockforge_tui.console.targets import parse_target
from mockforge_tui.entrance import Receipt
from mockforge_tui.fixtures.engine import FixtureEngine
from mockforge_tui.fixtures.messages import Outgoing
from mockforge_tui.fixtures.model import FixtureSet
from mockforge_tui.tui.palette import PALETTES

from ..traffic import Client, frame

REFUSALS = {"kafka": kafka.REFUSALS, "mqtt": mqtt.REFUSALS, "amqp": amqp.REFUSALS}


class Broker:
    """Remembers what it was told, and shows what it was given."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.refusals = REFUSALS[protocol]
        self.shown_connections: list[ConnectionView] = []
        self.shown_destinations: list[DestinationView] = []
        self.shown_groups: list[GroupView] = []
        self.watchers: list[tuple[str | None, Callable[[MessageSeen], object]]] = []
        self.ended: list[tuple[int, bool]] = []

    def address(self, listener: Listener) -> str:
        return f"{self.protocol}://{listener.reachable}"

    def connections(self) -> list[ConnectionView]:
        return self.shown_connections

    def destinations(self) -> list[DestinationView]:
        return self.shown_destinations

    def groups(self) -> list[GroupView]:
        return self.shown_groups

    def disconnect(self, connection: int, reason: str, *, reset: bool = False) -> bool:
        self.ended.append((connection, reset))
        return True

    def watch(
        self, callback: Callable[[MessageSeen], object], destination: str | None = None
    ) -> Callable[[], None]:
        watcher = (destination, callback)
        self.watchers.append(watcher)
        return lambda: self.watchers.remove(watcher)

    def dump(self) -> dict[str, object]:
        return {}

    def restore(self, values: Mapping[str, Any]) -> None:
        raise AssertionError("a restart is one call")

    def restart(self) -> BrokerRestarted:
        return BrokerRestarted(self.protocol, len(self.shown_connections), "what it had")

    def see(self, destination: str, payload: bytes, **detail: Any) -> None:
        seen = MessageSeen(self.protocol, 1.0, destination, None, payload, (), "someone", detail)
        for wanted, callback in list(self.watchers):
            if wanted in (None, destination):
                callback(seen)


class FakeBrokers(dict[str, Broker]):
    """`Brokers`: by protocol what all show, by attribute what each can do."""

    kafka: Any
    mqtt: Any
    amqp: Any


class KafkaAdmin:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.logs: dict[str, list[list[Record]]] = {}
        self.done: list[tuple[Any, ...]] = []

    def create_topic(
        self, name: str, partitions: int | None = None, config: Mapping[str, str] | None = None
    ) -> int:
        if name in self.logs:
            raise InvalidInput(f"topic {name} exists")
        self.logs[name] = [[] for _ in range(partitions or 3)]
        self.broker.shown_destinations.append(DestinationView("kafka", "topic", name))
        return partitions or 3

    def delete_topic(self, name: str) -> None:
        del self.logs[name]

    def purge_topic(self, name: str) -> int:
        gone = sum(map(len, self.logs[name]))
        self.logs[name] = [[] for _ in self.logs[name]]
        return gone

    def grow_topic(self, name: str, partitions: int) -> None:
        self.logs[name] += [[] for _ in range(partitions - len(self.logs[name]))]

    def configure_topic(self, name: str, key: str, value: str | None) -> None:
        self.done.append((name, key, value))

    def reset_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        self.done.append((group, topic, dict(offsets)))

    def kick_member(self, group: str, member: str) -> None:
        self.done.append((group, member))

    def rebalance(self, group: str) -> None:
        self.done.append((group,))

    def offsets_at(self, topic: str, time: float) -> list[int]:
        return [
            next((r.offset for r in log if r.time >= time), len(log)) for log in self.logs[topic]
        ]

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        return [r for r in self.logs[topic][partition] if r.offset >= offset][:limit]

    def offsets(self, topic: str) -> list[tuple[int, int]]:
        return [(0, len(log)) for log in self.logs[topic]]


class MqttAdmin:
    def __init__(self) -> None:
        self.kept = {"sensors/room1/temp": b"21.5"}
        self.ended: list[str] = []

    def retained(self) -> list[tuple[str, bytes, int]]:
        return [(topic, payload, 1) for topic, payload in self.kept.items()]

    def clear_retained(self, topic_name: str) -> bool:
        return self.kept.pop(topic_name, None) is not None

    def sessions(self) -> list[Mapping[str, Any]]:
        one = {"client": "dev-7", "connected": True, "subscriptions": ["a/#"], "queued": 0}
        return [one]

    def end_session(self, client: str) -> bool:
        self.ended.append(client)
        return True


class AmqpAdmin:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.bound: list[tuple[str, str, str]] = [("events", "q.inv", "order.*")]
        self.declared: dict[str, Mapping[str, Any]] = {}
        empty = SimpleNamespace(queues={}, exchanges={})
        self.vhosts: dict[str, Any] = {"/": empty}

    def add_vhost(self, name: str) -> None:
        self.vhosts[name] = self.vhosts["/"]

    def remove_vhost(self, name: str) -> int:
        del self.vhosts[name]
        return 1

    def declare_queue(
        self, name: str, *, durable: bool = False, arguments: Mapping[str, Any] | None = None
    ) -> None:
        self.declared[name] = dict(arguments or {})

    def delete_queue(self, name: str) -> int:
        return 2

    def purge_queue(self, name: str) -> int:
        return 2

    def declare_exchange(self, name: str, kind: str = "direct", *, durable: bool = False) -> None:
        self.declared[name] = {"type": kind}

    def delete_exchange(self, name: str) -> None:
        self.declared.pop(name, None)

    def bind(
        self,
        exchange: str,
        queue: str,
        binding_key: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.bound.append((exchange, queue, binding_key))

    def unbind(
        self,
        exchange: str,
        queue: str,
        binding_key: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.bound.remove((exchange, queue, binding_key))

    def exchanges(self) -> list[tuple[str, str]]:
        return [("events", "topic"), ("amq.topic", "topic")]

    def bindings(self) -> list[tuple[str, str, str]]:
        return self.bound


class Screen:
    """A view that remembers."""

    def __init__(self) -> None:
        self.filter: Any = "untouched"
        self.theme = ""
        seen = Row("mqtt", 0, "PUBLISH", kind="message", destination="a", payload=b"1", marked=True)
        self.rows = [seen]

    def show_filter(self, shown: Any) -> None:
        self.filter = shown

    def screenshot(self, path: str | None) -> str:
        return path or "shot.svg"

    def themes(self) -> list[str]:
        return list(PALETTES)

    def set_theme(self, name: str) -> None:
        self.theme = name

    def numbered(self, first: int, last: int) -> list[Row]:
        return [row for number, row in enumerate(self.rows, 1) if first <= number <= last]

    def marked(self) -> list[Row]:
        return self.rows


class _Production:
    def __init__(self, engine: FixtureEngine) -> None:
        self.engine = engine


class World:
    """Brokers, runtime and session in one; `sent` has what was published."""

    def __init__(self, *, screen: bool = False, **options: Any) -> None:
        self.time = ManualClock()
        self.clock = AdjustableClock(self.time)
        self.spine = Spine(self.clock)
        limits = Limits()
        self.journal: Journal | None = Journal(self.clock, limits)
        self.faults = Faults(self.clock, self.spine, Random(1))
        self.access = Access()
        self.access.add_user("guest", "guest", ("amqp",))
        self.usage = Usage(self.clock, self.spine, limits)
        self.holds = Holds(self.clock, self.spine, self.usage)
        self.fakes = {name: Broker(name) for name in ("kafka", "mqtt", "amqp")}
        self.listeners = [Listener(protocol, port=1) for protocol in self.fakes]
        self.sent: list[Outgoing] = []
        self.kafka = KafkaAdmin(self.fakes["kafka"])
        self.mqtt = MqttAdmin()
        self.amqp = AmqpAdmin(self.fakes["amqp"])
        self.brokers: Any = FakeBrokers(self.fakes)
        self.brokers.kafka, self.brokers.mqtt, self.brokers.amqp = self.kafka, self.mqtt, self.amqp
        self._furnish()
        engine = FixtureEngine(FixtureSet(), self.clock, self.publish, seed=1)
        self.production = _Production(engine)
        for name, target in (("order-created", "kafka:orders"), ("sensors", "mqtt:sensors/a")):
            payload = Payload("json", '{"n": "{{sequence}}"}')
            engine.add(
                generator_of(
                    name, parse_target(target), payload, key=None, per_second=2, files=False
                )
            )
        self.notices: list[Notice] = []
        self.tapes: dict[str, Tape] = {}
        self.screen = Screen()
        self.session = Session(
            self,
            view=self.screen if screen else None,
            report=self.notices.append,
            **options,
        )

    def publish(self, message: Outgoing) -> Receipt:
        self.sent.append(message)
        return Receipt(f"{message.destination} p0@{len(self.sent) - 1}", 1)

    def run(self, line: str, **options: Any) -> Result:
        return self.session.run(line, **options)

    def reported(self, kind: str = "row") -> list[str]:
        return [notice.text for notice in self.notices if notice.kind == kind]

    def frame(self, client: str, **said: Any) -> None:
        """Let a client's frame come by (traffic.py's protocol)."""
        assert self.journal is not None
        if client not in self.tapes:
            self.tapes[client] = self.journal.open("mqtt", 7, Client(client))
        self.tapes[client].add(0, frame(**said))

    def hold_a_frame(self) -> None:
        rule = self.holds.add(hold(lambda row: True, scope="topic:orders"))
        row = Row("kafka", 0, "Produce", client="billing", destination="orders", size=20)
        self.holds.hold(rule, [row], Waiting())

    def _furnish(self) -> None:
        self.kafka.create_topic("orders", 2)
        self.kafka.logs["orders"][0] = [
            Record(0, n, 1000.0 + n, b"o-%d" % n, b'{"id": %d}' % n) for n in range(3)
        ]
        mqtt = DestinationView("mqtt", "topic", "sensors/room1/temp", 7, 7, 1, "retained")
        self.fakes["mqtt"].shown_destinations.append(mqtt)
        for kind, name in (
            ("queue", "q.mail"),
            ("queue", "q.inv"),
            ("exchange", "events"),
            ("exchange", "amq.topic"),
        ):
            self.fakes["amqp"].shown_destinations.append(
                DestinationView("amqp", kind, name, 5, 3, 2)  # type: ignore[arg-type]
            )
        self.fakes["kafka"].shown_groups.append(GroupView("kafka", "billing", "Stable", 3, 0))
        self.fakes["mqtt"].shown_connections.append(
            ConnectionView(7, "mqtt", "dev-7", "127.0.0.1:50001", "open", self.clock.wall())
        )
        self.fakes["kafka"].shown_connections.append(
            ConnectionView(8, "kafka", "billing", "127.0.0.1:50002", "open", self.clock.wall())
        )
