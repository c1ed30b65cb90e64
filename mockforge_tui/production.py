"""Carries messages between the fixtures and the brokers, both ways."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import MessageSeen, Warned
from mockforge_brokers.misbehaviour.rules import Rule

from .brokers import Brokers
from .entrance import publish
from .fixtures.addresses import glob, mqtt_matches
from .fixtures.engine import FixtureEngine
from .fixtures.maker import make, stream
from .fixtures.messages import Incoming, Outgoing, Watch, properties_of
from .fixtures.model import Binding, Exchange, FixtureSet, Queue, Retained, Topic
from .fixtures.rates import Range
from .fixtures.running import GeneratorStatus
from .fixtures.source.problems import FixtureError, Position, Problem
from .fixtures.templates.scope import Scope
from .simulated import Outages, SimulatedGroup

if TYPE_CHECKING:
    from mockforge_brokers.amqp.broker import AmqpBroker
    from mockforge_brokers.kafka.broker import KafkaBroker


class Production:
    """The fixture engine at work on the brokers."""

    def __init__(
        self,
        brokers: Brokers,
        environment: Environment,
        seed: int,
        time_scale: float | None = None,
    ) -> None:
        self._time_scale = time_scale
        self._groups: list[SimulatedGroup] = []
        self._outages: Outages | None = None
        self._brokers = brokers
        self._environment = environment
        self._seed = seed
        self._depth = 0
        self._watching: list[Callable[[], None]] = []
        self.engine = self._build(FixtureSet())

    def load(self, fixtures: FixtureSet, *, start: bool) -> None:
        """Declare what the fixtures need, watch what they react to, and perhaps begin."""
        self.stop()
        self.engine = self._build(fixtures)
        self._declare(fixtures)
        # Reactions to one exchange with different binding keys need one look at it.
        watches = {(w.protocol, w.kind, w.destination): w for w in self.engine.watched}
        for watch in watches.values():
            self._watch(watch, tuple(watches.values()))
        if start:
            self.engine.start_all()
            self._start_groups(fixtures)

    def stop(self) -> None:
        for unwatch in self._watching:
            unwatch()
        self._watching.clear()
        self.engine.close()
        for group in self._groups:
            group.stop()
        self._groups.clear()
        if self._outages is not None:
            self._outages.stop()
            self._outages = None

    def _start_groups(self, fixtures: FixtureSet) -> None:
        kafka, environment = self._brokers.kafka, self._environment
        for group in fixtures.groups if kafka is not None else ():
            random = stream(self._seed, f"group {group.group}")
            assert kafka is not None
            simulated = SimulatedGroup(group, kafka, environment.clock, environment.spine, random)
            self._groups.append(simulated)
            simulated.start()

    def lasting(self, rule: Rule, lasts: Range) -> None:
        """Let a rule that fires be in force for so many seconds without chance."""
        if self._outages is None:
            random = stream(self._seed, "outages")
            self._outages = Outages(self._environment.clock, self._environment.spine, random)
        self._outages.add(rule, lasts)

    def status(self) -> Sequence[GeneratorStatus]:
        return self.engine.status()

    def _build(self, fixtures: FixtureSet) -> FixtureEngine:
        environment = self._environment
        return FixtureEngine(
            fixtures,
            environment.clock,
            self._publish,
            seed=self._seed,
            notify=environment.spine.emit,
            time_scale=self._time_scale,
        )

    def _publish(self, message: Outgoing) -> None:
        # Watchers are called while the message enters: what they see has this message's depth.
        before, self._depth = self._depth, message.depth
        try:
            publish(self._brokers, message)
        finally:
            self._depth = before

    def _declare(self, fixtures: FixtureSet) -> None:
        for position, declare in declarations(self._brokers, fixtures):
            try:
                declare()
            except InvalidInput as error:
                raise FixtureError([Problem("error", position, str(error))]) from None
        for protocol in _protocols(fixtures) - set(self._brokers):
            text = "not served here: its fixtures stay idle"
            self._environment.spine.emit(Warned(protocol, protocol, text))

    def _watch(self, watch: Watch, watches: Sequence[Watch]) -> None:
        broker = self._brokers.get(watch.protocol)
        if broker is None:
            return

        def on_message(event: MessageSeen) -> None:
            if _first(watches, watch, event):
                self.engine.on_message(_incoming(event, watch, self._depth))

        destination: str | None = watch.destination
        if watch.kind == "queue":
            destination = f"queue:{watch.destination}"
        elif watch.kind == "topic" and "*" in watch.destination:
            destination = None
        self._watching.append(broker.watch(on_message, destination))


def _protocols(fixtures: FixtureSet) -> set[str]:
    return {target.protocol for each in fixtures.generators for target in each.targets}


def declarations(
    brokers: Brokers, fixtures: FixtureSet
) -> Iterator[tuple[Position, Callable[[], object]]]:
    """What the fixtures need: its place, and what declares it or raises InvalidInput."""
    if brokers.kafka is not None:
        yield from _of_kafka(brokers.kafka, fixtures)
    if brokers.mqtt is not None:
        for retained in fixtures.retained:
            yield retained.position, partial(_retain, brokers, retained)
    if brokers.amqp is not None:
        yield from _of_amqp(brokers.amqp, fixtures)


def _of_kafka(
    kafka: "KafkaBroker", fixtures: FixtureSet
) -> Iterator[tuple[Position, Callable[[], object]]]:
    if fixtures.cluster_id is not None:
        text, position = fixtures.cluster_id
        yield position, partial(setattr, kafka.cluster, "cluster_id", text)
    for topic in fixtures.topics:
        yield topic.position, partial(_declare_topic, kafka, topic)


def _of_amqp(
    amqp: "AmqpBroker", fixtures: FixtureSet
) -> Iterator[tuple[Position, Callable[[], object]]]:
    for each in fixtures.definitions:
        yield each.position, partial(amqp.define, each.section, each.item)
    for exchange in fixtures.exchanges:
        yield exchange.position, partial(_declare_exchange, amqp, exchange)
    for queue in fixtures.queues:
        yield queue.position, partial(_declare_queue, amqp, queue)
    for binding in fixtures.bindings:
        yield binding.position, partial(_bind, amqp, binding)


def _retain(brokers: Brokers, retained: Retained) -> None:
    scope = Scope(Random(0), time.time, environ=os.environ)
    for message in make(retained.body, scope, "fixtures"):
        publish(brokers, message)


def _declare_topic(kafka: "KafkaBroker", topic: Topic) -> None:
    if not kafka.has_topic(topic.name):
        kafka.create_topic(topic.name, topic.partitions, topic.config)


def _declare_exchange(amqp: "AmqpBroker", exchange: Exchange) -> None:
    amqp.declare_exchange(
        exchange.name,
        exchange.type,
        durable=exchange.durable,
        auto_delete=exchange.auto_delete,
        internal=exchange.internal,
        arguments=exchange.arguments,
    )


def _declare_queue(amqp: "AmqpBroker", queue: Queue) -> None:
    amqp.declare_queue(
        queue.name,
        durable=queue.durable,
        auto_delete=queue.auto_delete,
        arguments=queue.arguments,
    )


def _bind(amqp: "AmqpBroker", binding: Binding) -> None:
    amqp.bind(binding.exchange, binding.queue, binding.routing_key, binding.arguments)


def _matches(watch: Watch, event: MessageSeen) -> bool:
    match watch.kind:
        case "topic":
            return glob(watch.destination).fullmatch(event.destination) is not None
        case "filter":
            return mqtt_matches(watch.destination, event.destination)
        case "exchange":
            return watch.destination == event.destination
        case "queue":
            return False


def _first(watches: Sequence[Watch], watch: Watch, event: MessageSeen) -> bool:
    """Whether `watch` is the one that hands this message on, where several overlap."""
    if watch.kind == "queue":
        return True
    for other in watches:
        if other.protocol == watch.protocol and _matches(other, event):
            return (other.kind, other.destination) == (watch.kind, watch.destination)
    return False


def _incoming(event: MessageSeen, watch: Watch, depth: int) -> Incoming:
    detail = event.detail
    queue = watch.destination if watch.kind == "queue" else None
    return Incoming(
        protocol=watch.protocol,
        # What a queue is watched for must not count as seen at its exchange too.
        destination=f"queue:{queue}" if queue else event.destination,
        payload=event.payload,
        key=event.key,
        headers=dict(event.headers),
        partition=detail.get("partition"),
        qos=detail.get("qos", 0),
        retain=bool(detail.get("retain", False)),
        routing_key=detail.get("routing_key", ""),
        queues=(queue,) if queue else (),
        properties=properties_of(watch.protocol, detail),
        client=event.client,
        depth=depth,
    )
