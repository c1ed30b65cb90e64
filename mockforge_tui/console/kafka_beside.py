"""What stands in the inspector beside a Kafka topic, group or connection: who produces, limits.

It is looked up for the one that somebody looks at, and not with each snapshot of all.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mockforge_brokers.access import Access
from mockforge_brokers.kafka.acls import listed
from mockforge_brokers.snapshots import ConnectionView, DestinationView

from ..units import clock_time, format_duration
from . import kafka_telemetry
from .kafka_tables import Rows, Tables, right, rights_of
from .results import Column, count

if TYPE_CHECKING:
    from mockforge_brokers.kafka.broker import KafkaBroker

_KEYS = (
    "producer_byte_rate",
    "consumer_byte_rate",
    "request_percentage",
    "controller_mutation_rate",
)
_ANYBODY = "User:*"
_WITHOUT_LOGIN = "ANONYMOUS"
_MOST = 200

_PRODUCERS = (
    Column("partition", "partition", right=True),
    Column("producer", "producer"),
    Column("sequence", "sequence", right=True),
    Column("last", "last batch"),
    Column("transaction", "transaction"),
)
_TRANSACTIONS = (
    Column("name", "transactional id"),
    Column("state", "state"),
    Column("producer", "producer"),
    Column("open_for", "open for"),
    Column("partitions", "partitions", right=True),
)
_QUOTAS = (
    Column("quota", "quota"),
    Column("most", "at most", count, right=True),
    Column("now", "now", count, right=True),
    Column("shared", "held together"),
)
_RIGHTS = (
    Column("permission", "permission"),
    Column("operation", "operation"),
    Column("resource", "resource"),
    Column("principal", "principal"),
    Column("host", "from"),
)


def beside(kafka: "KafkaBroker | None", access: Access, subject: object) -> Tables:
    """Tables by name; none of what Kafka knows nothing about."""
    if kafka is None:
        return {}
    match subject:
        case DestinationView(protocol="kafka", name=name):
            if name not in kafka.cluster.topics:
                return {}
            producers = {"producers": (_PRODUCERS, list(_producers(kafka, name)))}
            return {**producers, **rights_of(access, subject)}
        case ConnectionView(protocol="kafka"):
            pushing, metrics = kafka_telemetry.of_connection(kafka, subject)
            return {
                "transactions": (_TRANSACTIONS, list(_transactions(kafka, subject))),
                "quotas": (_QUOTAS, list(_quotas(kafka, subject))),
                "rights": (_RIGHTS, list(_rights(access, subject))),
                "telemetry": ((*kafka_telemetry.PUSHES, kafka_telemetry.ASKED), pushing),
                "metrics": (kafka_telemetry.METRICS[:-1], metrics),
            }
    return rights_of(access, subject)


def _producers(kafka: "KafkaBroker", topic: str) -> Iterator[dict[str, Any]]:
    for partition, one in kafka.producers(topic)[:_MOST]:
        transaction = one.transactional_id
        if one.first_offset is not None:
            transaction = f"{transaction or 'hangs'}, open from {one.first_offset}"
        yield {
            "partition": partition,
            "producer": f"{one.producer_id}/{one.producer_epoch}",
            "sequence": one.last_sequence,
            "last": clock_time(one.time),
            "transaction": transaction,
        }


def _transactions(kafka: "KafkaBroker", view: ConnectionView) -> Iterator[dict[str, Any]]:
    """Of its client id: a transactional id outlives the connections that use it."""
    for each in kafka.transactions():
        if view.client and each.client == view.client:
            yield {
                "name": each.transactional_id,
                "state": each.state,
                "producer": f"{each.producer_id}/{each.producer_epoch}",
                "open_for": "" if each.open_for is None else format_duration(each.open_for),
                "partitions": len(each.partitions),
            }


def _quotas(kafka: "KafkaBroker", view: ConnectionView) -> Iterator[dict[str, Any]]:
    user = view.principal.name or _WITHOUT_LOGIN
    used = {(each.key, each.user, each.client_id): each.rate for each in kafka.quota_use()}
    for key in _KEYS:
        found = kafka.cluster.quotas.limit(key, user, view.client)
        if found is None:
            continue
        most, by_user, by_client = found
        shared = [name for name in (by_user, by_client and f"client id {by_client}") if name]
        yield {
            "quota": key,
            "most": round(most),
            "now": round(used.get((key, by_user, by_client), 0.0)),
            "shared": "all of " + " and ".join(shared) if shared else "all",
        }


def _rights(access: Access, view: ConnectionView) -> Rows:
    user = f"User:{view.principal.name or _WITHOUT_LOGIN}"
    return [
        {**right(acl), "resource": f"{acl.kind}:{right(acl)['pattern']}"}
        for _, acl in listed(access)
        if acl.principal in (user, _ANYBODY)
    ]
