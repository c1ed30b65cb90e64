"""Requests that name much: handled in steps, between which others have their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeVar

from ...errors import ProtocolError
from ...fairness import Stepped, Steps
from ..state.purgatory import Parked
from .caller import Caller

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")
_FEW: Final = 32
"""Steps after which an answer is small enough to be encoded at once."""


def each(make: Callable[[A], B], items: Iterable[A]) -> Stepped[list[B]]:
    """What is made of each of them, a step for each: `items` must stay as they are meanwhile."""
    made = []
    for item in items:
        made.append(make(item))
        yield
    return made


def few(caller: Caller, steps: Stepped[T]) -> T | None:
    """What so few steps come to that what is made of it is little, too; None: there are more."""
    turn = caller.environment.turn
    try:
        for _ in range(_FEW):
            next(steps)
            if turn.now() > turn.until:
                return None
    except StopIteration as end:
        made: T = end.value
        return made
    return None


def worked(
    caller: Caller, steps: Stepped[T | Parked[T]], *, to_the_end: bool = False
) -> T | Parked[T]:
    """What the steps come to: at once where this turn has the time, else after others had theirs.

    The client's next request waits for the answer, as it does behind a long poll. Raises
    ProtocolError; where that comes in a later turn the answer fails by it. `to_the_end`: what
    changes things is carried out, as in Kafka, also when the client has gone.
    """
    turn = caller.environment.turn
    try:
        while True:
            next(steps)
            if turn.now() > turn.until:
                break
    except StopIteration as end:
        made: T | Parked[T] = end.value
        return made
    answer: Parked[T] = Parked()
    _later(caller, _rest(steps, answer, to_the_end), answer, to_the_end)
    return answer


def _later(caller: Caller, rest: Steps, answer: Parked[T], to_the_end: bool) -> None:
    environment = caller.environment
    if to_the_end:
        # No peer is there any more in whose name the rest could be done.
        answer.on_abandon(partial(environment.chores.later, rest))

    def some() -> None:
        if answer.done and to_the_end:
            return
        # All of its time is a quota's, and not that of the first steps alone.
        caller.go_on_charged()
        more = environment.turn.work(rest)
        caller.end_charged()
        if more:
            soon()

    def soon() -> None:
        environment.chores.soon(partial(caller.peer.work, some))

    soon()


def _rest(steps: Stepped[T | Parked[T]], answer: Parked[T], to_the_end: bool) -> Steps:
    """Until it is made; what changes nothing only as long as somebody waits for it."""
    while to_the_end or not answer.done:
        try:
            next(steps)
        except StopIteration as end:
            answer.settle(end.value)
            return
        except ProtocolError as error:
            answer.fail(error)
            return
        yield
    steps.close()
