"""FindCoordinator 0-6: the node that answers for a group or transaction (KIP-699)."""

from functools import partial

from ....errors import NotServed, RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, CoordinatorType, ErrorCode
from ...state.standing import NOBODY
from ...wire.messages.groups import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..stepping import LIGHT, each


def handle(caller: Caller, request: FindCoordinatorRequest) -> Stepped[FindCoordinatorResponse]:
    if caller.version >= 4:
        find = partial(_find, caller, request.key_type)
        found_each = yield from each(find, request.coordinator_keys, at_a_time=LIGHT)
        return FindCoordinatorResponse(coordinators=found_each)
    found = _find(caller, request.key_type, request.key)
    return FindCoordinatorResponse(
        error_code=found.error_code,
        # Of old, Kafka's text for what went well is the name of its code.
        error_message=found.error_message or "NONE",
        node_id=found.node_id,
        host=found.host,
        port=found.port,
    )


def _find(caller: Caller, key_type: int, key: str) -> Coordinator:
    try:
        _check(caller, key_type, key)
    except RequestRefused as refusal:
        return _nowhere(caller, key, refusal)
    node = caller.cluster.nodes.coordinator(key)
    if node == NOBODY or not caller.found([node]):
        nobody = RequestRefused(ErrorCode.COORDINATOR_NOT_AVAILABLE, "no node is there yet")
        return _nowhere(caller, key, nobody)
    host, port = caller.address(node)
    return Coordinator(
        key=key,
        node_id=node,
        host=host,
        port=port,
        error_message="",
    )


def _nowhere(caller: Caller, key: str, refusal: RequestRefused) -> Coordinator:
    return Coordinator(
        key=key,
        node_id=-1,
        host="",
        port=-1,
        error_code=caller.denied(ApiKey.FIND_COORDINATOR, refusal),
        error_message=refusal.text,
    )


def _check(caller: Caller, key_type: int, key: str) -> None:
    match key_type:
        case CoordinatorType.GROUP:
            caller.permit("describe", "group", key)
            return
        case CoordinatorType.TRANSACTION:
            caller.permit("describe", "transactional_id", key)
            return
        case CoordinatorType.SHARE:
            caller.permit("cluster_action", "cluster")
    kind = f"coordinators of type {key_type}"
    feature = "share groups" if key_type == CoordinatorType.SHARE else kind
    raise NotServed(ErrorCode.INVALID_REQUEST, feature, f"{kind} not served")


API = MessageHandler(FindCoordinatorRequest, handle, changes=nothing)
