"""`policy`: arguments that AMQP's queues and exchanges get by their names."""

import json
from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.amqp.state.policies import APPLY_TO

from ..lookup import BadArgument, amqp, known
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, done, table
from ..types import TEXT, choice, integer, of_text, text
from .queues import typed

if TYPE_CHECKING:
    from ..session import Session

_VHOST = text("vhost")
_PRIORITY = integer("n", -(2**31))
_OPERATOR = Opt(("--operator",), None, "an operator's, which limits those of users")
_VHOST_OPTION = Opt(("-p", "--vhost"), _VHOST, "the virtual host (/)")


def _definition(value: str) -> dict[str, Any]:
    """`max-length=10,overflow=reject-publish`, or the JSON object that rabbitmqctl takes."""
    if value.lstrip().startswith("{"):
        found = json.loads(value)
        return {str(name): item for name, item in found.items()}
    pairs = [part.partition("=") for part in value.split(",")]
    if not all(name and mark for name, mark, _ in pairs):
        raise ValueError(f"{value!r} is neither KEY=VALUE,… nor a JSON object")
    return {name.strip(): typed(item.strip()) for name, _, item in pairs}


_DEFINITION = Type("definition", of_text(_definition))


@command(
    "policy ls", group="queues", aliases=("policies", "list policies"), examples=("policy ls",)
)
def policy_ls(session: "Session") -> Result:
    """List AMQP's policies."""
    rows = [
        {
            "vhost": name,
            "policy": policy.name,
            "operator": operator,
            "pattern": policy.pattern,
            "apply_to": policy.apply_to,
            "priority": policy.priority,
            "definition": dict(policy.definition),
        }
        for name, vhost in amqp(session).vhosts.items()
        for operator in (False, True)
        for policy in vhost.policies.table(operator).values()
    ]
    return table(
        rows,
        Column("vhost", "virtual host"),
        Column("policy", "policy"),
        Column("operator", "operator's", lambda value: "yes" if value else ""),
        Column("pattern", "pattern"),
        Column("apply_to", "applies to"),
        Column("priority", "priority", right=True),
        Column("definition", "definition", _in_words),
        empty="no policies",
    )


@command(
    "policy set",
    group="queues",
    aliases=("policy add", "set_policy"),
    examples=(
        "policy set short ^q max-length=1000,overflow=reject-publish --apply-to queues",
        "policy set fallback ^events$ alternate-exchange=unrouted --priority 2",
        "policy set most .* message-ttl=60000 --operator",
    ),
)
def policy_set(
    session: "Session",
    name: Annotated[str, Arg(text("name"), "the policy's name")],
    pattern: Annotated[str, Arg(TEXT, "an expression, searched for in names", "PATTERN")],
    definition: Annotated[
        dict[str, Any], Arg(_DEFINITION, "KEY=VALUE,… or a JSON object", "DEFINITION")
    ],
    *,
    apply_to: Annotated[
        str, Opt(("--apply-to",), choice("kind", *APPLY_TO), "what it is for")
    ] = "all",
    priority: Annotated[int, Opt(("--priority",), _PRIORITY, "the highest one holds")] = 0,
    operator: Annotated[bool, _OPERATOR] = False,
    vhost: Annotated[str, _VHOST_OPTION] = "/",
) -> Result:
    """Add or replace a policy; it acts at once, also on queues that are there.

    The keys are those of arguments without x-: message-ttl, expires, max-length, max-length-bytes,
    overflow, dead-letter-exchange, dead-letter-routing-key, delivery-limit, max-age,
    alternate-exchange. Of two limits the lower one holds, else a queue's own argument.
    """
    admin = amqp(session)
    known("vhost", vhost, admin.vhosts, "virtual host")
    admin.set_policy(
        name,
        pattern,
        definition,
        apply_to=apply_to,
        priority=priority,
        operator=operator,
        vhost=vhost,
    )
    return done(
        f"policy {name} holds for {apply_to} like {pattern!r}: {_in_words(definition)}",
        {"policy": name, "pattern": pattern, "definition": definition},
    )


@command(
    "policy rm",
    group="queues",
    aliases=("policy clear", "clear_policy"),
    examples=("policy rm short",),
)
def policy_rm(
    session: "Session",
    name: Annotated[str, Arg(text("name"), "a policy's name")],
    *,
    operator: Annotated[bool, _OPERATOR] = False,
    vhost: Annotated[str, _VHOST_OPTION] = "/",
) -> Result:
    """Take a policy back; queues go on with their own arguments."""
    admin = amqp(session)
    known("vhost", vhost, admin.vhosts, "virtual host")
    names = admin.vhosts[vhost].policies.table(operator)
    other = admin.vhosts[vhost].policies.table(not operator)
    if name not in names and name in other:
        word = "without" if operator else "with"
        raise BadArgument("name", f"policy {name} is there {word} --operator")
    admin.remove_policy(known("name", name, names, "policy"), operator=operator, vhost=vhost)
    return done(f"policy {name} is gone", {"policy": name})


def _in_words(definition: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in definition.items())


COMMANDS = (policy_ls, policy_set, policy_rm)
