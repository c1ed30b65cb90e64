"""`config`: what holds for a topic, a group and a node of Kafka, and who said so."""

from typing import TYPE_CHECKING, Annotated

from ..candidates.kafka import ALL_NODES, CONFIGURED_KINDS
from ..lookup import BadArgument, kafka
from ..registry import Arg, Opt, command
from ..results import Column, Result, done, table
from ..types import CONFIG, choice, text
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
    name: Annotated[str, Arg(_NAME, "a topic, a group, a node's number, or all for all nodes")],
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


@command(
    "config set",
    group="topics",
    aliases=("alter configs",),
    examples=(
        "config set topic orders retention.ms=60000",
        "config set group billing consumer.session.timeout.ms=10000",
        "config set broker all log.retention.ms=60000",
        "config set broker 1 log.retention.ms=",
    ),
)
def config_set(
    session: "Session",
    kind: Annotated[str, Arg(_KIND, "topic, group or broker")],
    name: Annotated[str, Arg(_NAME, "a topic, a group, a node's number, or all for all nodes")],
    pair: Annotated[tuple[str, str], Arg(CONFIG, "a setting; without a value: its default")],
) -> Result:
    """Change the configuration of a topic, a group, a node or all nodes, as Kafka's Admin does.

    A group need not be there: its values wait for it.
    """
    broker = kafka(session)
    key, value = pair
    if kind == "topic":
        broker.configure_topic(known_topic(session, name), key, value or None)
    elif kind == "group":
        broker.configure_group(name, key, value or None)
    else:
        broker.configure_node(_node(session, name), key, value or None)
    if value:
        # As `config show` has it: a secret stays one.
        value = next(one.value for one in _views(session, kind, name) if one.key == key)
    return done(
        f"{kind} {name}: {key} is {value or 'its default'}",
        {"kind": kind, "name": name, "config": {key: value}},
    )


def _views(session: "Session", kind: str, name: str) -> "list[ConfigView]":
    broker = kafka(session)
    if kind == "topic":
        return broker.topic_configuration(known_topic(session, name))
    if kind == "group":
        return broker.group_configuration(name)
    return broker.node_configuration(_node(session, name))


def _node(session: "Session", name: str) -> int | None:
    """None: all of them."""
    if name == ALL_NODES:
        return None
    nodes = [str(node) for node in kafka(session).nodes.ids]
    number = name.removeprefix("kafka/")
    if number not in nodes:
        raise BadArgument("name", f"no node {name}; there are: {', '.join(nodes)}")
    return int(number)


COMMANDS = (config_show, config_set)
