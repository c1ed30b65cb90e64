"""`group`: who consumes together."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from ..kafka_tables import of_group
from ..lookup import BadArgument, kafka, known, resolved
from ..offsets import starting_offsets
from ..registry import Arg, Opt, command
from ..results import Column, Result, count, done, facts_table, table, table_lines
from ..targets import KafkaTarget, Target
from ..types import GROUP, OFFSET, TARGET, text

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
    tables = of_group(group)
    if not tables:
        return facts_table(facts)
    values = {**facts, "members": len(tables["members"][1])}
    shown = facts_table({key: values[key] for key in values if key not in ("offsets", "pending")})
    blocks = [shown.text]
    for columns, rows in tables.values():
        blocks += ["", *table_lines(columns, rows, None)] if rows else []
    return replace(shown, text="\n".join(blocks), data=facts)


@command(
    "group reset",
    group="connections",
    aliases=("group seek",),
    examples=(
        "group reset billing kafka:orders --to begin",
        "group reset billing orders[1] --to 7",
        "group reset billing orders --to @-10m --dry-run",
    ),
)
def group_reset(
    session: "Session",
    name: Annotated[str, Arg(GROUP, "a Kafka group without members")],
    target: Annotated[Target, Arg(TARGET, "kafka:TOPIC or kafka:TOPIC[2]")],
    *,
    to: Annotated[
        str | None, Opt(("--to",), OFFSET, "118, begin, end, @-10m, @12:00:05", "OFFSET")
    ] = None,
    dry_run: Annotated[bool, Opt(("--dry-run",), None, "only say where it would be")] = False,
) -> Result:
    """Move what a group has committed."""
    found = resolved(session, target)
    if not isinstance(found, KafkaTarget):
        raise BadArgument("target", "only Kafka's groups have offsets: kafka:TOPIC")
    if to is None:
        raise BadArgument("name", "where to? group reset NAME TARGET --to begin")
    offsets = dict(enumerate(starting_offsets(session, found.topic, to, "to")))
    if found.partition is not None:
        offsets = {part: at for part, at in offsets.items() if part == found.partition}
    group = _kafka_group(session, name)
    kafka(session).reset_offsets(group, found.topic, offsets, dry_run=dry_run)
    shown = ", ".join(f"p{partition}@{offset}" for partition, offset in offsets.items())
    verb = "would be" if dry_run else "is"
    return done(f"{name} {verb} at {found.topic} {shown}", {"group": name, "offsets": offsets})


@command("group rebalance", group="connections", examples=("group rebalance billing",))
def group_rebalance(
    session: "Session", name: Annotated[str, Arg(GROUP, "a Kafka group")]
) -> Result:
    """Make the members of a Kafka group join again."""
    kafka(session).rebalance(_kafka_group(session, name))
    return done(f"{name} rebalances", {"group": name})


@command("group kick", group="connections", examples=("group kick billing order-svc",))
def group_kick(
    session: "Session",
    name: Annotated[str, Arg(GROUP, "a Kafka group")],
    member: Annotated[str, Arg(text("member"), "member, instance or client id")],
) -> Result:
    """Put a member out of its Kafka group."""
    kafka(session).kick_member(_kafka_group(session, name), member)
    return done(f"{member} was put out of {name}", {"group": name, "member": member})


@command(
    "group assign",
    group="connections",
    examples=(
        "group assign stock stock-1 --to kafka:orders[0] --to orders[1]",
        "group assign stock --auto",
    ),
)
def group_assign(
    session: "Session",
    name: Annotated[str, Arg(GROUP, "a Kafka group of group.protocol=consumer")],
    member: Annotated[str | None, Arg(text("member"), "member, instance or client id")] = None,
    *,
    targets: Annotated[
        tuple[Target, ...],
        Opt(("--to",), TARGET, "what it is to read: kafka:TOPIC[2]", repeat=True),
    ] = (),
    auto: Annotated[bool, Opt(("--auto",), None, "let the group's assignor choose again")] = False,
) -> Result:
    """Choose which partitions a member reads; nobody else has them then.

    The others keep theirs, and a topic's new partitions go to nobody, until --auto.
    """
    group = _kafka_group(session, name)
    if auto:
        kafka(session).assign_by_assignor(group)
        return done(f"{name} is left to its assignor", {"group": name})
    if member is None:
        raise BadArgument("name", "whom? group assign NAME MEMBER --to kafka:TOPIC[0], or --auto")
    partitions: dict[str, list[int]] = {}
    for target in targets:
        found = resolved(session, target)
        if not isinstance(found, KafkaTarget):
            raise BadArgument("targets", "only Kafka's groups have partitions: kafka:TOPIC[0]")
        count = len(kafka(session).offsets(found.topic))
        numbers = range(count) if found.partition is None else (found.partition,)
        partitions.setdefault(found.topic, []).extend(numbers)
    kafka(session).assign_partitions(group, member, partitions)
    shown = ", ".join(f"{topic}{numbers}" for topic, numbers in partitions.items()) or "nothing"
    return done(
        f"{member} reads {shown}", {"group": name, "member": member, "partitions": partitions}
    )


def _kafka_group(session: "Session", name: str) -> str:
    kafka(session)
    groups = session.runtime.brokers["kafka"].groups()
    return known("name", name, (each.name for each in groups), "Kafka group")


COMMANDS = (group_ls, group_show, group_reset, group_rebalance, group_kick, group_assign)
