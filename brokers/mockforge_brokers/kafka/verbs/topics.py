"""Topics: create, grow, empty, configure and delete them."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import PlainRefusals
from ...fairness import Stepped, finished
from ..apis.topics.assignments import check_factor, spread
from ..codes import AlterConfigOp
from ..state.cluster import Cluster
from .source import PROMPT


class TopicVerbs:
    cluster: Cluster

    def has_topic(self, name: str) -> bool:
        return name in self.cluster.topics

    def topic_names(self) -> list[str]:
        return list(self.cluster.topics)

    def create_topic(
        self,
        name: str,
        partitions: int | None = None,
        config: Mapping[str, str] | None = None,
        *,
        replicas: int | None = None,
        source: str = PROMPT,
    ) -> int:
        """Returns the number of partitions, each with so many `replicas` (None: 3 at most)."""
        with PlainRefusals():
            nodes = self.cluster.nodes
            # What cannot be is refused before there is a topic.
            if replicas is not None:
                check_factor(replicas, nodes)
            topic = self.cluster.create_topic(name, partitions, configs=config, source=source)
            if replicas is not None and replicas != nodes.usual_replicas:
                placed = spread(len(topic.logs), replicas, nodes)
                self.cluster.replication.place(name, placed)
        return len(topic.logs)

    def delete_topic(self, name: str, *, source: str = PROMPT) -> None:
        with PlainRefusals():
            self.cluster.delete_topic(name, source=source)

    def grow_topic(self, name: str, partitions: int, *, source: str = PROMPT) -> None:
        with PlainRefusals():
            self.cluster.grow_topic(name, partitions, source=source)

    def purge_topic(self, name: str, *, source: str = PROMPT) -> int:
        """Delete all records, keep the topic; returns how many there were."""
        return finished(self.purging(name, source=source))

    def purging(self, name: str, *, source: str = PROMPT) -> Stepped[int]:
        """The same by steps, between which others have their turn."""
        with PlainRefusals():
            return self.cluster.purging(name, source=source)

    def compact_topic(self, name: str) -> int:
        """Leave of each key the newest record, now; returns how many left."""
        return finished(self.compacting(name))

    def compacting(self, name: str) -> Stepped[int]:
        """The same by steps, between which others have their turn."""
        with PlainRefusals():
            return self.cluster.compacting(name)

    def configure_topic(
        self, name: str, key: str, value: str | None, *, source: str = PROMPT
    ) -> None:
        """Set one value; None puts it back to its default."""
        operation = AlterConfigOp.DELETE if value is None else AlterConfigOp.SET
        with PlainRefusals():
            self.cluster.configure_topic(name, [(key, operation, value)], source=source)
