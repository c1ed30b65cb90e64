"""RemoveRaftVoter 0 (KIP-853)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...wire.messages.nodes import RemoveRaftVoterRequest, RemoveRaftVoterResponse
from ..caller import Caller
from ..handler import MessageHandler
from .raft_voters import is_voter, refuse, shown, voters


def handle(caller: Caller, request: RemoveRaftVoterRequest) -> RemoveRaftVoterResponse:
    voter = request.voter_id, request.voter_directory_id
    problem = "" if is_voter(*voter) else "Remove voter request didn't include a valid voter"

    def last() -> RequestRefused:
        there = voters(caller.cluster)
        return RequestRefused(
            ErrorCode.VOTER_NOT_FOUND,
            f"Cannot remove voter {shown(*voter)} from the set of voters {there}",
        )

    api = ApiKey.REMOVE_RAFT_VOTER
    code, text = refuse(caller, api, request.cluster_id, "removing", problem, last)
    return RemoveRaftVoterResponse(error_code=code, error_message=text)


API = MessageHandler(RemoveRaftVoterRequest, handle)
