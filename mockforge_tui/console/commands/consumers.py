"""`consumer`: who reads AMQP's queues."""

from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.errors import InvalidInput
from msgspec.structs import asdict

from ...units import counted
from ..lookup import amqp, matching
from ..registry import Arg, command
from ..results import Column, Result, count, done, duration, table
from ..types import GLOB, QUEUE, TEXT
from .queues import known_queue

if TYPE_CHECKING:
    from ..session import Session


@command(
    "consumer ls",
    group="queues",
    aliases=("consumers", "list consumers"),
    examples=("consumer ls", "consumer ls q.* | unacked>0"),
)
def consumer_ls(
    session: "Session", pattern: Annotated[str | None, Arg(GLOB, "a glob of queues: q.*")] = None
) -> Result:
    """List AMQP's consumers: credit that is left, messages unacked, age of the oldest of them."""
    found = amqp(session).consumers()
    shown = set(matching({each.queue for each in found}, pattern))
    rows = [asdict(each) for each in found if each.queue in shown]
    return table(
        rows,
        Column("queue", "queue"),
        Column("tag", "consumer"),
        Column("client", "client"),
        Column("connection", "conn", lambda number: f"c{number}", right=True),
        Column("channel", "ch", right=True),
        Column("state", "state"),
        Column("credit", "credit", _credit, right=True),
        Column("unacked", "unacked", count, right=True),
        Column("oldest", "oldest", _age, right=True),
        Column("delivered", "delivered", count, right=True),
        empty="no consumers",
    )


def _credit(value: Any) -> str:
    return "any" if value is None else count(value)


def _age(value: Any) -> str:
    return "–" if value is None else duration(value)


@command("consumer cancel", group="queues", examples=("consumer cancel q.mail",))
def consumer_cancel(
    session: "Session",
    queue: Annotated[str, Arg(QUEUE, "a queue")],
    tag: Annotated[str | None, Arg(TEXT, "one consumer's tag, else all")] = None,
) -> Result:
    """End a queue's consumers from our side: basic.cancel, as when a queue's node goes away.

    What they hold unacked they keep; a client that does not hear basic.cancel gets no more, and
    nobody says why.
    """
    view = known_queue(session, queue, "queue")
    gone = amqp(session).cancel_consumers(view.name, tag, vhost=view.detail["vhost"])
    if not gone:
        name = f"consumer {tag}" if tag is not None else "consumer"
        raise InvalidInput(f"queue {queue} has no {name}")
    return done(
        f"{counted(gone, 'consumer')} of {queue} cancelled", {"queue": queue, "cancelled": gone}
    )


COMMANDS = (consumer_ls, consumer_cancel)
