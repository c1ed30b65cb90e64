"""What an argument about Kafka may be."""

from collections.abc import Iterable, Sequence
from itertools import chain
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


ALL_NODES = "all"
"""In place of a node's number."""
CONFIGURED_KINDS = ("topic", "group", "broker")
"""What `config` shows and sets the configuration of."""


def kind_of(words: Sequence[str]) -> str:
    """Which of them a line is about; empty where it names none yet."""
    return next((word for word in words if word in CONFIGURED_KINDS), "")


def configured(session: "Session", kind: str = "") -> Iterable[Candidate]:
    """What has a configuration of its own: of this kind, or of all."""
    kafka = session.runtime.brokers.kafka
    if kafka is None:
        return
    if kind in ("topic", ""):
        yield from ((name, "topic") for name in kafka.cluster.topics)
    if kind in ("group", ""):
        # Values may wait for a group that nobody has joined yet.
        groups = kafka.cluster.groups.by_id, kafka.cluster.configuring.groups.own
        yield from ((name, "group") for name in dict.fromkeys(chain(*groups)))
    if kind in ("broker", ""):
        yield ALL_NODES, "all nodes"
        yield from ((str(node), f"node kafka/{node}") for node in kafka.nodes.ids)


def config_keys(session: "Session", kind: str = "") -> Iterable[Candidate]:
    """Keys that act on what is of this kind, with what they mean."""
    broker = session.runtime.brokers.kafka
    if broker is not None and kind:
        for key in broker.served_keys(kind):
            yield f"{key.name}=", key.meaning


def _principals(session: "Session") -> Iterable[Candidate]:
    yield "User:*", "everybody"
    yield "User:ANONYMOUS", "who did not log in"
    for name in session.runtime.access.users:
        yield f"User:{name}", ""


SOURCES: dict[str, Source] = {
    "config-keys": config_keys,
    "configured": configured,
    "principals": _principals,
    "acl-operations": _acl_operations,
    "quota-entities": _quota_entities,
    "telemetry": _telemetry,
    "telemetry-subscriptions": _subscriptions,
    "resources": _resources,
    "transactions": _transactions,
}
