"""`mockforge-tui sample`: what fixtures would make, on brokers of their own with no port open."""

from collections.abc import Iterator, Sequence

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import MessageSeen
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.protocols import protocol_of

from ..config import Config
from ..console.exports import FORMS
from ..fixtures.model import FixtureSet
from ..fixtures.source.problems import did_you_mean
from ..fixtures.trial import MOMENT
from ..production import Production
from ..runtime import build_brokers
from ..text import clean, decode

_STEP = 0.1
"""Seconds between looks at what came."""
_LONGEST = 86_400.0
"""Seconds of nothing after which nothing more is expected."""


def sample(
    fixtures: FixtureSet, config: Config, count: int, only: Sequence[str] = ()
) -> Iterator[tuple[float, Row]]:
    """The first `count` messages with their seconds since the start, reactions' among them.

    Generators keep their rates on a clock that does not wait; those that have none are played
    where nothing else makes messages, or `only` names them. Raises InvalidInput.
    """
    seed = config.seed if config.seed is not None else fixtures.seed or 0
    clock = ManualClock(MOMENT)
    environment = Environment.create(clock, seed=seed, limits=config.limits, journal=False)
    brokers = build_brokers(environment, config)
    production = Production(brokers, environment, seed, config.time_scale)
    seen: list[tuple[float, Row]] = []
    for broker in brokers.values():
        broker.watch(lambda event: seen.append((clock.now(), _row(event))))
    production.load(fixtures, start=False)
    engine = production.engine
    known = list(engine.names())
    for name in only:
        if name not in known:
            raise InvalidInput(f'there is no fixture "{name}"{did_you_mean(name, known)}')
    chosen = [each for each in fixtures.generators if not only or each.id in only]
    running = [each.id for each in chosen if each.enabled and not each.waits_for]
    for name in running:
        engine.start(name)
    if not running:
        by_hand = [each.id for each in chosen if not each.waits_for]
        _play(production, by_hand, count)
    silent = 0.0
    shown = 0
    while shown < count and silent < _LONGEST:
        clock.advance(_STEP)
        silent = _STEP + silent if len(seen) == shown else 0.0
        yield from seen[shown:count]
        shown = len(seen)
    production.stop()


def _play(production: Production, names: Sequence[str], count: int) -> None:
    for _ in range(count if names else 0):
        for name in names:
            production.engine.emit(name)


def lines(found: Iterator[tuple[float, Row]], form: str) -> Iterator[bytes]:
    """What to write of each message: `text` is for people, the others are those of `export`."""
    write = None if form == "text" else FORMS[form]({})
    for seconds, row in found:
        yield _as_text(seconds, row) if write is None else write(row)


def _as_text(seconds: float, row: Row) -> bytes:
    where = row.destination
    if protocol_of(row.protocol).routed:
        where = f"{where or '(default)'}/{row.detail.get('routing_key', '')}"
    key = "" if row.key is None else f" key={decode(row.key)}"
    body = "(null)" if row.payload is None else decode(row.payload)
    return f"{seconds:9.3f}s  {row.protocol}:{clean(where)}{key}  {body}\n".encode()


def _row(event: MessageSeen) -> Row:
    return Row(
        protocol=event.protocol,
        direction=IN,
        operation="publish",
        kind="message",
        destination=event.destination,
        key=event.key,
        payload=event.payload,
        headers=event.headers,
        detail=dict(event.detail),
        time=event.time,
        client=event.client,
    )
