"""RemoveRaftVoter 0 (KIP-853)."""

from ...codes import ApiKey
from ...wire.messages.nodes import RemoveRaftVoterRequest, RemoveRaftVoterResponse
from ..caller import Caller
from ..handler import MessageHandler
from .raft_voters import is_voter, refuse


def handle(caller: Caller, request: RemoveRaftVoterRequest) -> RemoveRaftVoterResponse:
    problem = ""
    if not is_voter(request.voter_id, request.voter_directory_id):
        problem = "Remove voter request didn't include a valid voter"
    code, text = refuse(caller, ApiKey.REMOVE_RAFT_VOTER, request.cluster_id, "removing", problem)
    return RemoveRaftVoterResponse(error_code=code, error_message=text)


API = MessageHandler(RemoveRaftVoterRequest, handle)
