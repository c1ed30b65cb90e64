"""What is refused whatever is declared, bound or deleted, in RabbitMQ's words."""

from typing import Final

from ...errors import ProtocolError, RequestRefused
from ..codes import ReplyCode
from ..profiles import Profile
from ..records import plain
from .queues.queue import Queue

RESERVED: Final = "amq."
_LONGEST_ORIGIN: Final = 300
"""Characters: a client may have sent kilobytes of arguments."""
_LOCKED: Final = (
    "It could be originally declared on another connection or the exclusive property value does "
    "not match that of the original declaration."
)


class Inequivalent(RequestRefused):
    """A queue is declared in another way than it was made: `origin` says by whom, and how.

    That is for people: the client gets RabbitMQ's words, which name the one argument.
    """

    def __init__(self, refusal: RequestRefused, queue: Queue) -> None:
        super().__init__(refusal.code, refusal.text)
        flags = {"durable": queue.durable, "auto_delete": queue.auto_delete}
        given = [name for name, on in flags.items() if on]
        given += [f"{name}={value}" for name, value in plain(queue.arguments).items()]
        who = f"{queue.declarer} declared it" if queue.declarer else "it was declared"
        self.origin = shortened(f"{who} with {', '.join(given) or 'no flag and no argument'}")


def shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_ORIGIN else text[: _LONGEST_ORIGIN - 1] + "…"


def locked(queue: str) -> RequestRefused:
    """The queue is exclusive to another connection."""
    return RequestRefused(
        ReplyCode.RESOURCE_LOCKED,
        f"cannot obtain exclusive access to locked {queue}. {_LOCKED}",
    )


def too_many_queues(queue: str, vhost: str, most: int) -> RequestRefused:
    """The virtual host's limit max-queues."""
    return RequestRefused(
        ReplyCode.PRECONDITION_FAILED,
        f"cannot declare queue '{queue}': queue limit in vhost '{vhost}' ({most}) is reached",
    )


def unknown_exchange_type(kind: str, profile: Profile) -> Exception:
    """The end of the connection, or from RabbitMQ 4.3 on of the channel.

    RabbitMQ calls those invalid that it knows as a word and not as a type: the empty one, of all
    that a client may ask for.
    """
    text = f"{'unknown' if kind else 'invalid'} exchange type '{kind}'"
    if profile.unknown_exchange_type_ends_channel:
        return RequestRefused(ReplyCode.PRECONDITION_FAILED, text)
    return ProtocolError(text, ReplyCode.COMMAND_INVALID)


def check_not_default(exchange: str) -> None:
    if not exchange:
        raise RequestRefused(
            ReplyCode.ACCESS_REFUSED, "operation not permitted on the default exchange"
        )


def check_no_conditions(queue: str, if_unused: bool, if_empty: bool) -> None:
    for asked, flag in ((if_unused, "if-unused"), (if_empty, "if-empty")):
        if asked:
            raise ProtocolError(
                f"cannot delete {queue}. queue.delete operations with {flag} flag set are not "
                "supported by quorum queues",
                ReplyCode.NOT_IMPLEMENTED,
            )


def check_reserved(kind: str, name: str) -> None:
    if name.startswith(RESERVED):
        raise RequestRefused(
            ReplyCode.ACCESS_REFUSED, f"{kind} name '{name}' contains reserved prefix 'amq.*'"
        )
