"""Plays fixtures on brokers of their own before the real ones open: `check` and every start do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput, RequestRefused
from mockforge_brokers.events import Warned

from .config import Config
from .entrance import publish
from .fixtures.loader import StrPath, read
from .fixtures.model import FixtureSet
from .fixtures.report import Report
from .fixtures.source.fields import Problems
from .fixtures.source.problems import FixtureError, Position, RenderError
from .fixtures.trial import MOMENT, Trial
from .production import declarations
from .runtime import build_brokers


def read_fixtures(paths: Iterable[StrPath], config: Config) -> Report:
    """The fixtures of files and folders, with all that is wrong with them or not acted on.

    An error is what a start with this config refuses too. Nothing listens, nothing stays.
    """
    return _rehearsed(*read(paths), config)


def rehearse(fixtures: FixtureSet, config: Config) -> FixtureSet:
    """Fixtures that were read, with what a rehearsal adds to their warnings.

    Raises FixtureError for what a start refuses.
    """
    problems = Problems()
    problems.warnings.extend(fixtures.warnings)
    report = _rehearsed(fixtures, problems, config)
    if report.errors:
        raise FixtureError(report.errors)
    return report.fixtures


def _rehearsed(fixtures: FixtureSet, problems: Problems, config: Config) -> Report:
    if not problems.errors:
        _Rehearsal(fixtures.complete(config), problems).play(fixtures)
        fixtures = fixtures._replace(warnings=tuple(problems.warnings))
    found = sorted((*problems.errors, *problems.warnings), key=lambda one: one.position)
    return Report(fixtures, tuple(found))


class _Rehearsal:
    def __init__(self, config: Config, problems: Problems) -> None:
        self._problems = problems
        self._heard: dict[str, None] = {}
        environment = Environment.create(
            ManualClock(MOMENT), seed=0, limits=config.limits, journal=False
        )
        self._brokers = build_brokers(environment, config)
        environment.spine.watch(self._hear, Warned)

    def _hear(self, event: Warned) -> None:
        self._heard[f"{event.about}: {event.text}"] = None

    def play(self, fixtures: FixtureSet) -> None:
        """Declare everything, then publish each generator's first messages."""
        for position, declare in declarations(self._brokers, fixtures):
            with self._listening(position):
                try:
                    text = declare()
                except InvalidInput as error:
                    self._problems.error(position, str(error))
                else:
                    if text is not None:
                        self._problems.warning(position, text)
        self._count_replicas(fixtures)
        trial = Trial()
        for generator in fixtures.generators:
            # Data that only a later message brings (`context.`) is nobody's fault.
            if generator.waits_for:
                continue
            with self._listening(generator.position):
                try:
                    for message in trial.messages(generator):
                        publish(self._brokers, message)
                except RenderError:
                    # Loading reported it.
                    continue
                except (InvalidInput, RequestRefused) as error:
                    text = f'"{generator.id}" cannot publish: {error}'
                    self._problems.warning(generator.position, text)

    def _count_replicas(self, fixtures: FixtureSet) -> None:
        """Warn of topics that want more replicas than there are nodes."""
        kafka = self._brokers.kafka
        nodes = 0 if kafka is None else kafka.options.nodes
        there = (
            "there is one broker, each partition has one replica"
            if nodes == 1
            else f"there are {nodes} brokers, each partition has {nodes} replicas"
        )
        for topic in fixtures.topics if nodes else ():
            if topic.replication_factor is not None and topic.replication_factor > nodes:
                self._problems.warning(
                    topic.position,
                    f'topic "{topic.name}": replication_factor {topic.replication_factor} is not'
                    f" kept: {there}",
                )

    @contextmanager
    def _listening(self, position: Position) -> Iterator[None]:
        """What a broker warns of meanwhile is a warning about this place."""
        self._heard.clear()
        try:
            yield
        finally:
            for text in self._heard:
                self._problems.warning(position, text)
