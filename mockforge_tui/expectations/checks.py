"""Whether an expectation is met right now, of each kind."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Final, NamedTuple, assert_never

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.findings import ERROR, SEVERITIES
from mockforge_brokers.kafka.snapshots import host_of
from mockforge_brokers.misbehaviour.rules import Rule
from mockforge_brokers.snapshots import DestinationView, GroupView

from .. import units
from ..fixtures.addresses import glob, mqtt_matches, topic_key_matches
from ..fixtures.expected.model import (
    Came,
    Client,
    Consumers,
    Drained,
    Expectation,
    FaultHit,
    Frames,
    GroupAt,
    InOrder,
    LintClean,
    Settled,
    counted,
    frames_counted,
)
from ..fixtures.messages import Watch
from .check import Check, State
from .frames import FrameLook
from .message import Message
from .observed import Observed
from .settled import SettledCheck

MOST_FOUND: Final = 10_000
"""Messages that a check hands out; it counts them all."""


def check_of(expectation: Expectation, observed: Observed, since: int) -> Check:
    """A check that counts messages after number `since`. Raises InvalidInput."""
    match expectation:
        case Came():
            return CameCheck(expectation, observed, since)
        case Frames():
            return FrameCheck(expectation, observed, since)
        case InOrder():
            return OrderCheck(expectation, observed, since)
        case GroupAt():
            return GroupCheck(expectation, observed)
        case Drained() | Consumers() | Settled():
            return _of_queue(expectation, observed, since)
        case Client():
            return ClientCheck(expectation, observed)
        case FaultHit():
            return FaultCheck(expectation, observed)
        case LintClean():
            return LintCheck(expectation, observed)
        case _:
            assert_never(expectation)


def _of_queue(expectation: Drained | Consumers | Settled, observed: Observed, since: int) -> Check:
    match expectation:
        case Drained():
            return DrainedCheck(expectation, observed)
        case Consumers():
            return ConsumersCheck(expectation, observed)
        case Settled(queue):
            record = observed.record
            return SettledCheck(
                expectation,
                record.settlements,
                record.settled(since),
                lambda: _host_of_queue(queue, observed),
            )


def is_at(watch: Watch) -> Callable[[Message], bool]:
    """Whether a message came to this destination."""
    protocol, destination, kind, binding_key = watch
    match kind:
        case "topic":
            topic = glob(destination)
            return lambda m: m.protocol == protocol and bool(topic.fullmatch(m.destination))
        case "filter":
            return lambda m: m.protocol == protocol and mqtt_matches(destination, m.destination)
        case "queue":
            queue = glob(destination)
            return lambda m: any(queue.fullmatch(each) for each in m.queues)
        case "exchange":
            exchange = glob(destination)
            return lambda m: (
                m.protocol == protocol
                and bool(exchange.fullmatch(m.destination))
                and topic_key_matches(binding_key, m.routing_key or "")
            )


class _Reader:
    """Messages of the record, each once."""

    def __init__(self, observed: Observed, since: int) -> None:
        self._record = observed.record
        self._at = since

    def fresh(self) -> Iterator[Message]:
        for message in self._record.since(self._at):
            self._at = message.number
            yield message


class CameCheck(Check):
    def __init__(self, expectation: Came, observed: Observed, since: int) -> None:
        super().__init__()
        self.count = 0
        self._expected = expectation
        self._is_at = is_at(expectation.watch)
        self._reader = _Reader(observed, since)

    def look(self) -> State:
        expected = self._expected
        for message in self._reader.fresh():
            if self._is_at(message) and expected.where(message.view):
                self.count += 1
                if len(self.found) < MOST_FOUND:
                    self.found.append(message)
        if expected.most is not None and self.count > expected.most:
            return State.BROKEN
        return State.MET if self.count >= expected.least else State.OPEN

    @property
    def seen(self) -> str:
        return counted(self.count) if self.count else "none"


class FrameCheck(Check):
    """By the journal. Raises InvalidInput where there is none."""

    def __init__(self, expectation: Frames, observed: Observed, since: int) -> None:
        super().__init__()
        self._expected = expectation
        self.shown = FrameLook(
            expectation.match, observed.journal, observed.record.journaled(since)
        )
        self.certain = expectation.most is None

    def close(self) -> None:
        self.shown.close()
        self.behind = self.shown.behind

    def look(self) -> State:
        expected, shown = self._expected, self.shown
        shown.go_on()
        self.frames, self.behind = shown.found, shown.behind
        if expected.most is not None and shown.count > expected.most:
            return State.BROKEN
        return State.MET if shown.count >= expected.least else State.OPEN

    @property
    def seen(self) -> str:
        return (
            f"{frames_counted(self.shown.count)}{self.shown.lost}"
            if self.shown.count
            else f"none{self.shown.lost}"
        )


class OrderCheck(Check):
    """The first message for each part, behind the one for the part before."""

    def __init__(self, expectation: InOrder, observed: Observed, since: int) -> None:
        super().__init__()
        self._parts = [(is_at(part.watch), part) for part in expectation.parts]
        self._reader = _Reader(observed, since)

    @property
    def missing(self) -> Came | None:
        """The part that has no message yet."""
        at = len(self.found)
        return self._parts[at][1] if at < len(self._parts) else None

    def look(self) -> State:
        for message in self._reader.fresh():
            if len(self.found) == len(self._parts):
                break
            at, part = self._parts[len(self.found)]
            if at(message) and part.where(message.view):
                self.found.append(message)
        return State.MET if len(self.found) == len(self._parts) else State.OPEN

    @property
    def seen(self) -> str:
        total = len(self._parts)
        return f"the first {len(self.found)} of {total}" if self.found else f"none of {total}"


_Partition = tuple[str, int]
_Client = tuple[str, str]
"""Its name (client.id) and its host: all that a group knows of where its member reads."""


class _NotCommitted(NamedTuple):
    behind: dict[_Partition, int]
    """Records that its members have to read, by partition."""
    begun: bool
    """There are such partitions, and a member reads each of them."""
    alike: set[str]
    """Names of members that other clients have, too, which began to read at other places."""


class GroupCheck(Check):
    def __init__(self, expectation: GroupAt, observed: Observed) -> None:
        super().__init__()
        self._expected = expectation
        self._observed = observed
        self._seen = ""

    def look(self) -> State:
        expected = self._expected
        kafka = self._observed.brokers.kafka
        # Asked again and again while it waits, however many other groups there are.
        group = None if kafka is None else kafka.group(expected.group)
        if group is None:
            self._seen = "there is no such group"
            return State.OPEN
        offsets = [
            each
            for each in group.detail.get("offsets", ())
            if each.lag is not None and expected.topic in ("", each.topic)
        ]
        left = self._not_committed(group, {(each.topic, each.partition) for each in offsets})
        if not offsets and not left.begun:
            where = f" in {expected.topic}" if expected.topic else ""
            self._seen = f"the group is {group.state} and has committed nothing{where}"
            return State.OPEN
        lag = sum(each.lag for each in offsets) + sum(left.behind.values())
        self._seen = f"lag {lag:,}, {group.state} with {group.members} members"
        if left.behind:
            places = ", ".join(f"{topic} p{number}" for topic, number in left.behind)
            self._seen += f"; nothing is committed in {places}"
        if left.alike:
            names = ", ".join(sorted(left.alike))
            self._seen += f"; several clients are called {names}, give each its own client.id"
        return State.MET if lag <= expected.lag else State.OPEN

    def _not_committed(self, group: GroupView, committed: set[_Partition]) -> "_NotCommitted":
        """Of partitions that the group reads and has committed nothing in.

        It is behind there too, though no commit says how far. Which it reads its members say; of
        one without members it is all partitions of the topics where it has committed, unless it
        never had any: whoever only commits (`assign`) chose its partitions itself.
        """
        kafka = self._observed.brokers.kafka
        readers: dict[_Partition, _Client] = {
            (topic, number): (member.client, member.host)
            for member in group.detail.get("members", ())
            for topic, numbers in member.assigned
            for number in numbers
        }
        whole = {topic for topic, _ in committed} if group.detail.get("protocol_type") else set()
        starts = self._starts() if readers.keys() - committed else {}
        behind: dict[_Partition, int] = {}
        known: list[bool] = []
        alike: set[str] = set()
        for topic in sorted({topic for topic, _ in readers} or whole):
            if kafka is None or not kafka.has_topic(topic):
                continue
            if self._expected.topic not in ("", topic):
                continue
            for number, (first, end) in enumerate(kafka.offsets(topic)):
                at = topic, number
                if at in committed or (readers and at not in readers):
                    continue
                client = readers.get(at, ("", ""))
                found = starts.get((client, at), set())
                known.append(bool(found))
                # Of two clients of one name it is the one that has more to read: better it waits
                # too long for one that skipped what was there (`auto.offset.reset=latest`) than
                # too short for one that did not.
                if end > (start := max(first, min(found, default=0))):
                    behind[at] = end - start
                    if len(found) > 1:
                        alike.add(client[0])
        return _NotCommitted(behind, bool(known) and all(known), alike)

    def _starts(self) -> dict[tuple[_Client, _Partition], set[int]]:
        """Where clients began to read partitions."""
        kafka = self._observed.brokers.kafka
        starts: dict[tuple[_Client, _Partition], set[int]] = {}
        for view in () if kafka is None else kafka.connections():
            client = view.client, host_of(view.address)
            for each in view.detail.get("fetching", ()):
                starts.setdefault((client, (each.topic, each.partition)), set()).add(each.first)
        return starts

    @property
    def seen(self) -> str:
        return self._seen


def _queue_view(name: str, observed: Observed) -> DestinationView | None:
    # Asked again and again while it waits, however many other queues there are.
    amqp = observed.brokers.amqp
    return None if amqp is None else amqp.queue_named(name)


def _host_of_queue(name: str, observed: Observed) -> str | None:
    """The virtual host that `_queue_view` finds it in."""
    view = _queue_view(name, observed)
    return None if view is None else view.detail["vhost"]


class _QueueCheck(Check):
    """By the view of one queue."""

    def __init__(self, name: str, observed: Observed) -> None:
        super().__init__()
        self._name = name
        self._observed = observed
        self._seen = ""

    def _view(self) -> DestinationView | None:
        return _queue_view(self._name, self._observed)

    @property
    def seen(self) -> str:
        return self._seen


class ConsumersCheck(_QueueCheck):
    def __init__(self, expectation: Consumers, observed: Observed) -> None:
        super().__init__(expectation.queue, observed)
        self._expected = expectation

    def look(self) -> State:
        expected, view = self._expected, self._view()
        if view is None:
            self._seen = "there is no such queue"
            return State.OPEN
        count = int(view.detail.get("consumers") or 0)
        self._seen = units.counted(count, "consumer")
        most = count if expected.most is None else expected.most
        return State.MET if expected.least <= count <= most else State.OPEN


class DrainedCheck(_QueueCheck):
    def __init__(self, expectation: Drained, observed: Observed) -> None:
        super().__init__(expectation.queue, observed)

    def look(self) -> State:
        view = self._view()
        if view is None:
            self._seen = "there is no such queue"
            return State.OPEN
        ready, unacked = view.depth or 0, int(view.detail.get("unacked") or 0)
        self._seen = f"{ready:,} ready, {unacked:,} unacknowledged"
        return State.OPEN if ready or unacked else State.MET


class ClientCheck(Check):
    def __init__(self, expectation: Client, observed: Observed) -> None:
        super().__init__()
        self._expected = expectation
        self._observed = observed
        self._there = 0

    def look(self) -> State:
        expected = self._expected
        self._there = sum(
            fnmatchcase(client, expected.name)
            for protocol, broker in self._observed.brokers.items()
            if expected.protocol in ("", protocol)
            # Ten thousand views, a hundred times a second, would leave no time for clients.
            for client in broker.clients()
        )
        return State.MET if bool(self._there) == expected.connected else State.OPEN

    @property
    def seen(self) -> str:
        return f"{self._there} of that name connected"


class FaultCheck(Check):
    """Raises InvalidInput for a fault that is not there."""

    def __init__(self, expectation: FaultHit, observed: Observed) -> None:
        super().__init__()
        self._hits = expectation.hits
        self.rule = find_rule(observed, expectation.fault)

    def look(self) -> State:
        return State.MET if self.rule.hits >= self._hits else State.OPEN

    @property
    def seen(self) -> str:
        return f"{self.rule.hits} hits; {self.rule.seen} frames matched it"


class LintCheck(Check):
    """Looks at what `lint ls` shows, and at violations, of which it has not all."""

    def __init__(self, expectation: LintClean, observed: Observed) -> None:
        super().__init__()
        self._severities = SEVERITIES if expectation.warnings else (ERROR,)
        self._observed = observed
        self._found: list[str] = []

    def look(self) -> State:
        found = [(event.client, event.reason) for event in self._observed.violations.events]
        for _, findings in self._observed.brokers.findings():
            found += [
                (each.client, each.text)
                for each in findings.views()
                if each.severity in self._severities
            ]
        # What ended a connection of MQTT is both.
        self._found = [
            f"{client or 'a client without a name'}: {text}"
            for client, text in dict.fromkeys(found)
        ]
        return State.BROKEN if self._found else State.MET

    @property
    def seen(self) -> str:
        return "; ".join(self._found[:5]) or "nothing"


def find_rule(observed: Observed, name: str) -> Rule:
    """A fault by its number or its name in a file. Raises InvalidInput."""
    for rule in observed.faults.rules.values():
        if name in (str(rule.id), rule.name):
            return rule
    raise InvalidInput(f"there is no fault {name}; fault ls lists them")
