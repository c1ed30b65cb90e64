"""What stands in the inspector beside an AMQP queue, exchange or connection: consumers and ways.

It is looked up for the one that somebody looks at, and not with each snapshot of all.
"""

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from mockforge_brokers.amqp.state.message_paths import Room, from_exchange
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from ..units import format_duration
from .kafka_tables import Rows, Tables
from .results import Column, count
from .routing import WAYS, drawn

if TYPE_CHECKING:
    from mockforge_brokers.amqp.broker import AmqpBroker
    from mockforge_brokers.amqp.state.queues.queue import Queue
    from mockforge_brokers.amqp.state.virtual_host import VirtualHost

_MOST: Final = 200
"""Lines of one table, and what is looked at to make it: it is made anew with each picture."""
_MOST_TRIED: Final = 5 * _MOST
"""Bindings that are asked whether they take a queue's dead letters: many keys may lead to one."""


def _credit(value: Any) -> str:
    return "any" if value is None else count(value)


def _age(value: Any) -> str:
    return "–" if value is None else format_duration(value)


_CONSUMERS: Final = (
    Column("client", "client"),
    Column("tag", "consumer"),
    Column("state", "state"),
    Column("credit", "credit", _credit, right=True),
    Column("unacked", "unacked", count, right=True),
    Column("oldest", "oldest", _age, right=True),
    Column("delivered", "delivered", count, right=True),
)
_READS: Final = (Column("queue", "queue"), *_CONSUMERS[1:])
_BINDINGS: Final = (Column("exchange", "exchange"), Column("key", "binding key"))
_CHANNELS: Final = (
    Column("number", "channel", right=True),
    Column("mode", "mode"),
    Column("prefetch", "prefetch", lambda most: count(most) if most else "any", right=True),
    Column("unacked", "unacked", count, right=True),
    Column("oldest", "oldest", _age, right=True),
    Column("unconfirmed", "unconfirmed", count, right=True),
    Column("published", "published", count, right=True),
    Column("delivered", "delivered", count, right=True),
)


def beside(amqp: "AmqpBroker | None", subject: object) -> Tables:
    """Tables by name; none of what AMQP knows nothing about."""
    if amqp is None:
        return {}
    match subject:
        case DestinationView(protocol="amqp", kind=kind, name=name, detail=detail):
            host = amqp.vhosts.get(detail.get("vhost", ""))
            if host is None:
                return {}
            return _of_queue(amqp, host, name) if kind == "queue" else _of_exchange(host, name)
        case GroupView(protocol="amqp", name=name, detail=detail):
            host = amqp.vhosts.get(detail.get("vhost", ""))
            queue = host.queues.get(name) if host is not None else None
            return {} if queue is None else {"consumers": (_CONSUMERS, _consumers(amqp, queue))}
        case ConnectionView(protocol="amqp", id=number):
            channels, reads = amqp.channels([number]), amqp.consumers([number])
            return {
                "channels": (_CHANNELS, [_fields(each) for each in channels[:_MOST]]),
                "consumers": (_READS, [_fields(each) for each in reads[:_MOST]]),
            }
    return {}


def _of_queue(amqp: "AmqpBroker", host: "VirtualHost", name: str) -> Tables:
    queue = host.queues.get(name)
    if queue is None:
        return {}
    bound = (
        {"exchange": exchange, "key": binding.routing_key or "an empty key"}
        for exchange, binding in host.leading_to(queue)
    )
    room = Room(_MOST, tries=_MOST_TRIED)
    (way,) = from_exchange(host, "", name, room=room).ahead[:1]
    return {
        "consumers": (_CONSUMERS, _consumers(amqp, queue)),
        "bound to": (_BINDINGS, list(islice(bound, _MOST))),
        "dead letters": (WAYS, drawn(way.ahead)),
    }


def _of_exchange(host: "VirtualHost", name: str) -> Tables:
    # The default exchange leads to every queue by its name, and not by bindings.
    if name not in host.exchanges:
        return {}
    return {"ways": (WAYS, drawn(from_exchange(host, name, None, room=Room(_MOST)).ahead))}


def _consumers(amqp: "AmqpBroker", queue: "Queue") -> Rows:
    # Who consumes is in the virtual host of its queue.
    numbers = {each.connection for each in islice(queue.consumers, _MOST)}
    return [_fields(each) for each in amqp.consumers(numbers, queue)[:_MOST]]


def _fields(view: Any) -> dict[str, Any]:
    return {name: getattr(view, name) for name in view.__struct_fields__}
