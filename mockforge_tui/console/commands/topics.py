"""`topic`: Kafka's topics, and the topics that MQTT has seen."""

from typing import TYPE_CHECKING, Annotated

from ...units import counted
from ..lengthy import worked
from ..lookup import BadArgument, kafka, known, matching
from ..registry import Arg, Opt, command
from ..results import Column, Result, count, done, table
from ..types import CONFIG, COUNT, GLOB, PAIR, TOPIC, text

if TYPE_CHECKING:
    from ..session import Session

_COLUMNS = (
    Column("protocol", "broker"),
    Column("name", "topic"),
    Column("messages_in", "in", count, right=True),
    Column("messages_out", "out", count, right=True),
    Column("depth", "held", count, right=True),
    Column("note", "note"),
)


@command(
    "topic ls",
    group="topics",
    aliases=("topics", "list topics"),
    examples=("topic ls", "topic ls orders*", "topic ls | messages_in>0"),
)
def topic_ls(
    session: "Session",
    pattern: Annotated[str | None, Arg(GLOB, "a glob, or + and # as in MQTT")] = None,
) -> Result:
    """List the topics of Kafka and MQTT."""
    topics = [each for each in session.destinations() if each.kind == "topic"]
    shown = set(matching((each.name for each in topics), pattern))
    rows = [
        {
            "protocol": each.protocol,
            "name": each.name,
            "messages_in": each.messages_in,
            "messages_out": each.messages_out,
            "depth": each.depth,
            "note": each.note,
        }
        for each in topics
        if each.name in shown
    ]
    return table(rows, *_COLUMNS, empty="no topics")


@command(
    "topic add",
    group="topics",
    aliases=("topic create", "create topic"),
    examples=("topic add orders.v2 -p 6 --config retention.ms=60000",),
)
def topic_add(
    session: "Session",
    name: Annotated[str, Arg(text("name"), "the new topic's name")],
    *,
    partitions: Annotated[
        int | None, Opt(("-p", "--partitions"), COUNT, "how many partitions")
    ] = None,
    config: Annotated[
        tuple[tuple[str, str], ...], Opt(("--config",), PAIR, "topic configuration", repeat=True)
    ] = (),
) -> Result:
    """Create a Kafka topic."""
    made = kafka(session).create_topic(name, partitions, dict(config))
    return done(
        f"topic {name} created with {counted(made, 'partition')}",
        {"name": name, "partitions": made},
    )


@command(
    "topic show",
    group="topics",
    aliases=("describe topic", "topic describe"),
    examples=("topic show orders",),
)
def topic_show(session: "Session", name: Annotated[str, Arg(TOPIC, "a Kafka topic")]) -> Result:
    """Show a Kafka topic's partitions with their offsets.

    `stable` is where a read_committed consumer stops: before the first open transaction.
    """
    known_topic(session, name)
    [topic] = [each for each in kafka(session).destinations() if each.name == name]
    rows = [
        {
            "partition": each.partition,
            "log_start_offset": each.log_start_offset,
            "high_watermark": each.high_watermark,
            "last_stable_offset": each.last_stable_offset,
            "records": each.records,
            "open_transactions": len(each.open),
        }
        for each in topic.detail["partitions"]
    ]
    return table(
        rows,
        Column("partition", "partition", right=True),
        Column("log_start_offset", "start", count, right=True),
        Column("high_watermark", "end", count, right=True),
        Column("last_stable_offset", "stable", count, right=True),
        Column("records", "records", count, right=True),
        Column("open_transactions", "open transactions", count, right=True),
    )


@command(
    "producer ls",
    group="topics",
    aliases=("producers", "list producers"),
    examples=("producer ls orders",),
)
def producer_ls(session: "Session", name: Annotated[str, Arg(TOPIC, "a Kafka topic")]) -> Result:
    """Show who produces into a topic by a producer id, and from where on in a transaction.

    Such producers are the idempotent ones and those with a transactional id.
    """
    rows = [
        {
            "partition": partition,
            "producer_id": each.producer_id,
            "producer_epoch": each.producer_epoch,
            "transactional_id": each.transactional_id,
            "last_sequence": each.last_sequence,
            "first_offset": each.first_offset,
        }
        for partition, each in kafka(session).producers(known_topic(session, name))
    ]
    return table(
        rows,
        Column("partition", "partition", right=True),
        Column("producer_id", "producer", right=True),
        Column("producer_epoch", "epoch", right=True),
        Column("transactional_id", "transactional id"),
        Column("last_sequence", "last sequence", right=True),
        Column("first_offset", "open from", right=True),
        empty=f"nobody produces into {name} by a producer id",
    )


