"""On which nodes the replicas of each partition are."""

from collections.abc import Callable, Mapping, Sequence

from .logs.log import PartitionLog
from .logs.topic import Topic
from .nodes import Nodes


class Placement:
    """Where somebody put them, or one node after the other; the preferred leader is the first."""

    def __init__(
        self, nodes: Nodes, topics: Mapping[str, Topic], changed: Callable[[], object]
    ) -> None:
        """`changed` is called when replicas were put somewhere, which is kept."""
        self.by_topic: dict[str, list[list[int]]] = {}
        """Only of topics whose replicas somebody put: the creator, or who moved them."""
        self._nodes = nodes
        self._topics = topics
        self._changed = changed

    def of(self, log: PartitionLog) -> Sequence[int]:
        placed = self.by_topic.get(log.topic, ())
        if log.partition < len(placed):
            return placed[log.partition]
        count = len(self._nodes.ids)
        places = range(log.partition, log.partition + self._nodes.usual_replicas)
        return [self._nodes.ids[place % count] for place in places]

    def put(self, log: PartitionLog, replicas: list[int]) -> None:
        """Of one partition; from now on those of its whole topic are where they are now."""
        placed = self.by_topic.setdefault(log.topic, [])
        # Those of each partition once, not with each that is put: a topic may have thousands.
        ids, usual = list(self._nodes.ids), self._nodes.usual_replicas
        twice, unplaced = ids + ids, range(len(placed), len(self._topics[log.topic].logs))
        firsts = (partition % len(ids) for partition in unplaced)
        placed += [twice[first : first + usual] for first in firsts]
        placed[log.partition] = replicas
        self._changed()

    def pin(self) -> None:
        """From now on all are where they are now, whatever nodes come and go."""
        for name, topic in self._topics.items():
            self.by_topic[name] = [list(self.of(log)) for log in topic.logs]

    def put_all(self, topic: str, replicas: Sequence[Sequence[int]]) -> None:
        """Of all partitions of a topic."""
        self.by_topic[topic] = [list(each) for each in replicas]
        self._changed()

    def forget(self, topic: str) -> None:
        self.by_topic.pop(topic, None)
