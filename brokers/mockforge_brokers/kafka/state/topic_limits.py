"""How many topics and partitions the broker takes."""

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
        self._usage.gauge("kafka_topics", lambda: len(topics))
        self._usage.gauge("kafka_partitions", lambda: topics.partitions)

    def check_topics(self, name: str) -> None:
        """Raises RequestRefused where there is none for another topic."""
        if len(self._topics) >= self._limits.kafka_topics:
            self._refuse("kafka_topics", name)

    def check_partitions(self, name: str, more: int) -> None:
        """Raises RequestRefused where there is none for so many more."""
        if self._topics.partitions + more > self._limits.kafka_partitions:
            self._refuse("kafka_partitions", name)

    def _refuse(self, limit: str, name: str) -> NoReturn:
        text = "topics refused: {lost:,}, the last {last}"
        self._usage.met("kafka", limit, "topics", text, last=name)
        raise RequestRefused(ErrorCode.POLICY_VIOLATION, f"{name}: the limit {limit} is met")
