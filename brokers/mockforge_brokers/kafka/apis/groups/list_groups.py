"""ListGroups 0-5: all groups, by state and type (KIP-518, KIP-848)."""

from ....fairness import Stepped
from ...state.groups.classic.group import Group
from ...state.groups.kept import AnyGroup
from ...wire.messages.groups import ListedGroup, ListGroupsRequest, ListGroupsResponse
from ..caller import Caller
from ..handler import MessageHandler, nothing


def _type(group: AnyGroup) -> str:
    return "classic" if isinstance(group, Group) else "consumer"


def handle(caller: Caller, request: ListGroupsRequest) -> Stepped[ListGroupsResponse]:
    states = {state.lower() for state in request.states_filter}
    types = {kind.lower() for kind in request.types_filter}
    nodes = caller.cluster.nodes
    # Who may describe the cluster may know of every group.
    all_shown = caller.may("describe", "cluster")
    listed = []
    for group in tuple(caller.cluster.groups.by_id.values()):
        if (
            nodes.coordinator(group.group_id) == caller.node
            and (all_shown or caller.may_know("group", group.group_id))
            and (not states or group.state.value.lower() in states)
            and (not types or _type(group) in types)
        ):
            listed.append(_listed(group))
        yield
    return ListGroupsResponse(groups=listed)


def _listed(group: AnyGroup) -> ListedGroup:
    return ListedGroup(
        group_id=group.group_id,
        protocol_type=group.protocol_type,
        group_state=group.state.value,
        group_type=_type(group),
    )


API = MessageHandler(ListGroupsRequest, handle, changes=nothing)
