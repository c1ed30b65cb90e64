"""DeleteGroups 0-3: groups without members go, with all that they committed (KIP-229)."""

from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...wire.messages.groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import each


def handle(caller: Caller, request: DeleteGroupsRequest) -> Stepped[DeleteGroupsResponse]:
    # Once each, as Kafka does: the second of two equal names would not be found.
    names = dict.fromkeys(request.groups_names)
    return DeleteGroupsResponse(results=(yield from each(partial(_delete, caller), names)))


def _delete(caller: Caller, group_id: str) -> DeletableGroupResult:
    code = 0
    try:
        caller.permit("delete", "group", group_id)
        caller.cluster.groups.delete(group_id, source=caller.name)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.DELETE_GROUPS, refusal)
    return DeletableGroupResult(group_id=group_id, error_code=code)


API = MessageHandler(DeleteGroupsRequest, handle)
