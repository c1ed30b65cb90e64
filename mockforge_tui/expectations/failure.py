"""Why an expectation was not met: all that a person would look up next, on one page."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from mockforge_brokers.protocols import protocol_of, title_of

from .. import text
from ..fixtures.expected.conditions import ANYTHING, Difference
from ..fixtures.expected.model import (
    Came,
    Client,
    Consumers,
    Drained,
    Expectation,
    Frames,
    GroupAt,
    Settled,
    place,
)
from ..fixtures.messages import Watch
from ..nearest import get_close_matches
from .check import Check
from .checks import CameCheck, FaultCheck, FrameCheck, OrderCheck, is_at
from .frames import described
from .message import Message
from .observed import Observed

_LOOKED_AT: Final = 2_000
"""Messages among which the nearest is sought."""
_PLACES: Final = 12
_SURPLUS: Final = 5
_ELSEWHERE: Final = 1.5
"""Differences that another destination counts for."""
_GLOB: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Nearest:
    """The message that came closest."""

    place: str
    payload: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met; `about` is what `why` can be asked about, if anything."""

    expected: str
    seen: str
    nearest: Nearest | None = None
    surplus: tuple[str, ...] = ()
    """Messages that should not have come."""
    came: tuple[tuple[str, int], ...] = ()
    """Destinations that did get messages, with how many."""
    connected: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    suggestion: str = ""
    about: str = ""

    def lines(self) -> Iterator[tuple[str, str]]:
        """What it says, each line with its label; a label is said once."""
        yield "expected", self.expected
        yield "seen", self.seen
        yield from _labelled("too many", self.surplus)
        if self.nearest is not None:
            yield "nearest", f"{self.nearest.place}  {self.nearest.payload}"
            for each in self.nearest.differences:
                yield "", f"{each.path}: - {each.expected}"
                yield "", f"{' ' * len(each.path)}  + {each.actual}"
        counts = ", ".join(f"{name} ×{count:,}" for name, count in self.came[:_PLACES])
        more = f" and {len(self.came) - _PLACES} more" if len(self.came) > _PLACES else ""
        yield "came", counts + more if counts else "no message to any destination"
        yield "connected", ", ".join(self.connected) or "nobody"
        yield from _labelled("fault", self.faults)
        if self.suggestion:
            yield "try", self.suggestion

    def as_text(self) -> str:
        """A page for people; no terminal obeys what clients put into it."""
        return "\n".join(
            f"{label:<10}{text.clean(shown)}".rstrip() for label, shown in self.lines()
        )

    def as_json(self) -> dict[str, Any]:
        nearest = self.nearest
        return {
            "expected": self.expected,
            "seen": self.seen,
            "too_many": list(self.surplus),
            "nearest": None
            if nearest is None
            else {
                "place": nearest.place,
                "payload": nearest.payload,
                "differences": [each._asdict() for each in nearest.differences],
            },
            "came": dict(self.came),
            "connected": list(self.connected),
            "faults": list(self.faults),
            "suggestion": self.suggestion,
            "text": self.as_text(),
        }


def failure_of(expectation: Expectation, check: Check, observed: Observed, since: int) -> Failure:
    """All there is to say of an expectation that its check found unmet."""
    came = Counter(_address(message) for message in observed.record.since(since))
    wanted = _wanted(expectation, check)
    surplus = _surplus(expectation, check)
    nearest = None
    if wanted is not None and not surplus:
        nearest = _nearest(wanted, check, observed, since)
    elif isinstance(check, FrameCheck) and not surplus:
        nearest = _nearest_frame(check)
    lost = observed.record.lost(since)
    return Failure(
        str(expectation),
        check.seen + (f" ({lost:,} messages were too many to be kept)" if lost else ""),
        nearest,
        surplus,
        tuple(came.most_common()),
        tuple(_connected(observed)),
        tuple(_faults(observed, check)),
        "" if surplus else _suggestion(wanted, came, observed, lost),
        _about(expectation),
    )


