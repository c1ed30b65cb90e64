"""The last message of each topic that was published to be kept: a tree of topic levels."""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from ..records import Message, cost_of
from .topics import weight_of


# A tree is no cycle, and the collector would walk over all of it time and again.
class _Node(Struct, gc=False, eq=False):
    """One level of topics; `children` are those below it, a dict of its own once there are any."""

    children: "dict[str, _Node]"
    message: Message | None = None


# Nearly all are leaves: a dict in each of 100,000 would take 6 MB, and a good part of the time.
_NONE: Final[dict[str, _Node]] = {}


TOO_MANY, TOO_LARGE = "mqtt_retained", "mqtt_retained_bytes"
"""The limits that keep a message from being retained."""


class RetainedMessages:
    """One for each topic name: at most `limit` by weight, `most_bytes` of names and payloads."""

    def __init__(self, limit: int, most_bytes: int) -> None:
        self._limit = limit
        self._most_bytes = most_bytes
        self._root = _Node(_NONE)
        self._parent = ""
        self._siblings: dict[str, _Node] | None = None
        """The nodes below the topic whose name and slash are `_parent`: that of the last message.
        None once nodes were taken out, of which it may be one."""
        self.count = 0
        self.weight = 0
        """Of their topic names together (`weight_of`)."""
        self.payload_bytes = 0
        self.bytes = 0
        """Of topic names and payloads."""

    def store(self, message: Message) -> str:
        """Keep a message in place of an older one; returns the limit that does not let it, or "".

        The older one of a topic leaves then too: it would be taken for the last that was published
        (what is not stored leaves no retained message for its topic, 3.3.1.3 of MQTT 5).
        """
        cost, weight = cost_of(message), weight_of(message.topic_name)
        full = self.weight + weight > self._limit
        if full or self.bytes + cost > self._most_bytes:
            older = self.get(message.topic_name)
            if older is None and full:
                return TOO_MANY
            if self.bytes + cost - (cost_of(older) if older else 0) > self._most_bytes:
                self.remove(message.topic_name)
                return TOO_LARGE
        # Devices leave many in a row that differ in their last level alone.
        topic_name = message.topic_name
        place = topic_name.rfind("/") + 1
        siblings, level = self._siblings, topic_name[place:]
        if siblings is None or topic_name[:place] != self._parent:
            siblings = self._beside(topic_name[:place])
        node = siblings.get(level)
        if node is None:
            node = siblings[level] = _Node(_NONE)
        before = node.message
        if before is None:
            self.count += 1
            self.weight += weight
        else:
            self.payload_bytes -= len(before.payload)
            self.bytes -= cost_of(before)
        self.payload_bytes += len(message.payload)
        self.bytes += cost
        node.message = message
        return ""

    def _beside(self, parent: str) -> dict[str, _Node]:
        """All that is below a topic, given with its slash; "" is for what has none."""
        node = self._root
        for level in parent.split("/")[:-1]:
            if node.children is _NONE:
                node.children = {}
            child = node.children.get(level)
            if child is None:
                child = node.children[level] = _Node(_NONE)
            node = child
        if node.children is _NONE:
            node.children = {}
        self._parent, self._siblings = parent, node.children
        return node.children

    def get(self, topic_name: str) -> Message | None:
        node = self._root
        for level in topic_name.split("/"):
            child = node.children.get(level)
            if child is None:
                return None
            node = child
        return node.message

    def remove(self, topic_name: str) -> bool:
        """Forget a topic's message; False when there was none."""
        path = [self._root]
        levels = topic_name.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return False
            path.append(child)
        message = path[-1].message
        if message is None:
            return False
        self.payload_bytes -= len(message.payload)
        self.bytes -= cost_of(message)
        path[-1].message = None
        self.count -= 1
        self.weight -= weight_of(topic_name)
        self._siblings = None
        for parent, level, node in zip(path[-2::-1], levels[::-1], path[::-1], strict=False):
            if node.children or node.message is not None:
                break
            del parent.children[level]
        return True

    def begins(self, topic_filter: str) -> bool:
        """Whether there is a message whose first level a filter may match."""
        first, children = topic_filter.partition("/")[0], self._root.children
        return bool(children) if first in ("+", "#") else first in children

    def match(self, topic_filter: str, now: float) -> Iterator[Message | None]:
        """What a new subscriber of this filter gets, in no order that means anything.

        Looks as it goes, so that others may store and remove meanwhile; None is a step without a
        message.
        """
        for node in self._find(topic_filter.split("/")):
            message = None if node is None else node.message
            if message is not None and message.expires is not None and message.expires <= now:
                self.remove(message.topic_name)
                message = None
            yield message

    def all(self) -> list[Message]:
        return [node.message for node in _below(self._root) if node.message is not None]

    def clear(self) -> None:
        self._root = _Node(_NONE)
        self._siblings = None
        self.count = self.weight = self.payload_bytes = self.bytes = 0

    def _find(self, levels: list[str]) -> "Iterator[_Node | None]":
        """None is a step on the way: behind `+/+/+` may be 100,000 topics of which none matches."""
        waiting = [(self._root, 0)]
        while waiting:
            node, place = waiting.pop()
            if place == len(levels):
                yield node
                continue
            level = levels[place]
            if level == "#":
                yield from _below(node, dollar=place > 0)
                continue
            if level == "+":
                below = [(child, place + 1) for child in _children(node, dollar=place > 0)]
                waiting += reversed(below)
            elif level in node.children:
                waiting.append((node.children[level], place + 1))
            yield None


def _below(top: _Node, dollar: bool = True) -> Iterator[_Node]:
    # Not recursive: a topic may have more levels than Python's stack has frames.
    waiting = [top]
    while waiting:
        node = waiting.pop()
        yield node
        if node.children:
            waiting += _children(node, dollar=dollar or node is not top)


def _children(node: _Node, *, dollar: bool) -> Iterable[_Node]:
    """Those of one level down, without what begins with $ unless asked for."""
    if dollar:
        return node.children.values()
    return [child for name, child in node.children.items() if not name.startswith("$")]
