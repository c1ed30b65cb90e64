"""SaslAuthenticate 0-2: the mechanism's tokens (KIP-152, KIP-368)."""

from ....errors import RequestRefused
from ...codes import ApiKey
from ...wire.messages.security import SaslAuthenticateRequest, SaslAuthenticateResponse
from ..caller import Caller
from ..handler import MessageHandler


def handle(caller: Caller, request: SaslAuthenticateRequest) -> SaslAuthenticateResponse:
    try:
        answer = caller.authenticate(request.auth_bytes)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.SASL_AUTHENTICATE, refusal)
        if not caller.login.is_over:
            caller.login.hang_up(refusal.text)
        return SaslAuthenticateResponse(error_code=code, error_message=refusal.text, auth_bytes=b"")
    return SaslAuthenticateResponse(
        error_message="",
        auth_bytes=answer,
        session_lifetime_ms=0 if caller.login.agreed else caller.login.lifetime_ms(),
    )


API = MessageHandler(SaslAuthenticateRequest, handle)
