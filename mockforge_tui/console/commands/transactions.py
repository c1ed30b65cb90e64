"""`txn`: Kafka's transactions."""

from typing import TYPE_CHECKING, Annotated

from ..lookup import BadArgument, kafka, known
from ..registry import Arg, command
from ..results import Column, Result, count, done, duration, facts_table, table
from ..targets import KafkaTarget, parse_target
from ..types import TEXT, TRANSACTION

if TYPE_CHECKING:
    from mockforge_brokers.kafka.broker import KafkaBroker

    from ..session import Session

_HANGS = "hangs"


@command(
    "txn ls",
    group="connections",
    aliases=("transactions", "list transactions"),
    examples=("txn ls",),
)
def txn_ls(session: "Session") -> Result:
    """List transactional ids, with the transactions that are open.

    A transaction that hangs is open in a partition, and no transactional id has it: its
    read_committed consumers wait until `txn abort kafka:TOPIC[PARTITION]` ends it.
    """
    broker = kafka(session)
    rows = [
        {
            "name": each.transactional_id,
            "state": each.state,
            "producer": f"{each.producer_id}/{each.producer_epoch}",
            "client": each.client,
            "open_for": each.open_for,
            "timeout": each.timeout,
            "partitions": len(each.partitions),
            "groups": len(each.groups),
        }
        for each in broker.transactions()
    ]
    return table(
        [*_hanging(broker), *rows],
        Column("name", "transactional id"),
        Column("state", "state"),
        Column("producer", "producer"),
        Column("client", "client"),
        Column("open_for", "open for", duration, right=True),
        Column("timeout", "timeout", duration, right=True),
        Column("partitions", "partitions", count, right=True),
        Column("groups", "groups", count, right=True),
        empty="no transactions: no producer has taken a transactional id",
    )


def _hanging(broker: "KafkaBroker") -> list[dict[str, object]]:
    return [
        {
            "name": f"kafka:{topic.name}[{partition.partition}]",
            "state": _HANGS,
            "producer": str(each.producer_id),
            "client": "",
            "open_for": None,
            "timeout": None,
            "partitions": 1,
            "groups": 0,
        }
        for topic in broker.destinations()
        for partition in topic.detail["partitions"]
        for each in partition.open
        if each.hangs
    ]


@command(
    "txn show",
    group="connections",
    aliases=("txn describe", "describe transaction"),
    examples=("txn show till-1",),
)
def txn_show(
    session: "Session", name: Annotated[str, Arg(TRANSACTION, "a transactional id")]
) -> Result:
    """Show a transactional id: its producer, and what its transaction holds."""
    views = {each.transactional_id: each for each in kafka(session).transactions()}
    one = views[known("name", name, views, "transactional id")]
    return facts_table(
        {
            "name": one.transactional_id,
            "state": one.state,
            "producer id": one.producer_id,
            "producer epoch": one.producer_epoch,
            "client": one.client,
            "timeout": duration(one.timeout),
            "open for": duration(one.open_for),
            "partitions": [f"{topic}[{partition}]" for topic, partition in one.partitions],
            "groups": list(one.groups),
        }
    )


@command(
    "txn abort",
    group="connections",
    examples=("txn abort till-1", "txn abort kafka:orders[0]"),
)
def txn_abort(
    session: "Session",
    name: Annotated[
        str, Arg(TRANSACTION, "a transactional id, or kafka:TOPIC[2] for what hangs there")
    ],
) -> Result:
    """Abort an open transaction, and fence its producer.

    Of a partition it ends what hangs: transactions that no transactional id has.
    """
    broker = kafka(session)
    if not name.startswith("kafka:"):
        views = [each.transactional_id for each in broker.transactions()]
        broker.abort_transaction(known("name", name, views, "transactional id"))
        return done(f"{name} is aborted, its producer is fenced", {"name": name})
    target = _partition(name, "txn abort kafka:TOPIC[0]")
    number = broker.abort_hanging(*target)
    text = f"{number} hanging transaction{'' if number == 1 else 's'} of {name} aborted"
    return done(text, {"name": name, "aborted": number})


@command("txn hang", group="connections", examples=("txn hang kafka:orders[0]",))
def txn_hang(
    session: "Session",
    name: Annotated[str, Arg(TRANSACTION, "a partition: kafka:TOPIC[2]")],
    payload: Annotated[str, Arg(TEXT, "what its one record says")] = "hanging",
) -> Result:
    """Begin a transaction in a partition that no coordinator knows: nobody will end it.

    A read_committed consumer gets nothing from there on, until `txn abort` of the partition.
    """
    topic, partition = _partition(name, "txn hang kafka:TOPIC[0]")
    number = kafka(session).begin_hanging(topic, partition, payload.encode())
    text = f"a transaction of producer {number} hangs in {topic}[{partition}]"
    return done(text, {"producer": number, "topic": topic, "partition": partition})


def _partition(name: str, example: str) -> tuple[str, int]:
    try:
        target = parse_target(name)
    except ValueError as error:
        raise BadArgument("name", str(error)) from None
    if not isinstance(target, KafkaTarget) or target.partition is None:
        raise BadArgument("name", f"of which partition? {example}")
    return target.topic, target.partition


COMMANDS = (txn_ls, txn_show, txn_abort, txn_hang)
