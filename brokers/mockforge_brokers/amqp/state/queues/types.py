"""The types of queues (x-queue-type), and which class serves a declaration."""

from collections.abc import Mapping
from typing import Any, Final

from ...records import Table
from ..memory import Memory
from .governed import GovernedQueue
from .host import Host
from .policy import NO_POLICY, policy_of
from .queue import Queue
from .quorum import QuorumQueue
from .stream import StreamQueue, retention_of

_TYPES: Final[dict[str, type[GovernedQueue]]] = {"quorum": QuorumQueue}
"""Those that always have rules; a classic queue without any is a plain one."""


QUEUE_TYPES: Final = ("classic", *_TYPES, StreamQueue.kind)


def queue_type(arguments: Table) -> str:
    field = arguments.get("x-queue-type")
    return str(field.value) if field else "classic"


def make_queue(
    name: str,
    memory: Memory,
    host: Host,
    definition: Mapping[str, Any],
    *,
    arguments: Table,
    **flags: Any,
) -> Queue:
    """A queue for arguments that were checked, and the definition that policies give it."""
    kind = queue_type(arguments)
    if kind == StreamQueue.kind:
        retention = retention_of(arguments, definition)
        return StreamQueue(
            name, memory, host=host, retention=retention, arguments=arguments, **flags
        )
    policy = policy_of(arguments, definition)
    found = _TYPES.get(kind)
    if found is None and policy is None:
        return Queue(name, memory, arguments=arguments, **flags)
    return (found or GovernedQueue)(
        name, memory, host=host, policy=policy or NO_POLICY, arguments=arguments, **flags
    )
