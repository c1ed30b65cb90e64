"""The brokers with all that belongs to them, built from one config for every front end."""

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from random import Random
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any

from mockforge_brokers import __version__
from mockforge_brokers.access import Access
from mockforge_brokers.clock import AdjustableClock, LoopClock
from mockforge_brokers.ended import EndedConnections
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import BrokerRestarted, Warned
from mockforge_brokers.fairness import Chores
from mockforge_brokers.journal import Journal
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.holds import Holds
from mockforge_brokers.misbehaviour.rules import Faults
from mockforge_brokers.protocols import title_of
from mockforge_brokers.spine import Spine
from mockforge_brokers.transport import Server
from mockforge_brokers.usage import Usage

from .accounts import fill, named
from .bodies import Bodies
from .brokers import Brokers
from .config import Config
from .entrance import Receipt, publish
from .listeners import Listeners
from .loops import LOOPS
from .protocols import amqp, kafka, mqtt
from .stopping import Stopping
from .violations import Violations

if TYPE_CHECKING:
    from mockforge_brokers.storage.folder import DataFolder
    from mockforge_brokers.storage.store import Store

    from .console.chaos.run import Run
    from .expectations.record import Record
    from .fixtures.messages import Outgoing
    from .fixtures.model import FixtureSet
    from .production import Production
    from .recordings import Recordings
    from .snapshots import Snapshot, Snapshots

_log = logging.getLogger(__name__)

_LAG_EVERY = 0.5


