"""ExpireDelegationToken 1-2 (KIP-48)."""

from ...codes import ApiKey, ErrorCode
from ...wire.messages.nodes import ExpireDelegationTokenRequest, ExpireDelegationTokenResponse
from ..caller import Caller
from ..handler import MessageHandler
from .tokens import refuse


def handle(caller: Caller, request: ExpireDelegationTokenRequest) -> ExpireDelegationTokenResponse:
    code = refuse(caller, ApiKey.EXPIRE_DELEGATION_TOKEN)
    time = 0 if code == ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED else -1
    return ExpireDelegationTokenResponse(error_code=code, expiry_timestamp_ms=time)


API = MessageHandler(ExpireDelegationTokenRequest, handle)
