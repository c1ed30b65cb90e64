"""ListGroups 0-5: all groups, by state and type (KIP-518, KIP-848)."""

from ...wire.messages.groups import ListedGroup, ListGroupsRequest, ListGroupsResponse
from ..caller import Caller
from ..handler import MessageHandler

_TYPE = "classic"


def handle(caller: Caller, request: ListGroupsRequest) -> ListGroupsResponse:
    states = {state.lower() for state in request.states_filter}
    types = {kind.lower() for kind in request.types_filter}
    if types and _TYPE not in types:
        return ListGroupsResponse(groups=[])
    return ListGroupsResponse(
        groups=[
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.protocol_type,
                group_state=group.state.value,
                group_type=_TYPE,
            )
            for group in caller.cluster.groups.by_id.values()
            if caller.may_know("group", group.group_id)
            and (not states or group.state.value.lower() in states)
        ]
    )


API = MessageHandler(ListGroupsRequest, handle)