@command("topic grow", group="topics", examples=("topic grow orders -p 12",))
def topic_grow(
    session: "Session",
    name: Annotated[str, Arg(TOPIC, "a Kafka topic")],
    *,
    partitions: Annotated[int | None, Opt(("-p", "--partitions"), COUNT, "so many in all")] = None,
) -> Result:
    """Give a Kafka topic more partitions."""
    if partitions is None:
        raise BadArgument("name", "how many partitions? topic grow NAME -p 12")
    kafka(session).grow_topic(known_topic(session, name), partitions)
    return done(
        f"{name} has {counted(partitions, 'partition')}", {"name": name, "partitions": partitions}
    )


@command(
    "topic set",
    group="topics",
    aliases=("topic config",),
    examples=("topic set orders retention.ms=60000", "topic set orders retention.ms="),
)
def topic_set(
    session: "Session",
    name: Annotated[str, Arg(TOPIC, "a Kafka topic")],
    pair: Annotated[tuple[str, str], Arg(CONFIG, "a setting; without a value: its default")],
) -> Result:
    """Change a Kafka topic's configuration."""
    key, value = pair
    kafka(session).configure_topic(known_topic(session, name), key, value or None)
    return done(
        f"{name}: {key} is {value or 'its default'}", {"name": name, "config": {key: value}}
    )


@command(
    "topic rm",
    group="topics",
    aliases=("topic delete", "drop topic"),
    examples=("topic rm orders -y",),
    asks="Delete topic {name} with all its records?",
)
def topic_rm(session: "Session", name: Annotated[str, Arg(TOPIC, "a Kafka topic")]) -> Result:
    """Delete a Kafka topic with all its records."""
    kafka(session).delete_topic(known_topic(session, name))
    return done(f"topic {name} deleted", {"name": name})


@command(
    "topic purge",
    group="topics",
    aliases=("purge topic",),
    examples=("topic purge orders -y",),
    asks="Delete all records of topic {name}?",
)
def topic_purge(session: "Session", name: Annotated[str, Arg(TOPIC, "a Kafka topic")]) -> Result:
    """Delete a Kafka topic's records; the topic stays and its offsets go on.

    Of very many partitions it is a job, as topic compact is.
    """
    broker = kafka(session)
    steps = broker.purging(known_topic(session, name))

    def purged(gone: int) -> Result:
        return done(f"{counted(gone, 'record')} of {name} deleted", {"name": name, "records": gone})

    return worked(session, broker.environment.chores, "purge", name, steps, purged)


@command(
    "topic compact",
    group="topics",
    aliases=("compact topic",),
    examples=("topic compact accounts",),
)
def topic_compact(session: "Session", name: Annotated[str, Arg(TOPIC, "a Kafka topic")]) -> Result:
    """Compact a Kafka topic now: of each key the newest record stays.

    The topic's cleanup.policy says compact; min.compaction.lag.ms and delete.retention.ms hold.
    Of very much, clients get their turn in between; then it is a job, whose end scripts wait for.
    """
    broker = kafka(session)
    steps = broker.compacting(known_topic(session, name))

    def compacted(gone: int) -> Result:
        return done(
            f"{name} compacted: {counted(gone, 'record')} left", {"name": name, "records": gone}
        )

    return worked(session, broker.environment.chores, "compact", name, steps, compacted)


def known_topic(session: "Session", name: str) -> str:
    """The name of a Kafka topic that is there. Raises BadArgument with the nearest one."""
    return known("name", name, kafka(session).topic_names(), "Kafka topic")


COMMANDS = (
    topic_ls,
    topic_add,
    topic_show,
    producer_ls,
    topic_grow,
    topic_set,
    topic_rm,
    topic_purge,
    topic_compact,
)
