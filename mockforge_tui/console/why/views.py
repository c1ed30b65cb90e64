"""What the rules look at, taken from the brokers of a session."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from mockforge_brokers.events import Event
from mockforge_brokers.journal import IN
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from .amqp import Amqp
from .kafka import Kafka
from .mqtt import Mqtt
from .refusals import Seen

if TYPE_CHECKING:
    from ..session import Session


V = TypeVar("V", ConnectionView, DestinationView, GroupView)


def seen_of(session: "Session", protocol: str = "") -> Seen:
    """What happened in one broker of late, or in all."""
    runtime = session.runtime
    held = Counter(
        (row.connection, frame.rule)
        for frame in runtime.holds.held.values()
        for row in frame.rows[:1]
        if protocol in ("", row.protocol)
    )
    unpublished = Counter(
        (row.client, frame.rule, row.destination)
        for frame in runtime.holds.held.values()
        for row in frame.rows
        if row.kind == "message" and row.direction == IN and protocol in ("", row.protocol)
    )
    return Seen(
        _history(session, protocol),
        held,
        unpublished,
        {
            rule.id: f"{rule.kind} {rule.match.scope}".strip()
            for rule in runtime.faults.rules.values()
            if rule.enabled
        },
        runtime.clock.wall(),
    )


def _history(session: "Session", protocol: str) -> list[tuple[float, Event]]:
    history = session.runtime.spine.history
    return [each for each in history if protocol in ("", each[1].protocol)]


def own(views: Iterable[V], protocol: str) -> list[V]:
    """Those of one protocol."""
    return [each for each in views if each.protocol == protocol]


def kafka_of(session: "Session") -> Kafka:
    broker = session.runtime.brokers.kafka
    return Kafka(
        own(session.connections(), "kafka"),
        {each.name: each for each in own(session.destinations(), "kafka")},
        own(session.groups(), "kafka"),
        {each.transactional_id: each for each in (broker.transactions() if broker else ())},
        _history(session, "kafka"),
        session.runtime.clock.wall(),
    )


def mqtt_of(session: "Session") -> Mqtt:
    admin = session.runtime.brokers.mqtt
    runtime = session.runtime
    return Mqtt(
        own(session.connections(), "mqtt"),
        {str(each["client"]): each for each in (admin.sessions() if admin is not None else ())},
        {str(each["filter"]): each for each in (admin.shares() if admin is not None else ())},
        own(session.destinations(), "mqtt"),
        _history(session, "mqtt"),
        admin.lint() if admin is not None else (),
        runtime.clock.wall(),
    )


def amqp_of(session: "Session", vhost: str = "/") -> Amqp:
    """One virtual host: those of others have queues of the same names."""
    broker = session.runtime.brokers.amqp
    everywhere = own(session.destinations(), "amqp")
    views = _of_host(everywhere, vhost)
    return Amqp(
        _of_host(own(session.connections(), "amqp"), vhost),
        {each.name: each for each in views if each.kind == "queue"},
        [each for each in views if each.kind == "exchange"],
        {each.name: each for each in _of_host(own(session.groups(), "amqp"), vhost)},
        [] if broker is None else [each for each in broker.channels() if each.vhost == vhost],
        [] if broker is None else broker.memory.low,
        {
            each.name: each.detail["vhost"]
            for each in everywhere
            if each.kind == "queue" and each.detail["vhost"] != vhost and each.messages_in
        },
        _history(session, "amqp"),
        session.runtime.clock.wall(),
    )


def hosts_of(session: "Session", client: str) -> list[str]:
    """The virtual hosts that the connections of a client opened."""
    views = own(session.connections(), "amqp")
    found = dict.fromkeys(str(each.detail["vhost"]) for each in views if each.client == client)
    return list(found) or ["/"]


def _of_host(views: list[V], vhost: str) -> list[V]:
    return [each for each in views if each.detail["vhost"] == vhost]
