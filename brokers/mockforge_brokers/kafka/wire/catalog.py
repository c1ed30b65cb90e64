"""Which message belongs to which API."""

from collections.abc import Mapping
from types import MappingProxyType

from .messages import (
    acls,
    cluster,
    configs,
    consumer_groups,
    features,
    groups,
    logs,
    nodes,
    offsets,
    producers,
    reassignments,
    scram,
    security,
    topics,
    transactions,
)
from .schema import Kind, Message

FAMILIES = (
    acls,
    cluster,
    configs,
    features,
    consumer_groups,
    groups,
    logs,
    nodes,
    offsets,
    producers,
    reassignments,
    scram,
    security,
    topics,
    transactions,
)


def _messages(kind: Kind) -> Mapping[int, type[Message]]:
    return MappingProxyType(
        {
            item.api_key: item
            for family in FAMILIES
            for item in vars(family).values()
            if isinstance(item, type) and issubclass(item, Message) and item is not Message
            if item.kind == kind and item.api_key is not None
        }
    )


REQUESTS = _messages("request")
RESPONSES = _messages("response")
