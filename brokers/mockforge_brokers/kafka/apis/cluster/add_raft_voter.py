"""AddRaftVoter 0-1 (KIP-853)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...wire.messages.nodes import AddRaftVoterRequest, AddRaftVoterResponse
from ..caller import Caller
from ..handler import MessageHandler
from .raft_voters import LISTENER, is_voter, refuse, shown, voters


def handle(caller: Caller, request: AddRaftVoterRequest) -> AddRaftVoterResponse:
    voter = request.voter_id, request.voter_directory_id
    problem = ""
    if not is_voter(*voter):
        problem = "Add voter request didn't include a valid voter"
    elif LISTENER not in [one.name for one in request.listeners]:
        given = ", ".join(
            f"ListenerName({one.name})={one.host}/<unresolved>:{one.port}"
            for one in request.listeners
        )
        problem = (
            f"Add voter request didn't include the endpoint (Endpoints(endpoints={{{given}}})) for"
            f" the default listener ListenerName({LISTENER})"
        )

    def last() -> RequestRefused:
        if request.voter_id in caller.cluster.nodes.ids:
            text = f"The voter id for {shown(*voter)} is already part of the set of voters"
            there = voters(caller.cluster)
            return RequestRefused(ErrorCode.DUPLICATE_VOTER, f"{text} {there}.")
        # Nothing that listens there is asked: there are no controllers but our own.
        text = f"New voter {shown(*voter)} is not ready to receive requests"
        return RequestRefused(ErrorCode.REQUEST_TIMED_OUT, text)

    api = ApiKey.ADD_RAFT_VOTER
    code, text = refuse(caller, api, request.cluster_id, "adding", problem, last)
    return AddRaftVoterResponse(error_code=code, error_message=text)


API = MessageHandler(AddRaftVoterRequest, handle)
