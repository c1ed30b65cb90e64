"""Which of several AMQP messages that nothing tells apart a delivery, a return or a death is of.

A queue delivers the one first that came first. Which those are that came to it is not in the
frames: what shows that one did not come there puts it behind the others, and no more than that.
"""

from collections import deque
from dataclasses import dataclass, field

from .course import Course


@dataclass(slots=True)
class Lane:
    """Copies of alike messages in one queue, as often dead as each other, and of the same.

    `died_in` is the queue that the last death was in. `rejected` are those of its own that no
    consumer wanted, in order, and `dead` the ones of where its messages come from.
    """

    rejected: list[Course]
    dead: list[Course]
    died_in: str = ""
    looked_at: int = 0
    """How many of all that are alike were asked whether they came here."""
    unlikely: deque[Course] = field(default_factory=deque)
    """Those of them that by their frames did not."""
    taken_dead: int = 0
    delivered: set[int] = field(default_factory=set)
    """Identities of courses."""
    back: deque[Course] = field(default_factory=deque)
    out: list[Course] = field(default_factory=list)


@dataclass(slots=True)
class Alike:
    """Messages in the order in which they were published; `numbers` are theirs among all."""

    courses: list[Course] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    _lanes: dict[tuple[str, int, str, str], Lane] = field(default_factory=dict)
    _rejects: dict[tuple[str, int], list[Course]] = field(default_factory=dict)
    _returned: int = 0

    def lane(self, queue: str, deaths: int, died_in: str = "", reason: str = "") -> Lane:
        """`deaths` is how often its messages died, the last time in a queue for a reason."""
        key = queue, deaths, died_in, reason
        found = self._lanes.get(key)
        if found is None:
            mine = self._rejects.setdefault((queue, deaths), [])
            # What died of age or of a full queue has no frame that says which one it was.
            known = reason == "rejected"
            dead = self._rejects.setdefault((died_in, deaths - 1), []) if known else []
            found = self._lanes[key] = Lane(mine, dead, died_in)
        return found

    def returned(self) -> Course | None:
        """The first that was neither returned yet nor delivered to anybody."""
        while self._returned < len(self.courses):
            course = self.courses[self._returned]
            self._returned += 1
            if not any(each.what == "delivered" for each in course.steps):
                return course
        return None

    def delivered(self, lane: Lane, since: int) -> Course | None:
        """The next one of a lane, whose queue is there, or bound, `since` a number of publish."""
        found = _next_dead(lane) or self._next(lane, since)
        while found is None and lane.unlikely:
            course = lane.unlikely.popleft()
            found = course if id(course) not in lane.delivered else None
        if found is not None:
            lane.delivered.add(id(found))
        return found

    def _next(self, lane: Lane, since: int) -> Course | None:
        while lane.looked_at < len(self.courses):
            course, number = self.courses[lane.looked_at], self.numbers[lane.looked_at]
            lane.looked_at += 1
            if id(course) in lane.delivered:
                continue
            # A dead letter may have been published before its queue was there.
            late = not lane.died_in and number < since
            if late or _reached_nobody(course) or _ended_in(course, lane.died_in):
                lane.unlikely.append(course)
            else:
                return course
        return None


def _next_dead(lane: Lane) -> Course | None:
    while lane.taken_dead < len(lane.dead):
        course = lane.dead[lane.taken_dead]
        lane.taken_dead += 1
        if id(course) not in lane.delivered:
            return course
    return None


def _reached_nobody(course: Course) -> bool:
    # Right behind its publish, which is the first step. Rows know what is unroutable by their
    # bytes alone, so that it may also be of another that is alike.
    return any(each.what in ("unroutable", "returned") for each in course.steps[1:3])


def _ended_in(course: Course, queue: str) -> bool:
    """Whether a consumer of a queue said what becomes of it, so that it did not die of age."""
    ends = ("acked", "rejected")
    return bool(queue) and any(each.what in ends and each.place == queue for each in course.steps)


@dataclass(slots=True)
class _Begin:
    declared: int
    bound: dict[str, int] = field(default_factory=dict)
    """By exchange."""


class Beginnings:
    """From which publish on messages come to queues, where frames show it."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str], _Begin] = {}

    def declared(self, host: str, queue: str, number: int) -> None:
        """It has no messages at this number of publish, whether it is new or not."""
        begun = self._begun.setdefault((host, queue), _Begin(number))
        begun.declared = max(begun.declared, number)

    def bound(self, host: str, queue: str, exchange: str, number: int) -> None:
        begun = self._begun.get((host, queue))
        if begun is not None:
            # The same binding is often made again by whoever starts.
            begun.bound.setdefault(exchange, number)

    def of(self, host: str, queue: str, exchange: str) -> int:
        begun = self._begun.get((host, queue))
        return 0 if begun is None else max(begun.declared, begun.bound.get(exchange, 0))
