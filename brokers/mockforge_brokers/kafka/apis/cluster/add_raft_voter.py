"""AddRaftVoter 0-1 (KIP-853)."""

from ...codes import ApiKey
from ...wire.messages.nodes import AddRaftVoterRequest, AddRaftVoterResponse
from ..caller import Caller
from ..handler import MessageHandler
from .raft_voters import is_voter, refuse

_LISTENER = "CONTROLLER"


def handle(caller: Caller, request: AddRaftVoterRequest) -> AddRaftVoterResponse:
    problem = ""
    if not is_voter(request.voter_id, request.voter_directory_id):
        problem = "Add voter request didn't include a valid voter"
    elif _LISTENER not in [one.name for one in request.listeners]:
        problem = f"the request has no endpoint of the default listener {_LISTENER}"
    code, text = refuse(caller, ApiKey.ADD_RAFT_VOTER, request.cluster_id, "adding", problem)
    return AddRaftVoterResponse(error_code=code, error_message=text)


API = MessageHandler(AddRaftVoterRequest, handle)
