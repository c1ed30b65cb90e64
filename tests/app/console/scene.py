"""Real brokers on a manual clock, with two of everything that a command can speak of."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from brokers.amqp.client import Client as AmqpClient
from brokers.fake_peer import FakeClient, FakeNetwork
from brokers.misbehaving import Waiting, hold
from mockforge_brokers.access import rule_of
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.clock import AdjustableClock, ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import BrokerRestarted
from mockforge_brokers.journal import OUT, Journal, Row
from mockforge_brokers.kafka.broker import KafkaBroker
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.configs.client_metrics import ATTRIBUTES
from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.frames import decode_response, encode_request
from mockforge_brokers.kafka.wire.messages.consumer_groups import ConsumerGroupHeartbeatRequest
from mockforge_brokers.kafka.wire.messages.groups import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    TopicPartition,
)
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.holds import HoldRule
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Connect,
    Disconnect,
    Publish,
    Request,
    Subscribe,
    Will,
)

from mockforge_tui.bodies import Bodies
from mockforge_tui.brokers import Brokers
from mockforge_tui.console.chaos.run import Run
from mockforge_tui.console.generators import generator_of
from mockforge_tui.console.payloads import Payload
from mockforge_tui.console.results import Notice, Result
from mockforge_tui.console.session import Session
from mockforge_tui.console.targets import parse_target
from mockforge_tui.entrance import Receipt, publish
from mockforge_tui.expectations.record import Record
from mockforge_tui.fixtures.loader import parse, read_document
from mockforge_tui.fixtures.messages import Outgoing
from mockforge_tui.fixtures.model import FixtureSet
from mockforge_tui.fixtures.source.context import Loaded
from mockforge_tui.fixtures.source.fields import Problems
from mockforge_tui.fixtures.source.tree import Source
from mockforge_tui.production import Production
from mockforge_tui.recordings import Recordings
from mockforge_tui.snapshots import Snapshot, Snapshots
from mockforge_tui.stopping import Stopping
from mockforge_tui.tui.palette import PALETTES
from mockforge_tui.violations import Violations

PORTS = {"kafka": 9092, "mqtt": 1883, "amqp": 5672}
BUG = "this is a bug of mockforge-tui"


ONE_METRIC = bytes.fromhex("0a16 1214 1212 0a03612e62 2a0b 0a09 210000000000001440")
"""OpenTelemetry's MetricsData: gauge `a.b` is 5."""


class Screen:
    """A view that remembers what commands did to it."""

    def __init__(self) -> None:
        self.filter: Any = "untouched"
        self.theme = ""
        seen = Row("mqtt", 0, "PUBLISH", kind="message", destination="a", payload=b"1", marked=True)
        self.rows = [seen]

    def show_filter(self, shown: Any) -> None:
        self.filter = shown

    def screenshot(self, path: str | None) -> str:
        return path or "shot.svg"

    def copy(self, text: str) -> str:
        self.copied = text
        return "copied.txt"

    def places(self) -> list[str]:
        return ["flow", "connections"]

    def jump(self, name: str | None) -> None:
        self.jumped = name

    def themes(self) -> list[str]:
        return list(PALETTES)

    def set_theme(self, name: str) -> None:
        self.theme = name

    def numbered(self, first: int, last: int) -> list[Row]:
        return [row for number, row in enumerate(self.rows, 1) if first <= number <= last]

    def marked(self) -> list[Row]:
        return self.rows

    def before(self, row: Row) -> list[Row]:
        return []


MADE: list["Scene"] = []
"""The scenes of the test that runs, and of its file: `conftest` lets go of what they hold."""


class NoSockets:
    """A server's part in stopping and starting, where nothing listens."""

    def stop_listening(self, node: int | None = None) -> None: ...

    def listen_again(self, node: int | None = None) -> None: ...

    def add_node(self, protocol: str, node: int) -> list[Listener]:
        return [Listener(protocol, port=PORTS[protocol] + 100 * node, node=node)]

    def remove_node(self, protocol: str, node: int) -> None: ...

    def show_certificate(self, *, expired: bool) -> None:
        self.expired = expired


