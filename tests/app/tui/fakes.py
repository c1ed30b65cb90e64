"""A runtime without sockets: traffic from `Traffic`, and brokers that only show views."""

import json
from types import SimpleNamespace
from typing import Any

from mockforge_brokers.journal import OUT
from mockforge_brokers.listener import Listener
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from mockforge_tui.brokers import Brokers

from ..traffic import Traffic


class FakeBroker:
    """Shows what it was given."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.refusals: dict[str, int] = {}
        self.shown_connections: list[ConnectionView] = []
        self.shown_destinations: list[DestinationView] = []
        self.shown_groups: list[GroupView] = []
        self.disconnected: list[int] = []
        self.vhost = lambda: SimpleNamespace(exchanges={}, queues={})

    def address(self, listener: Listener) -> str:
        return f"{self.protocol}://{listener.reachable}"

    def connections(self) -> list[ConnectionView]:
        return self.shown_connections

    def destinations(self) -> list[DestinationView]:
        return self.shown_destinations

    def groups(self) -> list[GroupView]:
        return self.shown_groups

    def offsets(self, topic: str) -> list[tuple[int, int]]:
        return [(0, 0)]

    def retained(self) -> list[Any]:
        return []

    def sessions(self) -> list[Any]:
        return []

    def lint(self) -> list[Any]:
        return []

    def peek(self, queue: str, limit: int, *, start: int = 0) -> list[Any]:
        return []

    def disconnect(self, connection: int, reason: str, *, reset: bool = False) -> bool:
        self.disconnected.append(connection)
        return True


class FakeRuntime:
    """What the app asks of a runtime; `published` has what `pub` sent."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        environment = self.traffic.environment
        self.environment = environment
        self.clock: Any = self.traffic.clock
        self.clock.offset = 0.0
        self.spine = environment.spine
        self.journal = environment.journal
        self.faults = environment.faults
        self.holds = environment.holds
        self.usage, self.access = environment.usage, environment.access
        self.ended = environment.ended
        self.ports = {"kafka": 9092, "mqtt": 1883, "amqp": 5672}
        self.listeners = [Listener(name, port=port) for name, port in self.ports.items()]
        self.notices: list[str] = []
        fakes: Any = [FakeBroker(name) for name in self.ports]
        self.brokers: Any = Brokers(*fakes)
        self.production = SimpleNamespace(status=lambda: (), list=lambda: ())
        self.published: list[Any] = []

    def facts(self) -> dict[str, Any]:
        return {
            "kafka": {"bootstrap": "127.0.0.1:9092"},
            "mqtt": {"url": "mqtt://127.0.0.1:1883"},
            "amqp": {"url": "amqp://guest:guest@127.0.0.1:5672/%2F"},
        }

    def publish(self, message: Any) -> Any:
        self.published.append(message)
        return SimpleNamespace(place="there", reached=1)


def shop(runtime: FakeRuntime, rounds: int = 3) -> None:
    """A little of everything, the same each time."""
    traffic = runtime.traffic
    for number in range(rounds):
        order = {
            "id": 1841 + number,
            "sku": f"SKU-{41 + number}",
            "qty": 3,
            "price": 12.9,
            "customer": {"id": "c-77", "tier": "gold"},
            "lines": [{"sku": "A-1", "n": 2}, {"sku": "B-7", "n": 1}],
        }
        traffic.say(
            "order-svc", protocol="kafka", op="Produce", to="orders.created",
            key=f"o-{order['id']}", payload=json.dumps(order),
            detail={"partition": 2, "offset": 118 + number, "acks": -1},
            headers={"trace": "00-4bf92f-01"},
        )  # fmt: skip
        traffic.clock.advance(0.001)
        traffic.say(
            "billing", protocol="kafka", op="Fetch", to="orders.created", direction=OUT,
            key=f"o-{order['id']}", payload=json.dumps(order),
            detail={"partition": 2, "offset": 118 + number},
        )  # fmt: skip
        traffic.clock.advance(0.007)
        for name, direction in (("dev-7", 0), ("hmi", 1)):
            traffic.say(
                name, op="PUBLISH", to="sensors/room1/temp", direction=direction,
                payload=json.dumps({"t": 21.5 + number / 10, "unit": "C"}),
                detail={"qos": 1, "retain": False, "packet_id": 7},
            )  # fmt: skip
        traffic.say("dev-7", op="PUBACK", direction=OUT, kind="control", detail={"packet_id": 7})
        traffic.say("dev-7", op="PINGREQ", kind="noise")
        traffic.clock.advance(0.005)
        traffic.say(
            "web", protocol="amqp", op="basic.publish", to="amq.topic",
            payload=json.dumps({"order": 1839 + number, "total": 41.7}),
            detail={"exchange": "amq.topic", "routing_key": "order.paid",
                    "properties": {"content_type": "application/json", "delivery_mode": 2}},
        )  # fmt: skip
        traffic.say(
            "inv-worker", protocol="amqp", op="basic.deliver", to="q.invoice", direction=OUT,
            payload=json.dumps({"order": 1839 + number, "total": 41.7}),
            detail={"delivery_tag": 77 + number, "redelivered": number == 1},
        )  # fmt: skip
        traffic.say(
            "inv-worker", protocol="amqp", op="basic.nack", to="q.invoice", kind="control",
            detail={"delivery_tag": 77 + number, "requeue": False},
        )  # fmt: skip
        traffic.clock.advance(0.09)
    _views(runtime)


def _views(runtime: FakeRuntime) -> None:
    at = runtime.clock.wall()
    kafka, mqtt, amqp = (runtime.brokers[name] for name in ("kafka", "mqtt", "amqp"))

    def connection(number: int, protocol: str, client: str, state: str = "open") -> ConnectionView:
        address = f"127.0.0.1:{50870 + number}"
        return ConnectionView(number, protocol, client, address, state, at, "lib/1.0", 412, 88)

    kafka.shown_connections = [
        connection(1, "kafka", "order-svc"),
        connection(2, "kafka", "billing"),
        connection(8, "kafka", "audit", "rebalancing"),
    ]
    mqtt.shown_connections = [connection(3, "mqtt", "dev-7"), connection(4, "mqtt", "hmi")]
    amqp.shown_connections = [connection(5, "amqp", "web"), connection(6, "amqp", "inv-worker")]
    kafka.shown_destinations = [
        DestinationView("kafka", "topic", "orders.created", 1200, 1190, 12_100, "3 partitions"),
        DestinationView("kafka", "topic", "orders.paid", 33, 33, 41, "2 partitions"),
    ]
    mqtt.shown_destinations = [
        DestinationView("mqtt", "topic", "sensors/room1/temp", 81, 81, 1, "retained")
    ]
    amqp.shown_destinations = [
        DestinationView("amqp", "exchange", "amq.topic", 33),
        DestinationView("amqp", "exchange", "amq.headers", 0),
        DestinationView("amqp", "queue", "q.invoice", 33, 33, 0, "1 consumer"),
        DestinationView("amqp", "queue", "q.mail", 118, 0, 118, "no consumer"),
    ]
    kafka.shown_groups = [
        GroupView("kafka", "billing", "Stable", 3, 0),
        GroupView("kafka", "audit", "PreparingRebalance", 1, 4118, "3rd rebalance in 30 s"),
    ]
