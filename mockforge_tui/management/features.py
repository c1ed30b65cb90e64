"""Feature flags and deprecated features of the release that the broker is like."""

from collections.abc import Iterator
from typing import Any

from mockforge_brokers.amqp.profiles import (
    ADDRESS_V1,
    GLOBAL_QOS,
    MASTER_LOCATOR,
    TRANSIENT_QUEUE,
    flags_of,
    in_words,
)

from .refusals import bad_request
from .request import NO_CONTENT, Asked


def flags(asked: Asked) -> Any:
    """Those that a release before had are required."""
    profile = asked.broker.options.profile
    return [
        {
            "name": name,
            "desc": "",
            "doc_url": "",
            "state": "enabled",
            "stability": "stable" if name in profile.flags else "required",
            "provided_by": "rabbit",
        }
        for name in flags_of(profile)
    ]


_DEPRECATED = {
    "amqp_address_v1": ADDRESS_V1,
    "global_qos": GLOBAL_QOS,
    "queue_master_locator": MASTER_LOCATOR,
    "transient_nonexcl_queues": TRANSIENT_QUEUE,
}


_PERMITTED = "permitted_by_default"
_RAM_NODES = "ram_node_type"
_WITHOUT_RAM_NODES = (4, 3)


def deprecated(asked: Asked) -> Any:
    """What RabbitMQ's deprecated features page has, of what clients of AMQP 0-9-1 can ask for,
    and RAM nodes: scripts look for them."""
    profile = asked.broker.options.profile
    removed = profile.release >= _WITHOUT_RAM_NODES
    rows = [(_RAM_NODES, "", "removed" if removed else _PERMITTED)]
    for name, outdated in _DEPRECATED.items():
        phase = "denied_by_default" if profile.refuses(outdated) else _PERMITTED
        rows.append((name, in_words(outdated), phase))
    return [
        {
            "name": name,
            "desc": words,
            "doc_url": "",
            "deprecation_phase": phase,
            "provided_by": "rabbit",
        }
        for name, words, phase in sorted(rows)
    ]


def in_use(asked: Asked) -> Any:
    """Those that something which is there now makes use of."""
    used = set(_used(asked))
    return [row for row in deprecated(asked) if row["name"] in used]


def _used(asked: Asked) -> Iterator[str]:
    for host in asked.broker.vhosts.values():
        for queue in host.queues.values():
            if not (queue.durable or queue.owner):
                yield "transient_nonexcl_queues"
            if "x-queue-master-locator" in queue.arguments:
                yield "queue_master_locator"
    if any(row["global_prefetch_count"] for row in asked.broker.management.channels()):
        yield "global_qos"


def enable(asked: Asked) -> Any:
    """All that a release has is enabled."""
    if asked.names[0] not in flags_of(asked.broker.options.profile):
        raise bad_request("unsupported")
    return NO_CONTENT, None
