"""`node`, `leader`, `coordinator`, `controller`: who answers for what in the Kafka cluster."""

from typing import TYPE_CHECKING, Annotated

from ..lookup import kafka
from ..registry import Arg, Type, command
from ..results import Column, Result, count, done, table
from ..types import integer, of_text, text

if TYPE_CHECKING:
    from ..session import Session

_NODE = integer("node", 0)
_KEY = text("key", "groups")
_RACK = text("rack")


def _partition(value: str) -> tuple[str, int | None]:
    topic, colon, partition = value.rpartition(":")
    if not colon:
        return value, None
    if not partition.isdecimal():
        raise ValueError(f"{value!r} is not TOPIC or TOPIC:PARTITION")
    return topic, int(partition)


def _nodes(value: str) -> list[int]:
    parts = value.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise ValueError(f"{value!r} is no list of nodes: 2,3")
    return [int(part) for part in parts]


_NODES = Type("nodes", of_text(_nodes))
_PARTITION = Type("partition", of_text(_partition), "topics")


@command("node ls", group="faults", aliases=("nodes",), examples=("node ls",))
def node_ls(session: "Session") -> Result:
    """List Kafka's nodes: what each leads and coordinates, and how many clients it has."""
    rows = [
        {
            "node": each.node,
            "state": "running" if each.running else "stopped",
            "controller": each.controller,
            "leads": each.leads,
            "coordinates": each.coordinates,
            "clients": each.connections,
            "rack": each.rack,
        }
        for each in kafka(session).nodes
    ]
    return table(
        rows,
        Column("node", "node", right=True),
        Column("state", "state"),
        Column("controller", "controller", lambda flag: "yes" if flag else ""),
        Column("leads", "leads", count, right=True),
        Column("coordinates", "coordinates", count, right=True),
        Column("clients", "clients", count, right=True),
        Column("rack", "rack"),
    )


@command("leader ls", group="faults", examples=("leader ls",))
def leader_ls(
    session: "Session",
    topic: Annotated[str, Arg(text("topic", "topics"), "a topic or a glob, else all")] = "*",
) -> Result:
    """List who leads which partition, and where its replicas are."""
    rows = [
        {
            "topic": each.topic,
            "partition": each.partition,
            "leader": None if each.leader < 0 else each.leader,
            "epoch": each.epoch,
            "replicas": list(each.replicas),
            "in_sync": list(each.in_sync),
        }
        for each in kafka(session).nodes.leaders(topic)
    ]
    return table(
        rows,
        Column("topic", "topic"),
        Column("partition", "partition", right=True),
        Column("leader", "leader", lambda node: "nobody" if node is None else str(node)),
        Column("epoch", "epoch", right=True),
        Column("replicas", "replicas", _listed),
        Column("in_sync", "in sync", _listed),
        empty="no topics",
    )


def _listed(nodes: list[int]) -> str:
    return ", ".join(map(str, nodes))


@command("leader move", group="faults", examples=("leader move orders:0 1", "leader move orders"))
def leader_move(
    session: "Session",
    partition: Annotated[
        tuple[str, int | None], Arg(_PARTITION, "TOPIC:PARTITION, TOPIC, or a glob: *")
    ],
    node: Annotated[int | None, Arg(_NODE, "who leads now; else another replica")] = None,
) -> Result:
    """Let another node lead: a new epoch begins, and clients of the old leader are sent away.

    They see NOT_LEADER_OR_FOLLOWER or FENCED_LEADER_EPOCH, with the new leader where their
    version has room for it. With one node the same one is elected anew.
    """
    topic, number = partition
    moved = kafka(session).nodes.move_leader(topic, number, node)
    return done(f"{moved} partition{'s' if moved != 1 else ''} moved", {"moved": moved})


@command("replicas move", group="faults", examples=("replicas move orders:0 1",))
def replicas_move(
    session: "Session",
    partition: Annotated[
        tuple[str, int | None], Arg(_PARTITION, "TOPIC:PARTITION, TOPIC, or a glob: *")
    ],
    nodes: Annotated[list[int], Arg(_NODES, "2,3: the preferred leader first")],
) -> Result:
    """Move the replicas of partitions to these nodes, as an admin client's reassignment does.

    A leader that is none of them gives way to the first. A node that is stopped is waited for.
    """
    topic, number = partition
    moved = kafka(session).nodes.move_replicas(topic, number, nodes)
    return done(
        f"{moved} partition{'s' if moved != 1 else ''} moved to {_listed(nodes)}", {"moved": moved}
    )


@command("leader elect", group="faults", examples=("leader elect orders",))
def leader_elect(
    session: "Session", topic: Annotated[str, Arg(text("topic", "topics"), "a topic, or a glob: *")]
) -> Result:
    """Let the preferred leaders lead again, as after a rolling restart."""
    moved = kafka(session).nodes.elect(topic)
    return done(f"{moved} partition{'s' if moved != 1 else ''} moved", {"moved": moved})


@command("coordinator move", group="faults", examples=("coordinator move billing 1",))
def coordinator_move(
    session: "Session",
    key: Annotated[str, Arg(_KEY, "a group or transactional id")],
    node: Annotated[int, Arg(_NODE, "who answers for it now")],
) -> Result:
    """Let another node coordinate a group or transaction: the old one says NOT_COORDINATOR."""
    kafka(session).nodes.move_coordinator(key, node)
    return done(f"{key} is coordinated by node {node}", {"key": key, "node": node})


@command("controller move", group="faults", examples=("controller move 1",))
def controller_move(
    session: "Session", node: Annotated[int, Arg(_NODE, "who is the controller now")]
) -> Result:
    """Let another node be the controller."""
    kafka(session).nodes.move_controller(node)
    return done(f"node {node} is the controller", {"node": node})


@command("node rack", group="faults", examples=("node rack 1 eu-b", "node rack 1"))
def node_rack(
    session: "Session",
    node: Annotated[int, Arg(_NODE, "which node")],
    rack: Annotated[str, Arg(_RACK, "its rack; without one it is in none")] = "",
) -> Result:
    """Put a Kafka node into another rack while it runs, as another broker.rack at its start would.

    Consumers read from their own rack, and assignors give them partitions that are there.
    """
    kafka(session).nodes.move_to_rack(node, rack or None)
    text = f"node {node} is in {f'rack {rack}' if rack else 'no rack'}"
    return done(text, {"node": node, "rack": rack or None})


COMMANDS = (
    node_ls,
    node_rack,
    leader_ls,
    leader_move,
    leader_elect,
    replicas_move,
    coordinator_move,
    controller_move,
)
