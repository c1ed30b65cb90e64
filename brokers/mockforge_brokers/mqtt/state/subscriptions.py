"""Who wants which topics: a trie of filter levels."""

from collections.abc import Collection, Iterator, Mapping
from random import Random
from typing import TYPE_CHECKING, Final
from zlib import crc32

from msgspec import Struct

from .topics import split_share, weight_of

if TYPE_CHECKING:
    from .session import Session


class Subscription(Struct, frozen=True):
    """One session's wish; `topic_filter` is as the client wrote it, share name included."""

    topic_filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0
    identifier: int = 0
    """0: none was given."""


Member = tuple["Session", Subscription]
_MOST_READERS: Final = 10_000
"""Topics, and members for each of them, that a share remembers."""


class Share:
    """A shared subscription: each message goes to one member, in an order of `SHARED_ORDERS`."""

    __slots__ = (
        "_guarded",
        "_in_order",
        "_looked_at",
        "_members",
        "_random",
        "_readers",
        "_readers_size",
        "_ready",
        "_ready_turn",
        "order",
        "taken",
        "turn",
    )

    def __init__(self, order: str, random: Random) -> None:
        self._members: dict[Session, Subscription] = {}
        self._in_order: list[Member] = []
        """The same, to count in: made when it is asked for, as messages come more often than
        members."""
        self._looked_at = -1
        """The moment at which it was looked who is ready, as when one is met that is not."""
        self._ready: list[Member] = []
        self._ready_turn = 0
        self._guarded = False
        """Somebody may not read all topics: then it is looked for each topic who may."""
        self._readers: dict[str, tuple[list[Member], bool]] = {}
        self._readers_size = 0
        self.taken: dict[Session, int] = {}
        """How many messages each member was chosen for."""
        self.turn = 0
        self.order = order
        self._random = random

    def choose(self, topic_name: str, moment: int) -> "Member | None":
        """The next member that is connected and reads; who is away only when all are.

        `moment` is another number once a member may have become ready, or has other rights. None
        where no member has the right to read the topic.
        """
        members = self._in_order = self._in_order or list(self._members.items())
        self.turn = self._next(self.turn, members, topic_name)
        chosen: Member | None = members[self.turn % len(members)]
        assert chosen is not None
        if not (chosen[0].ready and _may_read(chosen[0], topic_name)):
            # Not the one behind it, who would get the share of all in front that take nothing.
            chosen = self._choose_other(topic_name, moment)
        if chosen is not None:
            self.taken[chosen[0]] = self.taken.get(chosen[0], 0) + 1
        return chosen

    def _choose_other(self, topic_name: str, moment: int) -> "Member | None":
        """By turns among those who take it; else somebody for whom it waits."""
        # Most may be away, or not have the right, for long: it is looked for once who is not.
        if self._looked_at != moment:
            self._look(moment)
        found, ready = self._ready or self._in_order, bool(self._ready)
        if self._guarded:
            found, ready = self._readers_of(topic_name)
        if not found:
            return None
        if not ready:
            return found[self.turn % len(found)]
        self._ready_turn = turn = self._next(self._ready_turn, found, topic_name)
        return found[turn % len(found)]

    def _look(self, moment: int) -> None:
        self._ready = [member for member in self._in_order if member[0].ready]
        self._guarded = any(member[0].reads is not None for member in self._in_order)
        self._forget_readers()
        self._looked_at = moment

    def _readers_of(self, topic_name: str) -> "tuple[list[Member], bool]":
        """Those who are ready and may read it, or all who may, and whether they are ready."""
        known = self._readers.get(topic_name)
        if known is None:
            ready = [member for member in self._ready if _may_read(member[0], topic_name)]
            found = ready or [each for each in self._in_order if _may_read(each[0], topic_name)]
            self._readers_size += 1 + len(found)
            if self._readers_size > _MOST_READERS:
                self._forget_readers()
            known = self._readers[topic_name] = found, bool(ready)
        return known

    def _forget_readers(self) -> None:
        self._readers.clear()
        self._readers_size = 0

    def _next(self, turn: int, members: "list[Member]", topic: str) -> int:
        match self.order:
            case "turns":
                return turn + 1
            case "random":
                return self._random.randrange(len(members))
            case "topic":
                return crc32(topic.encode())
        return turn

    @property
    def members(self) -> "Mapping[Session, Subscription]":
        return self._members

    def join(self, session: "Session", subscription: Subscription) -> bool:
        """Let a session be a member, or one in another way; True when it was none."""
        new = session not in self._members
        self._members[session] = subscription
        self._in_order, self._looked_at = [], -1
        return new

    def leave(self, session: "Session") -> bool:
        """Take a member out; False when it was none."""
        self.taken.pop(session, None)
        self._in_order, self._looked_at = [], -1
        self._ready = []
        self._forget_readers()
        return self._members.pop(session, None) is not None


def _may_read(session: "Session", topic_name: str) -> bool:
    return session.reads is None or session.reads(topic_name)


class _Node:
    """One level of filters; each of its dicts is its own once there is something in it."""

    __slots__ = ("children", "shares", "subscribers")

    def __init__(self) -> None:
        self.children = _NO_CHILDREN
        self.subscribers = _NO_SUBSCRIBERS
        self.shares = _NO_SHARES

    @property
    def empty(self) -> bool:
        return not (self.children or self.subscribers or self.shares)


