"""Which rights a method needs of the user, as RabbitMQ's access control page has them.

Configure, write and read on queues and exchanges; the default exchange is called amq.default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from ...errors import RequestRefused
from ...permissions import escaped
from ..codes import ReplyCode
from ..profiles import PASSIVE_DECLARE
from ..records import text_of
from ..state.direct_replies import REPLY_TO

if TYPE_CHECKING:
    from .channel import Channel
    from .line import Line

Need = tuple[str, str, str]
"""An operation, queue or exchange, and its name."""


def check(channel: Channel, method: str, values: dict[str, Any]) -> None:
    """Raise RequestRefused (403) where the user of the channel may not do this."""
    needs = _NEEDS.get(method)
    if needs is not None:
        for operation, kind, name in needs(channel, values):
            permit(channel.line, operation, kind, name)


def permit(line: Line, operation: str, kind: str, name: str) -> None:
    """Raise RequestRefused (403) where the user may not do this with a queue or exchange."""
    guard, vhost = line.guard, line.vhost.name
    name = name or "amq.default"
    if guard is not None and guard.denial(operation, f"{escaped(vhost)}:{name}"):
        raise RequestRefused(
            ReplyCode.ACCESS_REFUSED,
            f"access to {kind} '{name}' in vhost '{vhost}' refused for user '{line.user}'",
        )


def _passive(channel: Channel, kind: str, name: str) -> Iterator[Need]:
    """From RabbitMQ 4.3 on who only asks for it needs the right to configure it."""
    guard, vhost = channel.line.guard, channel.vhost
    if guard is not None and not guard.allows("configure", f"{escaped(vhost.name)}:{name}"):
        what = f"{kind} '{name}' in vhost '{vhost.name}' is declared passively by who may not"
        channel.lint(PASSIVE_DECLARE, f"{what} configure it")
    if vhost.profile.passive_needs_configure:
        yield "configure", kind, name


def _declare_queue(channel: Channel, values: dict[str, Any]) -> Iterator[Need]:
    if values["queue"].startswith(REPLY_TO):
        return
    if values["passive"]:
        yield from _passive(channel, "queue", channel.queue_name(values["queue"]))
        return
    name = values["queue"] or channel.new_name("amq.gen-")
    yield "configure", "queue", name
    dead_letters = values["arguments"].get("x-dead-letter-exchange")
    if dead_letters is not None:
        yield "read", "queue", name
        yield "write", "exchange", text_of(dead_letters)


def _declare_exchange(channel: Channel, values: dict[str, Any]) -> Iterator[Need]:
    name = values["exchange"]
    if values["passive"]:
        yield from _passive(channel, "exchange", name)
        return
    yield "configure", "exchange", name
    alternate = values["arguments"].get("alternate-exchange")
    if alternate is not None:
        yield "read", "exchange", name
        yield "write", "exchange", text_of(alternate)


def _bind_queue(channel: Channel, values: dict[str, Any]) -> Iterator[Need]:
    yield "write", "queue", channel.queue_name(values["queue"])
    yield "read", "exchange", values["exchange"]


def _bind_exchange(channel: Channel, values: dict[str, Any]) -> Iterator[Need]:
    yield "write", "exchange", values["destination"]
    yield "read", "exchange", values["source"]


def _of_queue(operation: str) -> Callable[[Channel, dict[str, Any]], Iterator[Need]]:
    def needs(channel: Channel, values: dict[str, Any]) -> Iterator[Need]:
        yield operation, "queue", channel.queue_name(values["queue"])

    return needs


def _consume(channel: Channel, values: dict[str, Any]) -> Iterator[Need]:
    # Replies to oneself are nobody else's: RabbitMQ asks for no right.
    if values["queue"] != REPLY_TO:
        yield "read", "queue", channel.queue_name(values["queue"])


def _delete_exchange(channel: Channel, values: dict[str, Any]) -> Iterator[Need]:
    yield "configure", "exchange", values["exchange"]


_NEEDS: Final[dict[str, Callable[[Channel, dict[str, Any]], Iterator[Need]]]] = {
    "exchange.declare": _declare_exchange,
    "exchange.delete": _delete_exchange,
    "exchange.bind": _bind_exchange,
    "exchange.unbind": _bind_exchange,
    "queue.declare": _declare_queue,
    "queue.delete": _of_queue("configure"),
    "queue.purge": _of_queue("read"),
    "queue.bind": _bind_queue,
    "queue.unbind": _bind_queue,
    "basic.consume": _consume,
    "basic.get": _of_queue("read"),
}
