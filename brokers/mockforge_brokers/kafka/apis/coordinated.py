"""Which node answers for a group or transaction, where the cluster has several."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ...errors import RequestRefused
from ..codes import ApiKey, ErrorCode
from ..wire.schema import Message
from .caller import Caller

Keys = Callable[[Any], Iterable[str | None]]


def _group(request: Any) -> Iterable[str | None]:
    return (request.group_id,)


def _transaction(request: Any) -> Iterable[str | None]:
    return (request.transactional_id,)


def _offset_fetch(request: Any) -> Iterable[str | None]:
    return [one.group_id for one in request.groups] or (request.group_id,)


def _added(request: Any) -> Iterable[str | None]:
    """From version 4 on it is a broker that asks, for several."""
    asked = [one.transactional_id for one in request.transactions]
    return asked or (request.v3_and_below_transactional_id,)


_KEYS: Final[Mapping[int, Keys]] = {
    ApiKey.JOIN_GROUP: _group,
    ApiKey.SYNC_GROUP: _group,
    ApiKey.HEARTBEAT: _group,
    ApiKey.LEAVE_GROUP: _group,
    ApiKey.OFFSET_COMMIT: _group,
    ApiKey.OFFSET_FETCH: _offset_fetch,
    ApiKey.OFFSET_DELETE: _group,
    ApiKey.CONSUMER_GROUP_HEARTBEAT: _group,
    ApiKey.DESCRIBE_GROUPS: lambda request: request.groups,
    ApiKey.CONSUMER_GROUP_DESCRIBE: lambda request: request.group_ids,
    ApiKey.DELETE_GROUPS: lambda request: request.groups_names,
    ApiKey.TXN_OFFSET_COMMIT: _group,
    ApiKey.INIT_PRODUCER_ID: _transaction,
    ApiKey.ADD_PARTITIONS_TO_TXN: _added,
    ApiKey.ADD_OFFSETS_TO_TXN: _transaction,
    ApiKey.END_TXN: _transaction,
    ApiKey.DESCRIBE_TRANSACTIONS: lambda request: request.transactional_ids,
}


def misplaced(caller: Caller, request: Message) -> RequestRefused | None:
    """The refusal of a request that another node is to be asked."""
    keys = _KEYS.get(int(request.api_key or 0))
    if keys is None:
        return None
    nodes = caller.cluster.nodes
    for key in keys(request):
        if key is not None and nodes.coordinator(key) != caller.node:
            return RequestRefused(
                ErrorCode.NOT_COORDINATOR,
                f"{key} is coordinated by node {nodes.coordinator(key)}, not by {caller.node}",
            )
    return None
