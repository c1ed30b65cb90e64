"""`telemetry`: what Kafka's clients measure of themselves and push, when they are asked to."""

from typing import TYPE_CHECKING, Annotated

from ... import units
from ..kafka_telemetry import ASKED, METRICS, PUSHES, measured, pushing
from ..lookup import BadArgument, kafka, known
from ..registry import Arg, Opt, command
from ..results import Column, Result, done, table
from ..types import DURATION, text

if TYPE_CHECKING:
    from mockforge_brokers.kafka.snapshots import TelemetryView

    from ..session import Session

_CLIENT = text("client", "telemetry")
_NAME = text("subscription", "telemetry-subscriptions")
_PREFIXES = text("metrics")
_MATCH = text("match")


@command("telemetry ls", group="connections", aliases=("telemetry",), examples=("telemetry ls",))
def telemetry_ls(session: "Session") -> Result:
    """List Kafka clients that are asked for their own metrics, and what each pushed (KIP-714)."""
    broker = kafka(session)
    rows = [
        {
            "client": each.client,
            "software": each.software,
            "instance": each.instance_id,
            "connection": each.connection if each.open else None,
            **pushing(each),
        }
        for each in broker.telemetry()
    ]
    nobody = "no client asked yet; those that are connected already ask when they connect again"
    return table(
        rows,
        Column("client", "client"),
        Column("software", "software"),
        Column("instance", "instance"),
        Column("connection", "conn", right=True),
        ASKED,
        *PUSHES,
        empty=nobody if broker.subscriptions() else "nobody is asked: telemetry set NAME '*'",
    )


@command("telemetry show", group="connections", examples=("telemetry show shop",))
def telemetry_show(
    session: "Session", client: Annotated[str, Arg(_CLIENT, "a client id, or its instance id")]
) -> Result:
    """Show the metrics that a client pushed last: producers' queues, consumers' lag, latencies."""
    broker = kafka(session)
    found = _found(broker.telemetry(), client)
    return table(
        measured(broker.telemetry_values(found.instance_id)),
        *METRICS,
        empty=f"{client} pushed nothing yet; it is asked for {' '.join(found.metrics) or 'nothing'}"
        f" every {units.format_duration(found.interval)}",
    )


def _found(views: "list[TelemetryView]", client: str) -> "TelemetryView":
    """The instance of this id, or the newest one of this client id that pushed."""
    mine = [one for one in views if client in (one.instance_id, one.client)]
    if not mine:
        known("client", client, [one.client for one in views], "client that pushes metrics")
    return max(mine, key=lambda one: one.pushes > 0)


@command(
    "telemetry set",
    group="connections",
    examples=(
        "telemetry set all *",
        "telemetry set lag org.apache.kafka.consumer. --every 1s --match client_id=shop.*",
    ),
)
def telemetry_set(
    session: "Session",
    name: Annotated[str, Arg(_NAME, "what this subscription is called")],
    metrics: Annotated[str, Arg(_PREFIXES, "prefixes of metrics' names, with commas; *: all")],
    *,
    every: Annotated[
        float | None, Opt(("--every",), DURATION, "how often they push; 5m by default")
    ] = None,
    match: Annotated[
        str | None, Opt(("--match",), _MATCH, "of which clients: ATTRIBUTE=PATTERN, with commas")
    ] = None,
) -> Result:
    """Ask Kafka's clients for their own metrics: those that connect from now on push them."""
    values = {"metrics": metrics}
    if every is not None:
        values["interval.ms"] = str(round(every * 1000))
    if match is not None:
        values["match"] = match
    kafka(session).subscribe(name, values)
    return done(f"clients are asked for {metrics}", {"name": name, **values})


@command("telemetry rm", group="connections", examples=("telemetry rm all",))
def telemetry_rm(session: "Session", name: Annotated[str, Arg(_NAME, "a subscription")]) -> Result:
    """Ask for these metrics no longer."""
    broker = kafka(session)
    if name not in broker.subscriptions():
        raise BadArgument(
            "name", f"no subscription {name}; there are: {', '.join(broker.subscriptions()) or '-'}"
        )
    broker.subscribe(name, {})
    return done(f"{name}: nobody is asked any more", {"name": name})


COMMANDS = (telemetry_ls, telemetry_show, telemetry_set, telemetry_rm)
