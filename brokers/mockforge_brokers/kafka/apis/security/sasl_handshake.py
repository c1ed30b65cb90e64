"""SaslHandshake 0-1: which mechanism the client logs in with (KIP-43, KIP-152)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...wire.messages.security import SaslHandshakeRequest, SaslHandshakeResponse
from ..caller import Caller
from ..handler import MessageHandler

_TOKENS_ARE_BARE = 0


def handle(caller: Caller, request: SaslHandshakeRequest) -> SaslHandshakeResponse:
    bare = caller.version == _TOKENS_ARE_BARE
    code = caller.login.agree(request.mechanism, bare=bare)
    if code:
        reason = f"SASL mechanism {request.mechanism} is not taken here"
        caller.denied(ApiKey.SASL_HANDSHAKE, RequestRefused(code, reason))
        if not caller.login.is_over:
            caller.login.hang_up(reason)
    if caller.login.agreed:
        # Until it has logged in tokens are all that it may send.
        caller.leave_short_path()
    offered = [] if code == ErrorCode.ILLEGAL_SASL_STATE else caller.login.mechanisms
    return SaslHandshakeResponse(error_code=code, mechanisms=offered)


API = MessageHandler(SaslHandshakeRequest, handle)
