"""CreateDelegationToken 1-3 (KIP-48, KIP-373)."""

from ....permissions import KAFKA_ANONYMOUS
from ...codes import ApiKey, ErrorCode
from ...wire.messages.nodes import CreateDelegationTokenRequest, CreateDelegationTokenResponse
from ..caller import Caller
from ..handler import MessageHandler
from .tokens import refuse


def handle(caller: Caller, request: CreateDelegationTokenRequest) -> CreateDelegationTokenResponse:
    code = refuse(caller, ApiKey.CREATE_DELEGATION_TOKEN)
    name = caller.peer.principal.name or KAFKA_ANONYMOUS
    time = 0 if code == ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED else -1
    return CreateDelegationTokenResponse(
        error_code=code,
        principal_type="User",
        principal_name=name,
        token_requester_principal_type="User",
        token_requester_principal_name=name,
        issue_timestamp_ms=time,
        expiry_timestamp_ms=time,
        max_timestamp_ms=time,
        token_id="",
        hmac=b"",
    )


API = MessageHandler(CreateDelegationTokenRequest, handle)