class Scene:
    """A runtime with no loop and no socket, with the session of who types at it.

    `sent` has what was published from the prompt, `heard` what the session reported. Where it is
    furnished, the brokers have two of everything; where it is busy too, so has the console.
    """

    def __init__(
        self,
        *,
        furnished: bool = True,
        busy: bool = True,
        screen: bool = False,
        journal: bool = True,
        kafka_nodes: int = 1,
        **options: Any,
    ) -> None:
        self.time = ManualClock()
        self.clock = AdjustableClock(self.time)
        self.environment = environment = Environment.create(self.clock, seed=1, journal=journal)
        self.kafka = KafkaBroker(
            environment, KafkaOptions(initial_rebalance_delay=0, nodes=kafka_nodes)
        )
        self.mqtt = MqttBroker(environment)
        self.amqp = AmqpBroker(environment)
        self.brokers = Brokers(self.kafka, self.mqtt, self.amqp)
        servers = dict.fromkeys(self.brokers, NoSockets())
        self.places = NoSockets()
        self.stopping = Stopping(self.brokers, servers, self.places, self.clock, environment.spine)
        self.listeners = [Listener(name, port=PORTS[name]) for name in self.brokers]
        self.networks = {
            name: FakeNetwork(broker, environment) for name, broker in self.brokers.items()
        }
        self.production = Production(self.brokers, environment, seed=1)
        self.spine = environment.spine
        self.chores = environment.chores
        self.bodies = Bodies(environment.usage)
        self.faults, self.holds = environment.faults, environment.holds
        self.usage, self.access = environment.usage, environment.access
        self.store = environment.store
        self.violations = Violations(self.spine)
        self.record = Record(self.brokers, journal=environment.journal)
        self.record.start()
        self.recordings = Recordings(self.brokers, self.clock, seed=1)
        self.snapshots = Snapshots(self.brokers, self.clock)
        self.chaos: list[Run] = []
        self.ended = environment.ended
        self.loop_lag = 0.0
        self.seed = 1
        self.screen = Screen()
        self.notices: list[str] = []
        self.sent: list[Any] = []
        self.heard: list[Notice] = []
        self._correlation = 0
        self.session = Session(
            self, view=self.screen if screen else None, report=self.heard.append, **options
        )
        if furnished:
            self._furnish()
        if furnished and busy:
            self._work_at_the_console()
        self.sent.clear()
        self.heard.clear()
        MADE.append(self)

    def forget(self) -> None:
        """Let go of all messages, as a Runtime does that nobody uses any more."""
        self.production.stop()
        self.reset()
        if self.journal is not None:
            self.journal.clear()

    def publish(self, message: Outgoing) -> Receipt:
        receipt = publish(self.brokers, message)
        self.sent.append(message)
        return receipt

    @property
    def journal(self) -> Journal | None:
        return self.environment.journal

    @property
    def ports(self) -> dict[str, int]:
        return {each.protocol: each.port for each in self.listeners}

    def facts(self) -> dict[str, Any]:
        """What the ready line says, as Runtime has it."""
        return {
            each.protocol: {
                self.brokers[each.protocol].address_name: self.brokers[each.protocol].address(each)
            }
            for each in self.listeners
        }

    def reported(self, kind: str = "row") -> list[str]:
        return [notice.text for notice in self.heard if notice.kind == kind]

    def take_snapshot(self, name: str) -> Snapshot:
        return self.snapshots.take(name, None, (), self.seed)

    def reset(self, to: str | None = None) -> None:
        snapshot = None if to is None else self.snapshots.named(to)
        for broker in self.brokers.values():
            broker.reset()
        if snapshot is not None:
            self.snapshots.restore(snapshot)
        self.violations.clear()
        self.record.clear()

    def stop_broker(
        self, protocol: str, *, hard: bool = False, seconds: float | None = None
    ) -> BrokerRestarted:
        return self.stopping.stop(protocol, hard=hard, seconds=seconds)

    def restart_broker(self, protocol: str, *, hard: bool = False) -> BrokerRestarted:
        return self.stopping.restart(protocol, hard=hard)

    def start_broker(self, protocol: str) -> None:
        self.stopping.start(protocol)

    def add_node(self, name: str) -> tuple[str, Sequence[Listener]]:
        return self.stopping.add(name)

    def remove_node(self, name: str, *, hard: bool = False) -> int:
        return self.stopping.remove(name, hard=hard)

    def show_certificate(self, *, expired: bool, seconds: float | None = None) -> None:
        self.stopping.show_certificate(expired=expired, seconds=seconds)

    def run(self, line: str, **options: Any) -> Result:
        """A line that has to succeed."""
        result = self.session.run(line, **options)
        assert result.ok, f"{line}: {result.as_text()}"
        json.loads(result.as_line())
        return result

    def refused(self, line: str, **options: Any) -> Result:
        """A line that has to fail."""
        result = self.session.run(line, **options)
        assert not result.ok, f"{line}: {result.as_text()}"
        return result

    def advance(self, seconds: float) -> None:
        self.time.advance(seconds)
        self.settle()

    def settle(self) -> None:
        for network in self.networks.values():
            network.settle()

    # Clients.

    def mqtt_client(
        self,
        name: str,
        *filters: str,
        qos: int = 1,
        version: int = 4,
        clean: bool = True,
        will: Will | None = None,
    ) -> FakeClient:
        client = self.networks["mqtt"].connect()
        client.send(encode_packet(Connect(name, version, clean_start=clean, will=will), version))
        if filters:
            requests = [Request(each, qos) for each in filters]
            client.send(encode_packet(Subscribe(1, requests), version))
        client.take()
        return client

    def mqtt_publish(self, client: FakeClient, topic: str, payload: bytes, qos: int = 0) -> None:
        client.send(encode_packet(Publish(topic, payload, qos, packet_id=9 if qos else 0), 4))

    def mqtt_leave(self, client: FakeClient) -> None:
        client.send(encode_packet(Disconnect(), 4))

    def amqp_client(self, name: str = "", vhost: str = "/") -> AmqpClient:
        client = AmqpClient(self.networks["amqp"])
        client.connect(name=name, vhost=vhost)
        return client.open()

    def kafka_client(self) -> FakeClient:
        return self.networks["kafka"].connect()

    def ask(self, client: FakeClient, request: Any, version: int, name: str = "order-svc") -> Any:
        """One Kafka request; returns its answer, None where it is parked."""
        self._correlation += 1
        client.send(encode_request(request, version, self._correlation, name))
        frames = client.connection.splitter(OUT).feed(client.take())
        return decode_response(frames[0], request.api_key, version)[1] if frames else None

    def join(
        self,
        group: str,
        name: str,
        topics: Mapping[str, list[int]],
        client: FakeClient | None = None,
    ) -> tuple[FakeClient, str]:
        """A member that joins alone and assigns itself these partitions."""
        client = client or self.kafka_client()
        wish = b"\0\0" + encode(ConsumerProtocolSubscription(topics=list(topics)), 0)
        request = JoinGroupRequest(
            group_id=group,
            session_timeout_ms=10_000,
            rebalance_timeout_ms=60_000,
            member_id="",
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=wish)],
        )
        joined = self.ask(client, request, 2, name)
        assigned = [TopicPartition(topic=each, partitions=parts) for each, parts in topics.items()]
        mine = b"\0\0" + encode(ConsumerProtocolAssignment(assigned_partitions=assigned), 0)
        sync = SyncGroupRequest(
            group_id=group,
            generation_id=joined.generation_id,
            member_id=joined.member_id,
            assignments=[SyncGroupRequestAssignment(member_id=joined.member_id, assignment=mine)],
        )
        self.ask(client, sync, 0, name)
        return client, joined.member_id

    def join_consumer_group(self, group: str, name: str, topic: str) -> None:
        """A member of the consumer protocol (KIP-848), which the broker assigns to."""
        request = ConsumerGroupHeartbeatRequest(
            group_id=group,
            member_id=name,
            member_epoch=0,
            rebalance_timeout_ms=60_000,
            subscribed_topic_names=[topic],
            topic_partitions=[],
        )
        self.ask(self.kafka_client(), request, 1, name)

    # Furniture.

    def _furnish(self) -> None:
        # The examples speak of c7.
        self.environment.last_connection = 6
        self.dev_7 = self.mqtt_client("dev-7", "sensors/#", will=Will("gone/dev-7", b""))
        for line in (
            "topic add orders -p 2",
            "topic add payments -p 1",
            "topic add accounts -p 1 --config cleanup.policy=compact",
            'pub kafka:orders[0] {"id": {{sequence}}} -k o-1 -H trace=abc -n 7',
            "pub kafka:payments paid",
            "pub mqtt:sensors/room1/temp 21.5 -r",
            "pub mqtt:sensors/room2/temp 22.5 -r",
            "queue add q.mail",
            "queue add q.inv",
            "exchange add events --type topic",
            "exchange add other",
            "bind events q.inv order.*",
            "bind events q.mail order.*",
            'pub amqp:events/order.paid {"order": 1} -n 3',
            "auth add KERBEROS hello",
            "redirect add old-* b.example:1883",
        ):
            self.run(line)
        for name, target in (("order-created", "kafka:orders"), ("sensors", "mqtt:sensors/a")):
            self.add_fixture(name, target)
        self.mqtt_leave(self.mqtt_client("dev-8", "sensors/#", clean=False))
        self.billing, self.member = self.join("billing", "order-svc", {"orders": [0, 1]})
        self.join("audit", "audit-svc", {"payments": [0]})
        transactions = self.kafka.cluster.transactions
        till = transactions.take("till-1", 60, client="till-svc")
        transactions.add_partitions("till-1", till, [("orders", 0)])
        transactions.take("till-2", 60, client="till-svc")
        self.web = self.amqp_client()
        self.worker = self.amqp_client()
        self.worker.send("basic.consume", queue="q.mail", consumer_tag="mail", arguments={})
        self.run("pub mqtt:sensors/room1/temp 23 -q 1")

    def _work_at_the_console(self) -> None:
        """What a person has saved, arranged to go wrong, and left running."""
        for line in (
            "filter save busy size>1k",
            "filter save errors has:error",
            "record start orders proto:kafka",
            "snapshot take seeded",
            "fault add delay client:nobody 250ms",
            "fault add drop client:nobody",
            "hold client:nobody",
            "hold client:nobody size>1k",
            "every 1m: topic ls",
            "every 2m: queue ls",
        ):
            self.run(line)
        for _ in range(3):
            self.hold_a_frame(self.holds.rules[1])

    def hold_a_frame(self, rule: HoldRule | None = None) -> None:
        row = Row("kafka", 0, "Produce", client="billing", destination="orders", size=20)
        self.holds.hold(rule or self.holds.add(hold(scope="topic:orders")), [row], Waiting())

    def add_fixture(self, name: str, target: str) -> None:
        self.production.engine.add(
            generator_of(
                name,
                parse_target(target),
                Payload("json", '{"n": "{{sequence}}"}'),
                key=None,
                per_second=2,
                files=False,
            )
        )

    def load_scenarios(
        self, *names: str, step: str = "{publish: {to: {mqtt: a}, value: 1}}", reset: bool = False
    ) -> None:
        """Scenarios of one step."""
        loaded = Loaded(Problems())
        more = "reset: true, " if reset else ""
        scenarios = ", ".join(f"{{name: {name}, {more}steps: [{step}]}}" for name in names)
        text = f"mockforge: 1\nscenarios: [{scenarios}]\n"
        for node in parse(Source("scene.yaml", text)):
            read_document(node, loaded)
        assert not loaded.problems.errors
        self.production.load(FixtureSet(scenarios=tuple(loaded.scenarios)), start=False)

    def _prepare_group(self, example: str) -> None:
        if example.startswith("group reset"):
            self.billing.vanish()
            self.advance(11)
        elif example.startswith("group assign"):
            self.join_consumer_group("stock", "stock-1", "orders")
        elif example.startswith("telemetry"):
            self._prepare_telemetry()

    def prepare(self, example: str) -> None:
        """Make true what an example takes for granted and what two of everything contradict."""
        if example.startswith(("group", "telemetry")):
            self._prepare_group(example)
        elif example.startswith("expect"):
            self._meet(example)
        elif example.startswith("chaos"):
            self.session.run("chaos stop" if "start" in example else "chaos start observe")
        elif example.startswith(("broker start", "broker rm")):
            prepare = self.stop_broker if "start" in example else self.add_node
            prepare(example.split()[2])
        elif example.startswith("scenario run"):
            self.load_scenarios("happy-order")
        elif example.startswith("vhost rm"):
            self.amqp.add_vhost("shop")
        elif example.startswith("policy rm"):
            self.amqp.set_policy("short", "^q", {"max-length": 1000})
        elif example.startswith(("rule rm", "acl rm", "quota rm")):
            self.access.add_rule(rule_of("allow alice read kafka:a"))
            self.kafka.alter_quota([("user", "alice")], {"producer_byte_rate": 1000.0})
        elif example.startswith("auto rm"):
            self.add_fixture("temps", "mqtt:a")

    def _prepare_telemetry(self) -> None:
        """Client `shop` was asked for all metrics, and pushed."""
        self.kafka.subscribe("all", {"metrics": "*"})
        telemetry, client = self.kafka.cluster.telemetry, {"client_id": "shop"}
        client |= dict.fromkeys(ATTRIBUTES[2:], "1")
        asked = telemetry.subscribe(bytes(15) + b"\x07", client, 1)
        telemetry.push(
            asked.instance_id,
            client,
            1,
            asked.subscription_id,
            0,
            ONE_METRIC,
            terminating=False,
        )

    def _meet(self, example: str) -> None:
        """Make true what an example of `expect` waits for."""
        if example.startswith("expect group"):
            self.billing.vanish()
            self.advance(11)
            self.run("group reset billing kafka:orders --to end")
        elif example.startswith("expect drained"):
            self.run("queue rm q.mail -y")
            self.run("queue add q.mail")
        elif example.startswith("expect fault"):
            self.faults.rules[1].hits = 1


def on_screen(*rows: Row) -> Scene:
    """A screen whose flow has these rows alone, numbered from 1."""
    scene = Scene(furnished=False, screen=True)
    for number, row in enumerate(rows, 1):
        row.seq = number
    scene.session.view.rows = list(rows)  # type: ignore[union-attr]
    return scene