class Runtime:
    """Three brokers on one loop, their clock, spine, journal, faults and holds, and the fixtures.

    Build it inside a running loop, `start` it, and `stop` it. `notices` are what a start has to
    say; `next_free` is for `Listeners`.
    """

    def __init__(self, config: Config, *, next_free: bool = False) -> None:
        self.config = config
        self.notices: list[str] = []
        self.loop_lag = 0.0
        self._loop = asyncio.get_running_loop()
        LOOPS.add(self._loop)
        self.seed = config.seed if config.seed is not None else int.from_bytes(os.urandom(4), "big")
        self.clock = AdjustableClock(LoopClock(self._loop))
        self.environment = Environment.create(
            self.clock,
            seed=self.seed,
            limits=config.limits,
            journal=config.journal,
        )
        self.bodies = Bodies(self.environment.usage)
        self.violations = Violations(self.spine)
        if not config.busy_poll or current_thread() is not main_thread():
            # In a thread the clients may be those of this process, which could not run meanwhile.
            self.environment.busy_poll = 0.0
        self._forget_schemas: Callable[[], None] | None = None
        if config.schemas:
            # Not loaded where there are none: a start must be quick.
            from .schemas import give

            self._forget_schemas = give(config.schemas)
        self.data: DataFolder | None = None
        try:
            self.data = self._data_folder()
            self.brokers = build_brokers(self.environment, config)
            servers = {
                protocol: Server(broker, self.environment)
                for protocol, broker in self.brokers.items()
            }
            self.listeners = Listeners(
                config, self.brokers, servers, self.notices, next_free=next_free
            )
        except BaseException:
            # Nobody gets a runtime to be stopped, and the folder is free for the next one.
            if self.data is not None:
                self.data.close()
            if self._forget_schemas is not None:
                self._forget_schemas()
            raise
        self.chaos: list[Run] = []
        """The newest run of presets, whichever front end began it."""
        self._production: Production | None = None
        self._record: Record | None = None
        self._recordings: Recordings | None = None
        self._snapshots: Snapshots | None = None
        self._fixtures: FixtureSet | None = None
        self._lag_timer: asyncio.TimerHandle | None = None
        self._stopping = Stopping(self.brokers, servers, self.listeners, self.clock, self.spine)

    def _data_folder(self) -> "DataFolder | None":
        if self.config.data_dir is None:
            return None
        from mockforge_brokers.storage.folder import DataFolder

        call = self._loop.call_soon_threadsafe
        path = Path(self.config.data_dir)
        through = self.config.data_sync == "commit"
        return DataFolder(path, self.environment, call, self.config.data_commit, through=through)

    @property
    def spine(self) -> Spine:
        return self.environment.spine

    @property
    def chores(self) -> Chores:
        return self.environment.chores

    @property
    def journal(self) -> Journal | None:
        return self.environment.journal

    @property
    def access(self) -> Access:
        return self.environment.access

    @property
    def store(self) -> "Store | None":
        return self.environment.store

    @property
    def usage(self) -> Usage:
        return self.environment.usage

    @property
    def ended(self) -> EndedConnections:
        return self.environment.ended

    @property
    def faults(self) -> Faults:
        return self.environment.faults

    @property
    def holds(self) -> Holds:
        return self.environment.holds

    @property
    def production(self) -> "Production":
        """Fixtures at work; made when first asked for, since a start without any must be quick."""
        if self._production is None:
            from .production import Production

            self._production = Production(
                self.brokers, self.environment, self.seed, self.config.time_scale
            )
        return self._production

    @property
    def record(self) -> "Record":
        """The messages that entered; it keeps none before it is started."""
        if self._record is None:
            from .expectations.record import MOST, Record

            most = self.config.keep_messages or MOST
            self._record = Record(self.brokers, most, self.journal)
        return self._record

    @property
    def recordings(self) -> "Recordings":
        """Messages written down by name; a reset leaves them as they are."""
        if self._recordings is None:
            from .recordings import Recordings

            self._recordings = Recordings(self.brokers, self.clock, self.seed)
        return self._recordings

    @property
    def snapshots(self) -> "Snapshots":
        """What brokers kept, by name; a reset leaves them as they are."""
        if self._snapshots is None:
            from .snapshots import Snapshots

            self._snapshots = Snapshots(self.brokers, self.clock)
        return self._snapshots

    @property
    def fixtures(self) -> "FixtureSet | None":
        """Those that are loaded."""
        return self._fixtures

    async def start(self, fixtures: "FixtureSet | None" = None) -> None:
        """Listen everywhere, then load fixtures and produce. Raises CannotListen."""
        if self.data is not None:
            self.notices += self.data.take_up(self.brokers.values(), named(self.config))
        if self.brokers.kafka is not None:
            self.notices += self.brokers.kafka.notices
        self.notices += [
            f"{title_of(name)} is like release {release} (--{name}-as-version)"
            for name, release in other_releases(self.config).items()
        ]
        if self.config.record:
            self.recordings.start("record", path=self.config.record, late=True)
        await self.listeners.open()
        if self.config.keep_messages:
            self.record.start()
        self._load(fixtures)
        self._watch_lag()

    def open_recording(self) -> None:
        """Write `--record`'s file from here on: until all ports are open, it stays as it was.

        Raises InvalidInput.
        """
        if self.config.record:
            self.recordings["record"].open()

    def take_snapshot(self, name: str) -> "Snapshot":
        """Keep what the brokers keep over a restart, for `reset`. Raises InvalidInput."""
        if self.store is not None:
            raise InvalidInput("no snapshots with --data-dir: going back would not be on disk")
        status = () if self._production is None else self._production.status()
        producing = [each.id for each in status if each.on]
        return self.snapshots.take(name, self._fixtures, producing, self.seed)

    def reset(self, to: str | None = None) -> None:
        """Back to the state right after loading, or to a snapshot, at once. Raises InvalidInput.

        All connections end, and whatever the brokers held, what was kept of messages, faults,
        holds, a chaos run and changes to fixtures are gone; the fixtures begin anew with the same
        seed. Brokers and nodes that were stopped run again, and a certificate that expired holds.
        Users, rules, limits and the clock stay as they are, and the record keeps messages from now
        on.
        """
        if to is None:
            self._reset(self._fixtures)
            return
        snapshot = self.snapshots.named(to)
        self.seed = snapshot.seed
        self._reset(snapshot.fixtures, snapshot)

    def load(self, fixtures: "FixtureSet | None", seed: int | None = None) -> None:
        """As `reset`, with other fixtures, and perhaps another seed for them."""
        if seed is not None:
            self.seed = seed
        self._warn_of_nodes(fixtures)
        self._reset(fixtures)

    def reload(self, fixtures: "FixtureSet") -> None:
        """Go on with other fixtures: connections, messages and what people added stay as they are.

        Generators begin anew; faults and holds of the files before are replaced. Raises
        FixtureError where what is there is in the way, and then those before go on, beside what
        was declared before that.
        """
        self.production.exchange(fixtures, start=self.config.auto_produce)
        before = self._fixtures
        if before is not None:
            faults, holds = ({e.id for e in before.faults}, {e.id for e in before.holds})
            for number in [n for n, rule in self.faults.rules.items() if rule.name in faults]:
                self.faults.remove(number)
            for number in [n for n, rule in self.holds.rules.items() if rule.name in holds]:
                self.holds.remove(number)
        self._warn_of_nodes(fixtures)
        self._fixtures = fixtures
        self._misbehave(fixtures)

    def beyond(self, fixtures: "FixtureSet | None") -> str:
        """What other fixtures want that only a new start gives: a cluster that runs never grows.

        What the first fixtures say is not compared: an option may have been given against it.
        """
        kafka, before = self.brokers.kafka, self._fixtures
        wanted = None if fixtures is None else fixtures.kafka_nodes
        if kafka is None or wanted is None or wanted == kafka.options.nodes:
            return ""
        if before is not None and before.kafka_nodes == wanted:
            return ""
        return f"brokers {wanted} takes a new start: {kafka.options.nodes} here now"

    def _warn_of_nodes(self, fixtures: "FixtureSet | None") -> None:
        if text := self.beyond(fixtures):
            self.spine.emit(Warned("kafka", "kafka: cluster", text))

    def _reset(self, fixtures: "FixtureSet | None", snapshot: "Snapshot | None" = None) -> None:
        if self._production is not None:
            self._production.stop()
            self._production = None
        self._end_chaos()
        self.faults.clear()
        self.holds.clear()
        for broker in self.brokers.values():
            broker.reset()
        self._stopping.undo()
        if snapshot is not None:
            self.snapshots.restore(snapshot)
        self.violations.clear()
        self.record.clear()
        self.record.start()
        self._load(fixtures, None if snapshot is None else snapshot.producing)

    def _load(
        self, fixtures: "FixtureSet | None", producing: Collection[str] | None = None
    ) -> None:
        """`producing` are the generators that begin; None: as the files and options say."""
        self._fixtures = fixtures
        if fixtures is None:
            return
        self.production.load(fixtures, start=self.config.auto_produce, only=producing)
        self._misbehave(fixtures)

    def _misbehave(self, fixtures: "FixtureSet") -> None:
        """Put the rules of fixture files into force."""
        if fixtures.faults:
            from .fixtures.native.faults import rule_of

            for fault in fixtures.faults:
                self.faults.add(rule_of(fault))
        if fixtures.holds:
            from .fixtures.native.holds import hold_rule_of
            from .fixtures.templates.scope import Scope

            scope = Scope(Random(self.seed), self.clock.wall, environ=os.environ)
            for hold in fixtures.holds:
                self.holds.add(hold_rule_of(hold, scope))

    async def stop(self) -> None:
        """End production, close all connections and ports."""
        if self._lag_timer is not None:
            self._lag_timer.cancel()
        if self._production is not None:
            self._production.stop()
        self._end_chaos()
        self.holds.clear()
        self._stopping.cancel()
        await self.listeners.close()
        if self._recordings is not None:
            # Last wills of the connections that ended are in them, too.
            self._recordings.stop_all()
        if self.data is not None:
            self.data.close()
        self.listeners.forget_certificates()
        if self._forget_schemas is not None:
            self._forget_schemas()
        self.usage.report()
        if self.journal is not None:
            self.journal.clear()

    def _end_chaos(self) -> None:
        """Or its next lines would come when its faults are gone."""
        for run in self.chaos:
            run.end()

    def forget(self) -> None:
        """Let go of all messages once it has stopped, in a process that lives on.

        What queues hold refers back to them where no collector sees it (`gc=False`, for speed):
        brokers that nobody uses any more would stay. On disk nothing changes.
        """
        if self.data is None:
            for broker in self.brokers.values():
                broker.reset()
        self.record.clear()
        if self.journal is not None:
            self.journal.clear()

    def stop_broker(
        self, name: str, *, hard: bool = False, seconds: float | None = None
    ) -> BrokerRestarted:
        """A broker, or a node of it (`kafka/2`): end its connections and refuse new ones.

        It starts again by itself after so many seconds, else by `start_broker`. Raises
        InvalidInput for one that does not run.
        """
        return self._stopping.stop(name, hard=hard, seconds=seconds)

    def restart_broker(self, name: str, *, hard: bool = False) -> BrokerRestarted:
        """A broker or node: its connections end, and it accepts new ones. Raises InvalidInput."""
        return self._stopping.restart(name, hard=hard)

    def start_broker(self, name: str) -> None:
        """Accept connections again, at the same ports. Raises InvalidInput."""
        self._stopping.start(name)

    def add_node(self, name: str) -> tuple[str, Sequence[Listener]]:
        """Another node of a cluster (`kafka/4`, or `kafka`: the next one), and where it listens.

        Raises InvalidInput.
        """
        return self._stopping.add(name)

    def remove_node(self, name: str, *, hard: bool = False) -> int:
        """A node goes for good; returns how many connections it had. Raises InvalidInput."""
        return self._stopping.remove(name, hard=hard)

    def show_certificate(self, *, expired: bool, seconds: float | None = None) -> None:
        """What the next TLS handshakes meet, for so long where a time is given.

        Raises InvalidInput where that cannot be chosen.
        """
        self._stopping.show_certificate(expired=expired, seconds=seconds)

    def publish(self, message: "Outgoing") -> Receipt:
        """Publish as if a client had. Raises InvalidInput."""
        return publish(self.brokers, message)

    def facts(self) -> dict[str, Any]:
        """What the ready line says of the brokers."""
        head = {"version": __version__, "pid": os.getpid(), "seed": self.seed}
        releases = other_releases(self.config)
        profile = {"as_version": releases} if releases else {}
        return {**head, **profile, **self.listeners.facts()}

    def _watch_lag(self) -> None:
        due = self._loop.time() + _LAG_EVERY

        def look() -> None:
            self.loop_lag = max(0.0, self._loop.time() - due)
            self._watch_lag()

        self._lag_timer = self._loop.call_at(due, look)


def other_releases(config: Config) -> dict[str, str]:
    """By protocol: the release that its broker is like, where that is not the usual one."""
    usual = Config()
    releases = {
        "kafka": (config.kafka, config.kafka_as_version, usual.kafka_as_version),
        "amqp": (config.amqp, config.amqp_as_version, usual.amqp_as_version),
    }
    return {
        name: chosen
        for name, (served, chosen, default) in releases.items()
        if served and chosen != default
    }


def build_brokers(environment: Environment, config: Config) -> Brokers:
    """A broker for each protocol that the config serves; raises ConfigError."""
    fill(environment.access, config)
    return Brokers(
        kafka.build(environment, config) if config.kafka else None,
        mqtt.build(environment, config) if config.mqtt else None,
        amqp.build(environment, config) if config.amqp else None,
    )
