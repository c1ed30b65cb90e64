"""Which function serves which method on an open channel."""

from collections.abc import Callable
from typing import Any, Final

from .basic_methods import (
    basic_ack,
    basic_cancel,
    basic_consume,
    basic_get,
    basic_nack,
    basic_qos,
    basic_recover,
    basic_recover_async,
    basic_reject,
)
from .mode_methods import (
    access_request,
    channel_flow,
    channel_flow_ok,
    confirm_select,
    tx_commit,
    tx_rollback,
    tx_select,
)
from .topology_methods import (
    exchange_bind,
    exchange_declare,
    exchange_delete,
    exchange_unbind,
    queue_bind,
    queue_declare,
    queue_delete,
    queue_purge,
    queue_unbind,
)

HANDLERS: Final[dict[str, Callable[..., None]]] = {
    "access.request": access_request,
    "channel.flow": channel_flow,
    "channel.flow-ok": channel_flow_ok,
    "exchange.declare": exchange_declare,
    "exchange.delete": exchange_delete,
    "exchange.bind": exchange_bind,
    "exchange.unbind": exchange_unbind,
    "queue.declare": queue_declare,
    "queue.bind": queue_bind,
    "queue.unbind": queue_unbind,
    "queue.purge": queue_purge,
    "queue.delete": queue_delete,
    "basic.qos": basic_qos,
    "basic.consume": basic_consume,
    "basic.cancel": basic_cancel,
    "basic.get": basic_get,
    "basic.ack": basic_ack,
    "basic.nack": basic_nack,
    "basic.reject": basic_reject,
    "basic.recover": basic_recover,
    "basic.recover-async": basic_recover_async,
    "confirm.select": confirm_select,
    "tx.select": tx_select,
    "tx.commit": tx_commit,
    "tx.rollback": tx_rollback,
}
"""Called with the channel and the method's fields by name. basic.publish has its own path."""

_NAMES: Final = {
    "exchange.declare": ("exchange",),
    "exchange.delete": ("exchange",),
    "exchange.bind": ("source", "destination"),
    "exchange.unbind": ("source", "destination"),
    "queue.declare": ("queue",),
    "queue.delete": ("queue",),
    "queue.bind": ("exchange", "queue"),
    "queue.unbind": ("exchange", "queue"),
}


def strip_line_ends(method: str, values: dict[str, Any]) -> None:
    """RabbitMQ drops line ends from the names of what is declared, bound or deleted.

    Before rights are looked at: those of the name that it then has count.
    """
    for name in _NAMES.get(method, ()):
        values[name] = values[name].replace("\r", "").replace("\n", "")
