"""`config`: what holds for a topic, a group and a node of Kafka, and who said so."""

from typing import TYPE_CHECKING, Annotated

from ..candidates.kafka import CONFIGURED_KINDS
from ..lookup import BadArgument, kafka
from ..registry import Arg, Opt, command
from ..results import Column, Result, table
from ..types import choice, text
from .topics import known_topic

if TYPE_CHECKING:
    from mockforge_brokers.kafka.verbs.configs import ConfigView

    from ..session import Session

_KIND = choice("kind", *CONFIGURED_KINDS)
_NAME = text("name", "configured")


@command(
    "config show",
    group="topics",
    aliases=("describe configs",),
    examples=(
        "config show topic orders",
        "config show group billing --all",
        "config show broker 1 --all",
    ),
)
def config_show(
    session: "Session",
    kind: Annotated[str, Arg(_KIND, "topic, group or broker")],
    name: Annotated[str, Arg(_NAME, "a topic, a group, or a node's number")],
    *,
    everything: Annotated[bool, Opt(("--all",), None, "defaults too")] = False,
) -> Result:
    """Show the configuration in force, and whether topic, group, node, all nodes or start gave it.

    `otherwise` is what would hold without that value.
    """
    views = _views(session, kind, name)
    rows = [
        {"key": one.key, "value": one.value, "source": one.source, "otherwise": one.otherwise}
        for one in views
        if everything or one.source != "default"
    ]
    return table(
        rows,
        Column("key", "key"),
        Column("value", "value"),
        Column("source", "given by"),
        Column("otherwise", "otherwise"),
        empty=f"{kind} {name} has its defaults: --all shows the {len(views)} keys",
    )


def _views(session: "Session", kind: str, name: str) -> "list[ConfigView]":
    broker = kafka(session)
    if kind == "topic":
        return broker.topic_configuration(known_topic(session, name))
    if kind == "group":
        return broker.group_configuration(name)
    nodes = [str(node) for node in broker.nodes.ids]
    number = name.removeprefix("kafka/")
    if number not in nodes:
        raise BadArgument("name", f"no node {name}; there are: {', '.join(nodes)}")
    return broker.node_configuration(int(number))


COMMANDS = (config_show,)
