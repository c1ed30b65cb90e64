"""`acl`: Kafka's access control lists, another notation of the rules that `rule` has."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.kafka.acls import is_on, listed
from mockforge_brokers.permissions import acl_of

from ..lookup import BadArgument, kafka, matching
from ..registry import Arg, Opt, command
from ..results import Column, Result, done, table
from ..types import GLOB, integer, text

if TYPE_CHECKING:
    from ..session import Session

_PRINCIPAL = text("principal", "principals")
_OPERATIONS = text("operations", "acl-operations")
_RESOURCE = text("resource", "resources")
_HOST = text("host")
_NUMBER = integer("n", 1)


@command("acl ls", group="access", aliases=("acls", "list acls"), examples=("acl ls", "acl ls t*"))
def acl_ls(
    session: "Session",
    pattern: Annotated[str | None, Arg(GLOB, "names of topics, groups, ... that are meant")] = None,
) -> Result:
    """List Kafka's ACLs, as its Admin shows them.

    Rules of `rule add` are shown as the ACLs that say the same; what an ACL cannot say is in
    `rule ls` alone.
    """
    kafka(session)
    access = session.runtime.access
    found = list(listed(access))
    names = set(matching((acl.name for _, acl in found), pattern))
    rows = [
        {
            "id": number,
            "principal": acl.principal,
            "permission": "allow" if acl.allow else "deny",
            "operation": acl.operation,
            "resource": f"{acl.kind}:{acl.name}",
            "pattern": acl.pattern_type,
            "host": acl.host,
        }
        for number, acl in found
        if acl.name in names
    ]
    empty = "no ACLs: all may do all"
    if is_on(access):
        empty = "no ACLs: only super users may do anything"
    return table(
        rows,
        Column("id", "rule", right=True),
        Column("principal", "principal"),
        Column("permission", "permission"),
        Column("operation", "operation"),
        Column("resource", "resource"),
        Column("pattern", "pattern"),
        Column("host", "host"),
        empty=empty,
    )


@command(
    "acl add",
    group="access",
    aliases=("add acl",),
    examples=(
        "acl add User:alice read,describe topic:orders",
        "acl add User:alice read group:billing- --prefixed",
        "acl add User:* write topic:audit --deny --host 10.0.0.7",
    ),
)
def acl_add(
    session: "Session",
    principal: Annotated[str, Arg(_PRINCIPAL, "User:NAME, or User:* for everybody")],
    operations: Annotated[str, Arg(_OPERATIONS, "read, write, describe, ... with commas, or all")],
    resource: Annotated[str, Arg(_RESOURCE, "topic:NAME, group:NAME, cluster, ...; * is any name")],
    *,
    deny: Annotated[bool, Opt(("--deny",), help="deny it, which wins over allow")] = False,
    prefixed: Annotated[bool, Opt(("--prefixed",), help="all names that begin so")] = False,
    host: Annotated[str, Opt(("--host",), _HOST, "only from this address")] = "*",
) -> Result:
    """Add a Kafka ACL. From the first on, what no ACL allows is denied to all but super users."""
    kafka(session)
    if any(each.isspace() for each in principal):
        raise BadArgument("principal", "a principal has no spaces")
    words = f"{'deny' if deny else 'allow'} {principal} {operations} {resource}"
    made = acl_of(f"{words} {'prefixed' if prefixed else 'literal'} from {host}")
    number = session.runtime.access.add_rule(made)
    return done(f"rule {number}: {made.text}", {"id": number, "rule": made.text})


@command("acl rm", group="access", aliases=("delete acl",), examples=("acl rm 1",))
def acl_rm(
    session: "Session", number: Annotated[int, Arg(_NUMBER, "its rule's number, as acl ls has it")]
) -> Result:
    """Take an ACL back; it holds at once, also for open connections."""
    kafka(session)
    rules = session.runtime.access.rules
    if number in rules and rules[number].protocol != "kafka":
        raise BadArgument("number", f"rule {number} is no rule for Kafka: {rules[number].text}")
    rule = session.runtime.access.remove_rule(number)
    return done(f"rule {number} is gone: {rule.text}", {"id": number})


COMMANDS = (acl_ls, acl_add, acl_rm)
