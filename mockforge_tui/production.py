"""Carries messages between the fixtures and the brokers, both ways."""

from collections.abc import Callable, Collection, Iterator, Sequence

from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import MessageSeen, Warned

from .brokers import Brokers
from .entrance import publish
from .fixtures.addresses import glob, mqtt_matches
from .fixtures.engine import FixtureEngine
from .fixtures.maker import stream
from .fixtures.messages import Incoming, Outgoing, Watch, properties_of
from .fixtures.model import FixtureSet
from .fixtures.not_kept import not_kept
from .fixtures.running import GeneratorStatus
from .fixtures.source.problems import FixtureError, Position, Problem
from .protocols import amqp, kafka, mqtt
from .protocols.kafka_groups import SimulatedGroup


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
        self._brokers = brokers
        self._environment = environment
        self._seed = seed
        self._depth = 0
        self._watching: list[Callable[[], None]] = []
        self.engine = self._build(FixtureSet())

    def load(
        self, fixtures: FixtureSet, *, start: bool, only: Collection[str] | None = None
    ) -> None:
        """Declare what the fixtures need, watch what they react to, and perhaps begin.

        Of generators these ids `only`, where they are given: those that ran when the snapshot was
        taken which the brokers were given back, and which has all that is kept. Raises
        FixtureError for what cannot be declared.
        """
        self.stop()
        self.engine = self._build(fixtures)
        restored = only is not None
        # Half a snapshot helps nobody: generators, reactions and faults are to come yet.
        self._declare(not_kept(fixtures) if restored else fixtures, refusals=not restored)
        self._begin(fixtures, start=start, only=only)

    def exchange(self, fixtures: FixtureSet, *, start: bool) -> None:
        """As `load`, but what ran goes on where these cannot be declared. Raises FixtureError.

        What was declared before that stays.
        """
        self._declare(fixtures._replace(retained=(), cluster_id=None))
        self.stop()
        self.engine = self._build(fixtures)
        # This takes the place of what clients see, and is published: nothing stops it any more, nor
        # do the reactions from before answer it.
        after = FixtureSet(retained=fixtures.retained, cluster_id=fixtures.cluster_id)
        self._declare(after, refusals=False)
        self._begin(fixtures, start=start)

    def _begin(
        self, fixtures: FixtureSet, *, start: bool, only: Collection[str] | None = None
    ) -> None:
        # Reactions to one exchange with different binding keys need one look at it.
        watches = {(w.protocol, w.kind, w.destination): w for w in self.engine.watched}
        for watch in watches.values():
            self._watch(watch, tuple(watches.values()))
        if start or only is not None:
            # Whoever began them by hand has them again.
            self.engine.start_all(only)
        if start:
            self._start_groups(fixtures)

    def stop(self) -> None:
        for unwatch in self._watching:
            unwatch()
        self._watching.clear()
        self.engine.close()
        for group in self._groups:
            group.stop()
        self._groups.clear()

    def _start_groups(self, fixtures: FixtureSet) -> None:
        broker, environment = self._brokers.kafka, self._environment
        if broker is None:
            return
        for group in fixtures.groups:
            random = stream(self._seed, f"group {group.group}")
            simulated = SimulatedGroup(group, broker, environment.clock, environment.spine, random)
            self._groups.append(simulated)
            simulated.start()

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

    def _declare(self, fixtures: FixtureSet, *, refusals: bool = True) -> None:
        """With `refusals` FixtureError says what cannot be declared, else a warning does."""
        for position, declare in declarations(self._brokers, fixtures):
            try:
                text = declare()
            except InvalidInput as error:
                if refusals:
                    raise FixtureError([Problem("error", position, str(error))]) from None
                text = str(error)
            if text is not None:
                self._environment.spine.emit(Warned("fixtures", str(position), text))
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
) -> Iterator[tuple[Position, Callable[[], str | None]]]:
    """What the fixtures need: its place, and what declares it or raises InvalidInput.

    That returns how it differs, where something else of this name is there and stays.
    """
    if brokers.kafka is not None:
        yield from kafka.declarations(brokers.kafka, fixtures)
    if brokers.mqtt is not None:
        yield from mqtt.declarations(brokers.mqtt, fixtures)
    if brokers.amqp is not None:
        yield from amqp.declarations(brokers.amqp, fixtures)


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
