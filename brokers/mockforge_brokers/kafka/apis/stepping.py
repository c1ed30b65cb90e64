"""Requests that name much: handled in steps, between which others have their turn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Final, TypeVar

from ...errors import ProtocolError
from ...fairness import Stepped, Steps
from ..state.purgatory import Parked
from .caller import Caller

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")
Told = Iterator[T | None]
"""Steps, and as the last one what they come to: that costs less than to catch StopIteration."""
LIGHT: Final = 16
"""How many things of which each is done within microseconds may be one step."""
MEMBERS: Final = 4
"""Members of a group that are described in one step: each may have very many partitions."""
_FEW: Final = 32
"""Steps after which an answer is small enough to be encoded at once."""


def told(steps: Stepped[T]) -> Told[T]:
    yield (yield from steps)


def each(make: Callable[[A], B], items: Collection[A], *, at_a_time: int = 1) -> Stepped[list[B]]:
    """What is made of each of them, by steps: `items` must stay as they are meanwhile."""
    if len(items) < at_a_time:
        return [make(item) for item in items]
    made = []
    left = at_a_time
    for item in items:
        made.append(make(item))
        left -= 1
        if not left:
            yield
            left = at_a_time
    return made


def each_by_steps(make: Callable[[A], Stepped[B]], items: Iterable[A]) -> Stepped[list[B]]:
    """As `each`, of what is made in steps itself: a group of very many members."""
    made = []
    for item in items:
        made.append((yield from make(item)))
        yield
    return made


def few(caller: Caller, steps: Told[T]) -> T | None:
    """What so few steps come to that what is made of it is little, too; None: there are more."""
    made, left = None, _FEW
    for made in steps:
        if made is None:
            left -= 1
            turn = caller.environment.turn
            if not left or turn.now() > turn.until:
                return None
    return made


def worked(
    caller: Caller,
    steps: Stepped[T | Parked[T]],
    *,
    to_the_end: Callable[[], bool] = lambda: False,
    begun: bool = False,
) -> T | Parked[T]:
    """What the steps come to: at once where this turn has the time, else after others had theirs.

    The client's next request waits for the answer, as it does behind a long poll. Raises
    ProtocolError; where that comes in a later turn the answer fails by it. `to_the_end` is asked
    when the client has gone: what changes things is carried out all the same, as in Kafka. `begun`:
    this turn had its steps already (`few`).
    """
    turn, rest = caller.environment.turn, told(steps)
    made: T | Parked[T] | None = None
    if not begun:
        for made in rest:
            if made is None and turn.now() > turn.until:
                break
        else:
            return made  # type: ignore[return-value]
    answer: Parked[T] = Parked()
    _later(caller, _rest(rest, answer, to_the_end), answer, to_the_end)
    return answer


def _later(caller: Caller, rest: Steps, answer: Parked[T], to_the_end: Callable[[], bool]) -> None:
    environment = caller.environment
    # No peer is there any more in whose name the rest could be done.
    answer.on_abandon(partial(environment.chores.later, rest))

    def some() -> None:
        if answer.done:
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


def _rest(steps: Told[T | Parked[T]], answer: Parked[T], to_the_end: Callable[[], bool]) -> Steps:
    """Until it is made; what changes nothing only as long as somebody waits for it."""
    made: T | Parked[T] | None = None
    if answer.done and not to_the_end():
        return
    try:
        for made in steps:
            if made is None:
                yield
                if answer.done and not to_the_end():
                    return
    except ProtocolError as error:
        answer.fail(error)
    else:
        answer.settle(made)  # type: ignore[arg-type]
