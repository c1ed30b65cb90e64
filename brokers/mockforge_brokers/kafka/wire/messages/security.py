"""SASL: SaslHandshake and SaslAuthenticate."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import Bytes, Int16, Int64, Message, String, field, request, response


@request(ApiKey.SASL_HANDSHAKE, "0-1")
class SaslHandshakeRequest(Message):
    """After v0 the tokens are sent bare, after v1 in SaslAuthenticate (KIP-152)."""

    mechanism: String


@response(ApiKey.SASL_HANDSHAKE, "0-1")
class SaslHandshakeResponse(Message):
    error_code: Int16 = 0
    mechanisms: Sequence[String]


@request(ApiKey.SASL_AUTHENTICATE, "0-2", flexible=2)
class SaslAuthenticateRequest(Message):
    auth_bytes: Bytes


@response(ApiKey.SASL_AUTHENTICATE, "0-2", flexible=2)
class SaslAuthenticateResponse(Message):
    """v1 says how long the login is good for: 0, without end (KIP-368)."""

    error_code: Int16 = 0
    error_message: String | None
    auth_bytes: Bytes
    session_lifetime_ms: Int64 = field("1+", default=0)
