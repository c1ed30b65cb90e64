"""What an argument about Kafka may be."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mockforge_brokers.permissions import ACL_OPERATIONS

from .source import Candidate, Source

if TYPE_CHECKING:
    from ..session import Session


def _acl_operations(session: "Session") -> Iterable[Candidate]:
    return [("all", ""), *((each, "") for each in ACL_OPERATIONS)]


def _quota_entities(session: "Session") -> Iterable[Candidate]:
    yield "user", "users without a quota of their own"
    yield "client-id", "client ids without one"
    yield "ip", "addresses without one"
    for name in session.runtime.access.users:
        yield f"user:{name}", ""
    for each in session.connections():
        if each.protocol == "kafka":
            yield f"client-id:{each.client}", ""


def _telemetry(session: "Session") -> Iterable[Candidate]:
    broker = session.runtime.brokers.kafka
    return [] if broker is None else [(one.client, one.software) for one in broker.telemetry()]


def _subscriptions(session: "Session") -> Iterable[Candidate]:
    broker = session.runtime.brokers.kafka
    if broker is None:
        return []
    return [(name, each.get("metrics", "")) for name, each in broker.subscriptions().items()]


def _transactions(session: "Session") -> Iterable[Candidate]:
    broker = session.runtime.brokers.kafka
    for each in broker.transactions() if broker is not None else ():
        yield each.transactional_id, each.state


def _resources(session: "Session") -> Iterable[Candidate]:
    yield "cluster", "the cluster as a whole"
    kafka = session.runtime.brokers.kafka
    if kafka is not None:
        for kind, names in (
            ("topic", kafka.cluster.topics),
            ("group", kafka.cluster.groups.by_id),
            ("transactional_id", kafka.cluster.transactions.by_id),
        ):
            yield f"{kind}:*", ""
            for name in names:
                yield f"{kind}:{name}", ""


def _principals(session: "Session") -> Iterable[Candidate]:
    yield "User:*", "everybody"
    yield "User:ANONYMOUS", "who did not log in"
    for name in session.runtime.access.users:
        yield f"User:{name}", ""


SOURCES: dict[str, Source] = {
    "principals": _principals,
    "acl-operations": _acl_operations,
    "quota-entities": _quota_entities,
    "telemetry": _telemetry,
    "telemetry-subscriptions": _subscriptions,
    "resources": _resources,
    "transactions": _transactions,
}
