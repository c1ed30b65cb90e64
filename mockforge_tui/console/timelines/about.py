"""The ways of each protocol's messages behind one face, for whoever asks about all of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from mockforge_brokers.journal import Row

from ..lookup import amqp as amqp_broker
from ..routing import queues
from ..targets import AmqpTarget, KafkaTarget, MqttTarget, Place, QueueTarget, host_of
from . import amqp, kafka, mqtt
from .course import Course, Step

if TYPE_CHECKING:
    from ..session import Session


class Timelines(ABC):
    """The messages of one protocol."""

    protocol: ClassVar[str]

    def __init__(self, session: "Session") -> None:
        self.session = session

    @abstractmethod
    def courses(self, rows: Sequence[Row], *, up_to_now: bool) -> list[Course]:
        """The ways of all messages among rows, which are in order."""

    def waiting(self, course: Course) -> list[Step]:
        """Where a message went that nobody took yet, by what the broker has right now."""
        return []


class KafkaTimelines(Timelines):
    """Who was away fetches later: a record waits for nobody in particular."""

    protocol = KafkaTarget.protocol

    def courses(self, rows: Sequence[Row], *, up_to_now: bool) -> list[Course]:
        return kafka.courses(rows)


class MqttTimelines(Timelines):
    protocol = MqttTarget.protocol

    def courses(self, rows: Sequence[Row], *, up_to_now: bool) -> list[Course]:
        return mqtt.courses(rows)


class AmqpTimelines(Timelines):
    protocol = AmqpTarget.protocol

    def courses(self, rows: Sequence[Row], *, up_to_now: bool) -> list[Course]:
        channels = amqp_broker(self.session).channels() if up_to_now else ()
        counts = {(each.connection, each.number): each.published for each in channels}
        return amqp.courses(rows, lambda connection, number: counts.get((connection, number)))

    def waiting(self, course: Course) -> list[Step]:
        start, broker = course.start, amqp_broker(self.session)
        if start is None or start.detail.get("unroutable"):
            return []
        # By the row: its connection may be gone. What comes from inside opened none.
        host = broker.vhosts.get(start.origin.vhost or "/")
        if host is None:
            return []
        exchange, key = str(start.detail["exchange"]), str(start.detail["routing_key"])
        taken = {each.place for each in course.steps}
        return [
            Step("not delivered", place=each.name, note=each.note)
            for each in queues(host, exchange, key, dict(start.headers))
            if each.name not in taken
        ]


TIMELINES: Final[dict[str, type[Timelines]]] = {
    each.protocol: each for each in (KafkaTimelines, MqttTimelines, AmqpTimelines)
}
"""By the protocol's name."""


def is_of(course: Course, target: Place) -> bool:
    """Whether a message went to a topic, exchange, partition or queue."""
    first = course.steps[0].row
    assert first is not None
    match target:
        case KafkaTarget(topic, partition, offset):
            at = f"{topic} p{first.detail.get('partition')}@{offset}"
            here = first.destination == topic and partition in (None, first.detail["partition"])
            return here and (offset is None or any(each.place == at for each in course.steps))
        case MqttTarget(topic):
            return course.steps[0].place == topic
        case AmqpTarget(exchange, key, vhost):
            detail = first.detail
            here = detail.get("exchange") == exchange and key in ("", detail.get("routing_key"))
            return here and _is_in(first, vhost)
        case QueueTarget(name, vhost):
            detail = first.detail
            direct = not detail.get("exchange") and detail.get("routing_key") == name
            here = direct or any(each.place == name for each in course.steps)
            return here and _is_in(first, vhost)


def _is_in(row: Row, vhost: str | None) -> bool:
    return vhost is None or (host_of(row) or "/") == vhost
