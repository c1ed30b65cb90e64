"""The way of Kafka's records: produced, appended, fetched by whom, committed by which group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mockforge_brokers.journal import IN, Row

from .course import Course

_Place = tuple[str, int]
"""Topic and partition."""


@dataclass(slots=True)
class _Request:
    """A Produce request that waits for its answer: its records by partition, in order."""

    records: dict[_Place, list[Course]] = field(default_factory=dict)


def courses(rows: Sequence[Row]) -> list[Course]:
    """Those of all records of these rows, which are in order."""
    walk = _Walk()
    for row in rows:
        operation = row.operation
        if operation == "Produce":
            walk.produced(row) if row.direction == IN else walk.answered(row)
        elif operation == "Fetch" and row.kind == "message":
            walk.fetched(row)
        elif operation == "OffsetCommit":
            walk.asked_to_commit(row) if row.direction == IN else walk.committed(row)
    return walk.courses


class _Walk:
    def __init__(self) -> None:
        self.courses: list[Course] = []
        self._requests: dict[tuple[int, Any], _Request] = {}
        self._placed: dict[_Place, dict[int, Course]] = {}
        """By offset."""
        self._commits: dict[tuple[int, Any], Row] = {}
        """Requests that wait for their answer."""
        self._committed: dict[tuple[str, str, int], int] = {}
        """By group and partition: up to where it committed."""

    def produced(self, row: Row) -> None:
        if row.kind != "message":
            return
        course = Course(row)
        partition = row.detail["partition"]
        course.add("produced", row, f"{row.destination} p{partition}", f"{row.size} B")
        self.courses.append(course)
        if "offset" in row.detail:
            # From inside: there is no answer, it was appended at once.
            self._appended(course, row, row.destination, partition, row.detail["offset"])
            return
        request = self._requests.setdefault((row.connection, row.correlation), _Request())
        request.records.setdefault((row.destination, partition), []).append(course)

    def answered(self, row: Row) -> None:
        request = self._requests.pop((row.connection, row.correlation), None)
        if request is None:
            return
        for topic, index, answer in _partitions(row.detail.get("responses"), "partition_responses"):
            for number, course in enumerate(request.records.get((topic, index), ())):
                if answer.get("error_code"):
                    course.add("refused", row, f"{topic} p{index}", row.error)
                else:
                    offset = answer["base_offset"] + number
                    self._appended(course, row, topic, index, offset)

    def _appended(self, course: Course, row: Row, topic: str, partition: int, offset: int) -> None:
        course.add("appended", row, f"{topic} p{partition}@{offset}")
        self._placed.setdefault((topic, partition), {})[offset] = course

    def fetched(self, row: Row) -> None:
        topic, partition, offset = row.destination, row.detail["partition"], row.detail["offset"]
        placed = self._placed.setdefault((topic, partition), {})
        course = placed.get(offset)
        if course is None:
            course = placed[offset] = Course(None)
            self.courses.append(course)
        course.add("fetched", row, f"{topic} p{partition}@{offset}")

    def asked_to_commit(self, row: Row) -> None:
        self._commits[row.connection, row.correlation] = row

    def committed(self, answer: Row) -> None:
        """What a request asked for took place in those partitions that its answer says so of."""
        row = self._commits.pop((answer.connection, answer.correlation), None)
        if row is None:
            return
        answered = _partitions(answer.detail.get("topics"), "partitions")
        done = {
            (topic, partition) for topic, partition, each in answered if not each.get("error_code")
        }
        group = str(row.detail.get("group", ""))
        for topic, partition, asked in _partitions(row.detail.get("topics"), "partitions"):
            if (topic, partition) not in done:
                continue
            offset, owner = asked["committed_offset"], (group, topic, partition)
            before = self._committed.get(owner, 0)
            for course in _between(self._placed.get((topic, partition), {}), before, offset):
                course.add("committed", row, f"{topic} p{partition}@{offset}", who=group)
            self._committed[owner] = max(offset, before)


def _between(placed: Mapping[int, Course], first: int, end: int) -> Iterator[Course]:
    """Those at offsets from the first on. A consumer may commit after each record, and the first
    commit that is seen may be of a million: whichever is less is gone through."""
    if end - first < len(placed):
        yield from (placed[at] for at in range(first, end) if at in placed)
    else:
        yield from (course for at, course in placed.items() if first <= at < end)


def _partitions(topics: Any, name: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Topic, number and fields of each partition that a message is about."""
    for topic in topics or ():
        for partition in topic.get(name) or ():
            index = partition.get("partition_index", partition.get("index"))
            yield topic.get("topic") or topic.get("name") or "", index, partition
