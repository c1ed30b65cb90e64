"""`channel`: what goes on inside of AMQP's connections."""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec.structs import asdict

from ..lookup import amqp, matching
from ..registry import Arg, command
from ..results import Column, Result, count, duration, table
from ..types import text

if TYPE_CHECKING:
    from ..session import Session

_CLIENTS = text("glob", "amqp-clients")


@command(
    "channel ls",
    group="connections",
    aliases=("channels", "list channels"),
    examples=("channel ls", "channel ls app-* | unacked>0", "channels | mode:confirm"),
)
def channel_ls(
    session: "Session",
    pattern: Annotated[str | None, Arg(_CLIENTS, "a glob of clients: app-*")] = None,
) -> Result:
    """List AMQP's channels: prefetch, mode, and what waits for an ack, a confirm or a commit.

    A session of AMQP 1.0 is in the list as well. What is published is counted in confirm mode.
    """
    found = amqp(session).channels()
    shown = set(matching(dict.fromkeys(each.client for each in found), pattern))
    rows = [asdict(each) for each in found if each.client in shown]
    return table(
        rows,
        Column("client", "client"),
        Column("connection", "conn", lambda number: f"c{number}", right=True),
        Column("number", "ch", right=True),
        Column("mode", "mode"),
        Column("prefetch", "prefetch", _most, right=True),
        Column("limit", "for all", _most, right=True),
        Column("consumers", "consumers", count, right=True),
        Column("unacked", "unacked", count, right=True),
        Column("oldest", "oldest", duration, right=True),
        Column("unconfirmed", "unconfirmed", count, right=True),
        Column("uncommitted", "uncommitted", count, right=True),
        Column("published", "published", count, right=True),
        Column("delivered", "delivered", count, right=True),
        empty="no channels",
    )


def _most(value: Any) -> str:
    """A prefetch; 0 is none."""
    return count(value) if value else "any"


COMMANDS = (channel_ls,)