# Most nodes have one of the three: of 100,000 filters the other dicts would take 25 MB.
_NO_CHILDREN: Final[dict[str, _Node]] = {}
_NO_SUBSCRIBERS: Final[dict["Session", Subscription]] = {}
_NO_SHARES: Final[dict[str, Share]] = {}


class SubscriptionTrie:
    """All subscriptions of all sessions, by the levels of their filters."""

    def __init__(self, shared_order: str = "turns", random: Random | None = None) -> None:
        self._root = _Node()
        self.count = 0
        self.weight = 0
        """Of all together (`weight_of`)."""
        self.shared = 0
        """How many of them are of a share."""
        self.shares: dict[str, Share] = {}
        """By their filters with the share name."""
        self._order = shared_order
        self._random = random or Random(0)

    def add(self, session: "Session", subscription: Subscription) -> bool:
        """Put in or replace; True when this session had none of this filter."""
        share, topic_filter = split_share(subscription.topic_filter)
        node = self._root
        for level in topic_filter.split("/"):
            child = node.children.get(level)
            if child is None:
                child = _Node()
                if node.children is _NO_CHILDREN:
                    node.children = {level: child}
                else:
                    node.children[level] = child
            node = child
        if share:
            new = self._share(node, share, subscription.topic_filter).join(session, subscription)
        else:
            if node.subscribers is _NO_SUBSCRIBERS:
                node.subscribers = {}
            new = session not in node.subscribers
            node.subscribers[session] = subscription
        if new:
            self.count += 1
            self.shared += bool(share)
            self.weight += weight_of(subscription.topic_filter)
        return new

    def _share(self, node: _Node, name: str, topic_filter: str) -> Share:
        found = node.shares.get(name)
        if found is None:
            found = self.shares[topic_filter] = Share(self._order, self._random)
            if node.shares is _NO_SHARES:
                node.shares = {}
            node.shares[name] = found
        return found

    def remove(self, session: "Session", topic_filter: str) -> bool:
        """Take out; False when there was none."""
        whole = topic_filter
        share, topic_filter = split_share(topic_filter)
        path = [self._root]
        levels = topic_filter.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return False
            path.append(child)
        if not self._take(path[-1], share, session):
            return False
        self.count -= 1
        self.shared -= bool(share)
        self.weight -= weight_of(whole)
        if share and share not in path[-1].shares:
            del self.shares[whole]
        for parent, level, node in zip(path[-2::-1], levels[::-1], path[::-1], strict=False):
            if not node.empty:
                break
            del parent.children[level]
        return True

    @staticmethod
    def _take(node: _Node, share: str, session: "Session") -> bool:
        if not share:
            return node.subscribers.pop(session, None) is not None
        group = node.shares.get(share)
        if group is None or not group.leave(session):
            return False
        if not group.members:
            del node.shares[share]
        return True

    def begins_with(self, level: str) -> bool:
        """Whether some filter has this first level."""
        return level in self._root.children

    def match(self, topic_name: str) -> "tuple[list[tuple[Session, Subscription]], list[Share]]":
        """The plain subscriptions and the shares that a topic name reaches."""
        plain: list[tuple[Session, Subscription]] = []
        shares: list[Share] = []
        if not self.count:
            return plain, shares
        for node in self._nodes(topic_name):
            plain += node.subscribers.items()
            shares += node.shares.values()
        return plain, shares

    def reaches_below(self, parent: str) -> bool:
        """Whether some filter may match a topic right below this one, given with its slash.

        It does not begin with $.
        """
        nodes = [self._root]
        for level in parent.split("/")[:-1]:
            deeper: list[_Node] = []
            for node in nodes:
                children = node.children
                if "#" in children:
                    return True
                deeper += [children[each] for each in (level, "+") if each in children]
            nodes = deeper
        return any(node.children for node in nodes)

    def of_session(
        self, session: "Session", topic_name: str, held: Collection[str]
    ) -> tuple[bool, list[str]]:
        """Whether a plain subscription of a session reaches a topic name, and its shares that do.

        `held` are the names of its shares. Of however many subscriptions only those that match are
        looked at, and of the shares that others have none.
        """
        plain = False
        shares: list[str] = []
        for node in self._nodes(topic_name):
            plain = plain or session in node.subscribers
            names = held if len(held) < len(node.shares) else node.shares
            for name in names:
                share = node.shares.get(name)
                own = None if share is None else share.members.get(session)
                if own is not None:
                    shares.append(own.topic_filter)
        return plain, shares

    def _nodes(self, topic_name: str) -> Iterator[_Node]:
        levels = topic_name.split("/")
        nodes = [self._root]
        # Wildcards in front never match what begins with $ [MQTT-4.7.2-1].
        wildcards = not topic_name.startswith("$")
        for level in levels:
            # All nodes that match so far: each level doubles them at the most (itself and +), so
            # that a name of few levels visits few of even a million filters.
            deeper: list[_Node] = []
            for node in nodes:
                children = node.children
                if level in children:
                    deeper.append(children[level])
                if wildcards:
                    if "+" in children:
                        deeper.append(children["+"])
                    if "#" in children:
                        yield children["#"]
            nodes = deeper
            wildcards = True
        for node in nodes:
            yield node
            # `a/#` matches `a` as well (4.7.1.2).
            if "#" in node.children:
                yield node.children["#"]
