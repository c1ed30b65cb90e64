"""RemoveRaftVoter 0 (KIP-853)."""

from ...codes import ApiKey
from ...wire.messages.nodes import RemoveRaftVoterRequest, RemoveRaftVoterResponse
from ..caller import Caller
from ..handler import MessageHandler
from .raft_voters import refuse


def handle(caller: Caller, request: RemoveRaftVoterRequest) -> RemoveRaftVoterResponse:
    code, text = refuse(caller, ApiKey.REMOVE_RAFT_VOTER, request.cluster_id, "removing")
    return RemoveRaftVoterResponse(error_code=code, error_message=text)


API = MessageHandler(RemoveRaftVoterRequest, handle)
