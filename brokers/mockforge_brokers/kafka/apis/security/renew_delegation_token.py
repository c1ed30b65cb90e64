"""RenewDelegationToken 1-2 (KIP-48)."""

from ...codes import ApiKey, ErrorCode
from ...wire.messages.nodes import RenewDelegationTokenRequest, RenewDelegationTokenResponse
from ..caller import Caller
from ..handler import MessageHandler
from .tokens import refuse


def handle(caller: Caller, request: RenewDelegationTokenRequest) -> RenewDelegationTokenResponse:
    code = refuse(caller, ApiKey.RENEW_DELEGATION_TOKEN)
    time = 0 if code == ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED else -1
    return RenewDelegationTokenResponse(error_code=code, expiry_timestamp_ms=time)


API = MessageHandler(RenewDelegationTokenRequest, handle)
