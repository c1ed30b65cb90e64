"""The way of MQTT's messages: published, acknowledged, delivered to each subscriber.

Of several publishes with the same topic, payload and properties a client gets the one first that
came first [MQTT-4.6.0-6], from its subscription on. What is sent of before is what was retained or
waited for its session: the newest that it has not got.
"""

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from typing import Final

from mockforge_brokers.journal import IN, Row

from .course import Course, texted

_KEPT: Final = ("content_type", "correlation_data", "response_topic")
"""Properties of MQTT 5 that a subscriber gets as they came; others count down or are its own."""
_ACKS: Final = ("PUBACK", "PUBREC", "PUBREL", "PUBCOMP")


def courses(rows: Sequence[Row]) -> list[Course]:
    """Those of all messages of these rows, which are in order."""
    walk = _Walk()
    for row in rows:
        if row.operation == "PUBLISH":
            walk.published(row) if row.direction == IN else walk.delivered(row)
        elif row.operation in _ACKS:
            walk.acknowledged(row)
        elif row.operation == "SUBSCRIBE":
            walk.subscribed(row)
    return walk.courses


class _Walk:
    def __init__(self) -> None:
        self.courses: list[Course] = []
        self._alike: dict[str, list[Course]] = {}
        self._begun: dict[int, int] = {}
        """By connection: how many messages were published before it subscribed."""
        self._numbers: dict[int, int] = {}
        """By id of a course: how many were published before it."""
        self._next: dict[tuple[str, int], int] = {}
        """By what is alike and by connection: which of those it gets next."""
        self._got: dict[int, set[int]] = {}
        """By id of a course: the connections that it was delivered to."""
        self._open: dict[tuple[int, Hashable], Course] = {}
        """By connection and the correlation of its packets: what is not acknowledged."""
        self._aliases: dict[tuple[int, int], str] = {}

    def published(self, row: Row) -> None:
        known = self._open.get((row.connection, row.correlation)) if row.detail.get("dup") else None
        if known is not None:
            known.add("sent again", row, row.destination, _flags(row))
            return
        course = Course(row)
        course.add("published", row, row.destination, _flags(row))
        self._numbers[id(course)] = len(self._numbers)
        self.courses.append(course)
        self._alike.setdefault(_identity(row, row.destination), []).append(course)
        self._await(row, course)

    def subscribed(self, row: Row) -> None:
        self._begun.setdefault(row.connection, len(self._numbers))

    def delivered(self, row: Row) -> None:
        topic = self._topic(row)
        known = self._open.get((row.connection, row.correlation)) if row.detail.get("dup") else None
        course = known or self._course(row, topic)
        what = "delivered" if known is None else "sent again"
        course.add(what, row, topic, _flags(row))
        self._got.setdefault(id(course), set()).add(row.connection)
        self._await(row, course)

    def acknowledged(self, row: Row) -> None:
        place = row.connection, row.correlation
        course = self._open.get(place)
        if course is None:
            return
        course.add(row.operation, row, note=row.error or str(row.detail.get("reason", "")))
        if row.operation in ("PUBACK", "PUBCOMP"):
            del self._open[place]

    def _await(self, row: Row, course: Course) -> None:
        if row.correlation is not None:
            self._open[row.connection, row.correlation] = course

    def _course(self, row: Row, topic: str) -> Course:
        identity, connection = _identity(row, topic), row.connection
        alike = self._alike.get(identity, [])
        at = self._next.get((identity, connection))
        if at is None:
            at = self._first(alike, connection)
        if at < len(alike) and not (row.detail.get("retain") and at):
            self._next[identity, connection] = at + 1
            return alike[at]
        for course in reversed(alike):
            if connection not in self._got.get(id(course), ()):
                return course
        course = Course(None)
        self.courses.append(course)
        return course

    def _first(self, alike: list[Course], connection: int) -> int:
        """Which of those a connection gets first; where its SUBSCRIBE was not seen, the newest."""
        begun = self._begun.get(connection)
        if begun is None:
            return max(0, len(alike) - 1)
        return bisect_left(alike, begun, key=lambda course: self._numbers[id(course)])

    def _topic(self, row: Row) -> str:
        """A delivery may name its topic by an alias alone (MQTT 5, 3.3.2.3.4)."""
        alias = row.detail.get("topic_alias")
        if alias is None:
            return row.destination
        if row.destination:
            self._aliases[row.connection, alias] = row.destination
        return row.destination or self._aliases.get((row.connection, alias), "")


def _flags(row: Row) -> str:
    flags = [f"QoS {row.detail.get('qos', 0)}"]
    flags += [name for name in ("retain", "dup") if row.detail.get(name)]
    return ", ".join([*flags, f"{row.size} B"])


def _identity(row: Row, topic: str) -> str:
    kept = [row.detail.get(name) for name in _KEPT]
    return texted((topic, row.payload, kept, row.headers))