def _labelled(label: str, shown: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return ((label if not number else "", each) for number, each in enumerate(shown))


def _wanted(expectation: Expectation, check: Check) -> Came | None:
    """The message that is missing."""
    if isinstance(expectation, Came):
        return expectation
    return check.missing if isinstance(check, OrderCheck) else None


def _nearest_frame(check: FrameCheck) -> Nearest | None:
    found = check.shown.nearest()
    if found is None:
        return None
    row, failed = found
    place = described(row)
    return Nearest(place, "", tuple(Difference("frame", term, place) for term in failed))


def _surplus(expectation: Expectation, check: Check) -> tuple[str, ...]:
    if isinstance(expectation, Frames) and expectation.most is not None:
        extra_frames = check.frames[expectation.most : expectation.most + _SURPLUS]
        return tuple(map(described, extra_frames))
    most = expectation.most if isinstance(expectation, Came) else None
    if most is None or not isinstance(check, CameCheck) or check.count <= most:
        return ()
    extra = check.found[most : most + _SURPLUS]
    return tuple(f"{each.place}  {_payload(each)}" for each in extra)


def _nearest(wanted: Came, check: Check, observed: Observed, since: int) -> Nearest | None:
    """Of the newest messages that are not what was wanted, the one with the fewest differences."""
    at = is_at(wanted.watch)
    found = {message.number for message in check.found}
    best: tuple[float, Message, list[Difference]] | None = None
    newest = reversed(tuple(observed.record.since(since)))
    for message in islice(newest, _LOOKED_AT):
        there = at(message)
        if message.number in found or (not there and wanted.where is ANYTHING):
            continue
        differences = wanted.where.differences(message.view)
        score = len(differences) + (0 if there else _ELSEWHERE)
        if not there:
            differences.insert(0, Difference("to", place(wanted.watch), _address(message)))
            score += message.protocol != wanted.watch.protocol
        if best is None or score < best[0]:
            best = score, message, differences
    if best is None:
        return None
    _, message, differences = best
    return Nearest(message.place, _payload(message), tuple(differences))


def _payload(message: Message) -> str:
    if message.payload is None:
        return "(no payload)"
    return text.decode(message.payload, 160)


def _address(message: Message) -> str:
    if protocol_of(message.protocol).routed:
        return f"{message.protocol}:{message.destination}/{message.routing_key}"
    return f"{message.protocol}:{message.destination}"


def _connected(observed: Observed) -> Iterator[str]:
    for protocol, broker in observed.brokers.items():
        for view in broker.connections():
            yield f"{view.client or view.address} ({protocol})"


def _faults(observed: Observed, check: Check) -> Iterator[str]:
    for rule in observed.faults.rules.values():
        if rule.enabled or (isinstance(check, FaultCheck) and check.rule is rule):
            name = f" {rule.name}" if rule.name else ""
            scope = rule.scope or "everything"
            yield f"{rule.id}{name}: {rule.kind} {scope}, {rule.hits} hits of {rule.seen} matches"


def _suggestion(wanted: Came | None, came: Counter[str], observed: Observed, lost: int) -> str:
    """One thing to do, from what the record shows; `why` knows more where this is empty."""
    if lost:
        return "keep more of them with --keep-messages"
    if wanted is None:
        return ""
    if _came_too_early(observed):
        return "messages are kept from the first expect on: --keep-messages N keeps those before"
    if (queue := _missing_queue(wanted.watch, observed)) is not None:
        return f"there is no queue {queue}: who declares it, and is that done before?"
    name = _destination(wanted.watch)
    others = [each for each in came if each != name]
    if name not in came and (near := get_close_matches(name, others, 1, 0.75)):
        return f"{came[near[0]]:,} came to {near[0]}: is that the name that was meant?"
    return _nobody(wanted.watch.protocol, came, observed)


def _missing_queue(watch: Watch, observed: Observed) -> str | None:
    """The queue that is watched by its very name and is not there: what was sent to it is gone."""
    broker, name = observed.brokers.get(watch.protocol), watch.destination
    if broker is None or watch.kind != "queue" or not _GLOB.isdisjoint(name):
        return None
    queues = {each.name for each in broker.destinations() if each.kind == "queue"}
    return None if name in queues else name


def _came_too_early(observed: Observed) -> bool:
    """The record is empty, though messages came to the brokers before it began."""
    return not observed.record.newest and any(
        view.messages_in for broker in observed.brokers.values() for view in broker.destinations()
    )


def _nobody(protocol: str, came: Counter[str], observed: Observed) -> str:
    broker = observed.brokers.get(protocol)
    if broker is None:
        return f"{title_of(protocol)} is not served here"
    if broker.connections() or any(name.startswith(f"{protocol}:") for name in came):
        return ""
    listeners = [each for each in observed.listeners if each.protocol == protocol]
    where = f" ({broker.address(listeners[0])})" if listeners else ""
    return f"nobody is connected to {title_of(protocol)}{where}: does the client use this address?"


def _destination(watch: Watch) -> str:
    return place(watch._replace(kind="topic") if watch.kind == "queue" else watch)


def _about(expectation: Expectation) -> str:
    """What `why` takes for the subject: who should have taken something, and did not."""
    match expectation:
        case GroupAt():
            return expectation.group
        case Drained() | Consumers() | Settled():
            return f"queue:{expectation.queue}"
        case Client():
            return expectation.name
    return ""
