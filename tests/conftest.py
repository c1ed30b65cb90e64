"""What all tests have: `--one-in N` (of the cases of a test marked `table` one of N, others on each
Python), a collector that sees everything, and an end with each test of what no collector sees."""

import gc
import sys
from collections.abc import Generator, Iterator
from itertools import groupby
from typing import Any
from weakref import WeakSet

import pytest
from hypothesis import HealthCheck, settings
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.state.queues.stream import StreamQueue
from mockforge_brokers.journal import Journal

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("mockforge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mockforge")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--one-in",
        type=int,
        default=1,
        metavar="N",
        help="run one of N cases of what is marked `table`; all of them unless given",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    step = config.getoption("--one-in")
    first = sys.version_info.minor % step
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for _, group in groupby(items, lambda item: item.nodeid.partition("[")[0]):
        cases = list(group)
        if step == 1 or len(cases) < step or cases[0].get_closest_marker("table") is None:
            kept += cases
            continue
        for number, case in enumerate(cases):
            (kept if number % step == first else left_out).append(case)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nothing that is made here is garbage, and there are 600,000 objects of it: to look for it
    meanwhile takes a third of the time, and with each full collection half a second."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
        # A start in this process puts all that lives out of the collector's sight, for a run's
        # speed: what of it became garbage in cycles would stay for thousands of tests. And its end
        # would put back what tests are made of.
        gc.freeze = gc.unfreeze = _nothing


def _nothing() -> None: ...


_freeze = gc.freeze


@pytest.fixture
def frozen_by_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start freezes what lives, as in a user's process; it stays so."""
    monkeypatch.setattr(gc, "freeze", _freeze)


_made: WeakSet[Journal | AmqpBroker] = WeakSet()


def _note(kind: type[Journal] | type[AmqpBroker]) -> None:
    make: Any = kind.__init__

    def make_noted(self: Journal | AmqpBroker, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        _made.add(self)

    kind.__init__ = make_noted  # type: ignore[method-assign]


_note(Journal)
_note(AmqpBroker)


@pytest.fixture(autouse=True)
def _what_no_collector_sees_ends() -> Iterator[None]:
    """The collector sees neither a journal's chunks nor AMQP's messages, which know their queue:
    with them whole brokers would stay, for thousands of tests. Those of fixtures for several
    tests are there before."""
    # Nothing may hold those of tests before: what is garbage is mostly collected amid a test.
    _made.clear()
    yield
    for each in list(_made):
        if isinstance(each, Journal):
            each.clear()
        else:
            _empty(each)


def _empty(broker: AmqpBroker) -> None:
    """Have none of its messages know it, and say nothing to anybody."""
    for connection in broker._all():
        for message in connection.unacked():
            message.queue = message.consumer = message.route = None  # type: ignore[assignment]
    for vhost in broker.vhosts.values():
        for queue in vhost.queues.values():
            if isinstance(queue, StreamQueue):
                queue.take_all()
            else:
                queue.messages.clear()
