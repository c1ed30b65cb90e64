"""The way of AMQP's messages: published, confirmed, delivered, settled, delivered again.

AMQP gives messages no name. A delivery is of the publish with the same exchange, routing key,
properties and body; of several that are alike, a queue delivers the first one first. A dead letter
says in its x-death where it was published.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mockforge_brokers.journal import IN, Row

from .alike import Alike, Beginnings, Lane
from .course import Course, texted

Numbers = Callable[[int, int], int | None]
"""How many messages a channel of a connection published in confirm mode; None: not known."""

_ADDED: Final = (
    "x-death",
    "x-first-death-",
    "x-last-death-",
    "x-delivery-count",
    "x-acquired-count",
    "x-stream-offset",
    "CC",
    "BCC",
)
"""How headers begin which brokers add or take away."""
_FIRST_HOST: Final = "/"
_DELIVERIES: Final = ("basic.deliver", "basic.get-ok")


@dataclass(slots=True)
class _Channel:
    """`base`: how many were published before those of `published` (None: not known)."""

    base: int | None = None
    published: list[Course] = field(default_factory=list)
    answers: list[Row] = field(default_factory=list)
    unacked: dict[int, tuple[Course, Lane, str]] = field(default_factory=dict)
    asked: Row | None = None
    """The consume or get that waits for its answer."""
    no_ack: set[str] = field(default_factory=set)
    declared: str = ""
    """The queue that an empty name means."""
    declares: deque[int] = field(default_factory=deque)
    """Declares that wait for their answer, each as the number of messages published until then."""


def courses(rows: Sequence[Row], numbers: Numbers) -> list[Course]:
    """Those of all messages of these rows, which are in order and go up to now."""
    walk = _Walk()
    for row in rows:
        walk.take(row)
    walk.confirm(numbers)
    return walk.courses


class _Walk:
    def __init__(self) -> None:
        self.courses: list[Course] = []
        self._published = 0
        self._alike: dict[str, Alike] = {}
        self._beginnings = Beginnings()
        self._channels: dict[tuple[int, int], _Channel] = {}
        self._closed: list[_Channel] = []
        """Those whose number was opened again."""

    def take(self, row: Row) -> None:
        number = row.detail.get("channel", 0)
        channel = self._channels.setdefault((row.connection, number), _Channel())
        match row.operation:
            case "channel.open":
                # It counts its publishes from 1 again.
                self._closed.append(channel)
                self._channels[row.connection, number] = _Channel()
            case "basic.publish":
                self._publish(channel, row)
            case "basic.return":
                self._returned(row)
            case "basic.deliver" | "basic.get-ok":
                self._deliver(channel, row)
            case "basic.ack" | "basic.nack" | "basic.reject":
                # Those that go out are confirms.
                _settle(channel, row) if row.direction == IN else channel.answers.append(row)
            case "queue.declare" | "queue.declare-ok" | "queue.bind":
                self._begin(channel, row)
            case "connection.close":
                self._close(row)
            case operation if operation in _OF_CHANNEL:
                _OF_CHANNEL[operation](channel, row)

    def _publish(self, channel: _Channel, row: Row) -> None:
        course = Course(row)
        course.add("published", row, _address(row), _wanted(row))
        if row.detail.get("unroutable"):
            course.add("unroutable", row, _address(row), "reached no queue")
        self.courses.append(course)
        channel.published.append(course)
        alike = self._alike.setdefault(_identity(row), Alike())
        alike.courses.append(course)
        alike.numbers.append(self._published)
        self._published += 1

    def _begin(self, channel: _Channel, row: Row) -> None:
        """A queue is there, or is bound: what was published before is not in it."""
        detail, host = row.detail, _host(row)
        match row.operation:
            case "queue.declare":
                # Publishes may follow before it is answered.
                if not detail["no_wait"]:
                    channel.declares.append(self._published)
            case "queue.declare-ok":
                channel.declared = detail["queue"]
                number = channel.declares.popleft() if channel.declares else 0
                # One that was there already may have some of before.
                if not detail["message_count"]:
                    self._beginnings.declared(host, channel.declared, number)
            case "queue.bind":
                queue = detail["queue"] or channel.declared
                self._beginnings.bound(host, queue, detail["exchange"], self._published)

    def _close(self, row: Row) -> None:
        for (connection, _), channel in self._channels.items():
            if connection == row.connection:
                _give_back(channel, row, "its connection was closed")

    def _returned(self, row: Row) -> None:
        alike = self._alike.get(_identity(row))
        course = None if alike is None else alike.returned()
        if course is not None:
            code, text = row.detail.get("reply_code"), row.detail.get("reply_text")
            course.add("returned", row, _address(row), f"{code} {text}")

    def _deliver(self, channel: _Channel, row: Row) -> None:
        deaths = _deaths(row)
        queue, tag = _queue(channel, row), row.detail["delivery_tag"]
        alike = self._alike.setdefault(_identity(row), Alike())
        count = sum(each.get("count", 1) for each in deaths)
        last = (str(deaths[0]["queue"]), str(deaths[0]["reason"])) if deaths else ("", "")
        lane = alike.lane(queue, count, *last)
        since = self._beginnings.of(_host(row), queue, row.detail["exchange"])
        course = _taken_again(lane) if row.detail.get("redelivered") else None
        if course is None and not row.detail.get("redelivered"):
            course = alike.delivered(lane, since)
        if course is None:
            # Nobody saw its publish.
            course = Course(None)
            self.courses.append(course)
        no_ack = _wants_no_ack(channel, row)
        notes = [f"tag {tag}"]
        notes += ["redelivered"] if row.detail.get("redelivered") else []
        notes += [f"dead letter of {deaths[0]['queue']}: {deaths[0]['reason']}"] if deaths else []
        notes += ["needs no ack"] if no_ack else []
        course.add("delivered", row, queue, ", ".join(notes))
        if not no_ack:
            lane.out.append(course)
            channel.unacked[tag] = (course, lane, queue)

    def confirm(self, numbers: Numbers) -> None:
        """Give publishes their confirms, by number."""
        # What is known now is of the channels that are open now.
        for channel in self._closed:
            if channel.base is not None:
                _confirm(channel, channel.base)
        for (connection, number), channel in self._channels.items():
            base, count = channel.base, len(channel.published)
            if base is None and channel.answers:
                known = numbers(connection, number)
                base = None if known is None else known - count
            if base is not None:
                _confirm(channel, base)


def _confirm(channel: _Channel, base: int) -> None:
    done = 0
    for row in channel.answers:
        last = row.detail["delivery_tag"] - base
        first = done if row.detail["multiple"] else last - 1
        for course in channel.published[max(0, first) : max(0, last)]:
            what = "confirmed" if row.operation == "basic.ack" else "refused"
            course.add(what, row, note=_tags(row))
        done = max(done, last)


def _taken_again(lane: Lane) -> Course | None:
    # What ended without a frame, as a socket does, gave back what it had, oldest first.
    for waiting in (lane.back, lane.out):
        if waiting:
            first = waiting[0]
            del waiting[0]
            return first
    return None


def _select_confirms(channel: _Channel, row: Row) -> None:
    """Publishes are numbered from here on; to select it again changes nothing."""
    if channel.base is None:
        channel.base = 0
        channel.published.clear()


def _ask(channel: _Channel, row: Row) -> None:
    channel.asked = row
    if row.operation == "basic.consume" and row.detail["no_ack"]:
        channel.no_ack.add(row.detail["consumer_tag"])


def _consume_ok(channel: _Channel, row: Row) -> None:
    """The broker may have made the tag."""
    if channel.asked is not None and channel.asked.detail["no_ack"]:
        channel.no_ack.add(row.detail["consumer_tag"])


def _settle(channel: _Channel, row: Row) -> None:
    tag, multiple = row.detail["delivery_tag"], row.detail.get("multiple", False)
    tags = [each for each in channel.unacked if not tag or each <= tag] if multiple else [tag]
    for each in tags:
        held = channel.unacked.pop(each, None)
        if held is None:
            continue
        course, lane, queue = held
        if course in lane.out:
            lane.out.remove(course)
        if row.operation == "basic.ack":
            course.add("acked", row, queue, _tags(row))
        elif row.detail.get("requeue"):
            lane.back.append(course)
            course.add("requeued", row, queue, _tags(row))
        else:
            course.add("rejected", row, queue, _tags(row))
            lane.rejected.append(course)


def _give_back(channel: _Channel, row: Row, why: str) -> None:
    for course, lane, queue in channel.unacked.values():
        if course in lane.out:
            lane.out.remove(course)
        lane.back.append(course)
        course.add("requeued", row, queue, why)
    channel.unacked.clear()


_OF_CHANNEL: Final[dict[str, Callable[[_Channel, Row], None]]] = {
    "confirm.select": _select_confirms,
    "basic.consume": _ask,
    "basic.get": _ask,
    "basic.consume-ok": _consume_ok,
    "basic.recover": lambda channel, row: _give_back(channel, row, "recover"),
    "basic.recover-async": lambda channel, row: _give_back(channel, row, "recover"),
    "channel.close": lambda channel, row: _give_back(channel, row, "its channel was closed"),
}
"""What changes how other frames of its channel are to be read."""


def _queue(channel: _Channel, row: Row) -> str:
    if row.operation == "basic.get-ok":
        return str(channel.asked.detail["queue"]) if channel.asked is not None else ""
    return str(row.detail.get("queue", ""))


def _wants_no_ack(channel: _Channel, row: Row) -> bool:
    if row.operation == "basic.get-ok":
        return channel.asked is not None and bool(channel.asked.detail["no_ack"])
    return row.detail["consumer_tag"] in channel.no_ack


def _tags(row: Row) -> str:
    tag = row.detail["delivery_tag"]
    return f"all up to tag {tag}" if row.detail.get("multiple") else f"tag {tag}"


def _address(row: Row) -> str:
    return f"{row.detail['exchange'] or '(default)'}/{row.detail['routing_key']}"


def _wanted(row: Row) -> str:
    """What its publisher asks for: `mandatory, persistent, expires after 500 ms`."""
    properties = row.detail.get("properties") or {}
    wanted = ["mandatory"] if row.detail.get("mandatory") else []
    wanted += ["persistent"] if properties.get("delivery_mode") == 2 else []
    wanted += [f"expires after {properties['expiration']} ms"] if "expiration" in properties else []
    where = [] if _host(row) == _FIRST_HOST else [f"in virtual host {_host(row)}"]
    return ", ".join([f"{row.size} B", *where, *wanted])


def _deaths(row: Row) -> list[dict[str, Any]]:
    """The entries of x-death, the newest first; nothing of one that is not RabbitMQ's."""
    found = dict(row.headers).get("x-death")
    if row.operation not in _DELIVERIES or not isinstance(found, list):
        return []
    return found if all(_is_death(each) for each in found) else []


def _is_death(entry: object) -> bool:
    """A client may write what it likes there."""
    if not isinstance(entry, dict) or not {"queue", "reason"} <= set(entry):
        return False
    return isinstance(entry.get("count", 1), int)


def _identity(row: Row) -> str:
    """All that stays of a message on its way, and where that is: hosts share no queue."""
    exchange, key = row.detail["exchange"], row.detail["routing_key"]
    deaths = _deaths(row)
    if deaths:
        oldest = deaths[-1]
        exchange, key = oldest.get("exchange"), (oldest.get("routing-keys") or [None])[0]
    properties = dict(row.detail.get("properties") or {})
    # A dead letter has none any more.
    properties.pop("expiration", None)
    kept = [(name, value) for name, value in row.headers if not str(name).startswith(_ADDED)]
    return texted(
        (_host(row), exchange, key, row.payload, sorted(properties.items()), sorted(kept, key=repr))
    )


def _host(row: Row) -> str:
    return row.origin.vhost or _FIRST_HOST
