"""How many topics and partitions the broker takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from ...environment import Environment
from ...errors import RequestRefused
from ..codes import ErrorCode
from .logs.topic import Topics


class TopicLimits:
    """The limits `kafka_topics` and `kafka_partitions`, and how far each is used."""

    def __init__(self, environment: Environment, topics: Topics) -> None:
        self._limits = environment.limits
        self._usage = environment.usage
        self._topics = topics
        self._in_the_making = 0
        """Partitions that are made by steps, and take their room from the first one on."""
        self._usage.gauge("kafka_topics", lambda: len(topics))
        self._usage.gauge("kafka_partitions", lambda: topics.partitions)

    def check_topics(self, name: str) -> None:
        """Raises RequestRefused where there is none for another topic."""
        if len(self._topics) >= self._limits.kafka_topics:
            self._refuse("kafka_topics", name)

    def check_partitions(self, name: str, more: int) -> None:
        """Raises RequestRefused where there is none for so many more."""
        there = self._topics.partitions + self._in_the_making
        if there + more > self._limits.kafka_partitions:
            self._refuse("kafka_partitions", name)

    @contextmanager
    def making(self, partitions: int) -> Iterator[None]:
        """So many of what `check_partitions` allowed are made in here."""
        self._in_the_making += partitions
        try:
            yield
        finally:
            self._in_the_making -= partitions

    def _refuse(self, limit: str, name: str) -> NoReturn:
        text = "topics refused: {lost:,}, the last {last}"
        self._usage.met("kafka", limit, "topics", text, last=name)
        raise RequestRefused(ErrorCode.POLICY_VIOLATION, f"{name}: the limit {limit} is met")
