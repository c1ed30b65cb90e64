"""`group`: who consumes together."""

from typing import TYPE_CHECKING, Annotated

from ..asking import known
from ..registry import Arg, command
from ..results import Column, Result, count, table
from ..types import GROUP

if TYPE_CHECKING:
    from ..session import Session


@command("group ls", group="connections", aliases=("groups", "list groups"), examples=("group ls",))
def group_ls(session: "Session") -> Result:
    """List consumer groups with their lag."""
    rows = [
        {
            "protocol": each.protocol,
            "name": each.name,
            "state": each.state,
            "members": each.members,
            "lag": each.lag,
            "reason": each.reason,
        }
        for each in session.groups()
    ]
    return table(
        rows,
        Column("protocol", "broker"),
        Column("name", "group"),
        Column("state", "state"),
        Column("members", "members", right=True),
        Column("lag", "lag", count, right=True),
        Column("reason", "last change"),
        empty="no groups",
    )


@command(
    "group show",
    group="connections",
    aliases=("describe group", "group describe"),
    examples=("group show billing",),
)
def group_show(session: "Session", name: Annotated[str, Arg(GROUP, "a consumer group")]) -> Result:
    """Show a group: members, assignments, committed offsets."""
    groups = session.groups()
    known("name", name, (each.name for each in groups), "group")
    group = next(each for each in groups if each.name == name)
    facts = {
        "name": group.name,
        "protocol": group.protocol,
        "state": group.state,
        "members": group.members,
        "lag": group.lag,
        "last change": group.reason,
        **group.detail,
    }
    rows = [{"field": field, "value": value} for field, value in facts.items()]
    return table(rows, Column("field", "field"), Column("value", "value"))


COMMANDS = (group_ls, group_show)
