"""Topics that Kafka keeps its own state in: clients make and read them, but do not write them.

What is said of them is Apache Kafka 4.4's (Topic.INTERNAL_TOPICS, ReplicaManager, KafkaApis). The
state itself is not kept in topics here: they are there only where somebody makes them.
"""

from typing import Final

from ....errors import RequestRefused
from ...codes import ErrorCode

OFFSETS_TOPIC: Final = "__consumer_offsets"
CLUSTER_METADATA: Final = "__cluster_metadata"
"""The quorum's log: no topic at all, so nobody makes one of this name, and none is shown."""

_INTERNAL: Final = frozenset((OFFSETS_TOPIC, "__transaction_state", "__share_group_state"))
_ADMIN_CLIENT: Final = "__admin_client"
"""The client id (AdminUtils.ADMIN_CLIENT_ID) whose records Kafka takes even for these."""


def is_internal(name: str | None) -> bool:
    """By the name alone, whether there is such a topic or not."""
    return name in _INTERNAL


def check_records(name: str, client_id: str = "") -> None:
    """Raises RequestRefused where no client writes or deletes records."""
    if name in _INTERNAL and client_id != _ADMIN_CLIENT:
        raise RequestRefused(
            ErrorCode.INVALID_TOPIC_EXCEPTION, f"{name} is internal: its records are the broker's"
        )


def check_creatable(name: str) -> None:
    """Raises RequestRefused for the name that is no topic's."""
    if name == CLUSTER_METADATA:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, f"Creation of internal topic {name} is prohibited."
        )
