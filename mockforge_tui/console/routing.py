"""To which queues an AMQP message comes, by the bindings that its virtual host has right now."""

from collections.abc import Iterator, Mapping

from mockforge_brokers.amqp.records import table as field_table
from mockforge_brokers.amqp.state.message_paths import (
    DEFAULT_EXCHANGE,
    QUEUE,
    Way,
    from_exchange,
)
from mockforge_brokers.amqp.state.virtual_host import VirtualHost

_BY_HEADERS = "headers"


def queues(
    host: VirtualHost, exchange: str, key: str, headers: Mapping[str, object] | None = None
) -> Iterator[Way]:
    """Those that the message itself comes to; behind them are ways of dead letters.

    Without its `headers` all that an exchange which compares them is bound to.
    """
    name = "" if exchange == DEFAULT_EXCHANGE else exchange
    found = host.exchanges.get(name)
    anything = headers is None and found is not None and found.type == _BY_HEADERS
    way = from_exchange(host, name, None if anything else key, field_table(dict(headers or {})))
    return _queues(way)


def _queues(way: Way) -> Iterator[Way]:
    if way.kind == QUEUE:
        yield way
        return
    for each in way.ahead:
        yield from _queues(each)
