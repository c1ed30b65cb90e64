"""What a Kafka client measures of itself (KIP-714), as tables for prompt and screen."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.snapshots import ConnectionView

from .. import units
from .results import Column, count

if TYPE_CHECKING:
    from mockforge_brokers.kafka.broker import KafkaBroker
    from mockforge_brokers.kafka.otlp import MetricValue
    from mockforge_brokers.kafka.snapshots import TelemetryView

_ALL_BEGIN_WITH = "org.apache.kafka."
"""Left out where room is scarce: every client's metrics begin so."""


def _ago(value: float | None) -> str:
    return "never" if value is None else f"{units.format_duration(value)} ago"


def _number(value: float | None) -> str:
    if value is None:
        return "NaN"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}"


ASKED = Column("asked", "asked for")
PUSHES = (
    Column("every", "every", units.format_duration, right=True),
    Column("pushes", "pushes", count, right=True),
    Column("bytes", "bytes", count, right=True),
    Column("compression", "codec"),
    Column("ago", "last", _ago, right=True),
)
METRICS = (
    Column("name", "metric"),
    Column("value", "value", _number, right=True),
    Column("attributes", "of"),
    Column("kind", ""),
)


def pushing(view: "TelemetryView") -> dict[str, Any]:
    """What a client is asked for, and what it pushed."""
    return {
        "asked": " ".join(view.metrics),
        "every": view.interval,
        "pushes": view.pushes,
        "bytes": view.bytes,
        "compression": view.compression,
        "ago": view.ago,
    }


def measured(values: "Iterable[MetricValue]") -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "attributes": " ".join(f"{key}={value}" for key, value in each.attributes),
            # Java says NaN of what it has not measured, which JSON has no word for.
            "value": each.value if math.isfinite(each.value) else None,
            "kind": "since the push before" if each.delta else "",
        }
        for each in values
    ]


def of_connection(
    kafka: "KafkaBroker", view: ConnectionView
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Whether its client pushes, and its newest metrics by shorter names.

    A client pushes over one of its connections; the others show the same. Which they are only the
    client id and the host say, so they show nothing where two processes have these.
    """
    views = kafka.telemetry()
    mine = [one for one in views if one.connection == view.id and one.open]
    if not mine and view.client:
        mine = _of_one_process([one for one in views if one.client == view.client], view)
    if not mine:
        return [], []
    newest = mine[-1]
    try:
        found = measured(kafka.telemetry_values(newest.instance_id)) if newest.pushes else []
    except InvalidInput:
        # `telemetry show` says what is wrong with it.
        found = []
    for row in found:
        row["name"] = row["name"].removeprefix(_ALL_BEGIN_WITH)
    return [pushing(newest)], found


def _of_one_process(
    views: "list[TelemetryView]", connection: ConnectionView
) -> "list[TelemetryView]":
    """Those that are open, unless some may be another process's with the same client id."""
    if len({one.instance_id for one in views}) > 1:
        return []
    host = _host(connection.address)
    return [one for one in views if one.open and _host(one.address) == host]


def _host(address: str) -> str:
    # Kafka's label of it has IPv6 without brackets.
    return address.rpartition(":")[0].strip("[]")
