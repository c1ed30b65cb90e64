"""`snapshot`: what the brokers keep now, for `reset --to` to go back to."""

from typing import TYPE_CHECKING, Annotated, Any

from ...snapshots import Snapshot
from ...units import format_duration, format_size
from ..registry import Arg, command
from ..results import Column, Result, done, size, table
from ..types import text

if TYPE_CHECKING:
    from ..session import Session

_NAME = text("name", "snapshots")


@command("snapshot take", group="control", examples=("snapshot take seeded",))
def snapshot_take(
    session: "Session", name: Annotated[str, Arg(_NAME, "its name; one that is there is replaced")]
) -> Result:
    """Keep what the brokers have now, for `reset --to NAME` to go back to.

    It is what each protocol keeps over a restart: Kafka's topics with their records, committed
    offsets, configurations; MQTT's retained messages and sessions that outlast their connection;
    AMQP's durable exchanges and queues with persistent messages, streams and policies.
    """
    made = session.runtime.take_snapshot(name)
    return done(f"snapshot {name} taken: {format_size(made.size)}", described(made))


@command("snapshot ls", group="control", aliases=("snapshots",), examples=("snapshot ls",))
def snapshot_ls(session: "Session") -> Result:
    """List the snapshots that were taken."""
    now = session.runtime.clock.wall()
    return table(
        [
            {**described(each), "age": now - each.taken}
            for each in session.runtime.snapshots.values()
        ],
        Column("name", "snapshot"),
        Column("age", "age", format_duration, right=True),
        Column("size", "size", size, right=True),
        empty="there is no snapshot: snapshot take NAME",
        fields=("taken",),
    )


@command("snapshot rm", group="control", examples=("snapshot rm seeded",))
def snapshot_rm(session: "Session", name: Annotated[str, Arg(_NAME, "a snapshot")]) -> Result:
    """Forget a snapshot."""
    return done(f"snapshot {name} is gone", described(session.runtime.snapshots.remove(name)))


def described(snapshot: Snapshot) -> dict[str, Any]:
    return {"name": snapshot.name, "taken": snapshot.taken, "size": snapshot.size}


COMMANDS = (snapshot_take, snapshot_ls, snapshot_rm)
