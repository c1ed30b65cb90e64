"""Requests that reach no handler: of what is not served, or in the midst of a login by SASL."""

from typing import Final

from ..errors import ProtocolError, RequestRefused
from . import misbehaviour
from .apis.caller import Caller
from .apis.handler import Pieces
from .codes import ApiKey, ErrorCode
from .login import TOKENS_COME_IN
from .rows import RowReader
from .wire.frames import RequestHeader, read_request_header, response_pieces

_KNOWN_KEYS: Final = frozenset(ApiKey)


def title(api_key: int) -> str:
    return ApiKey(api_key).title if api_key in _KNOWN_KEYS else "API"


def not_served(caller: Caller, rows: RowReader, header: RequestHeader) -> Pieces:
    """The answer to a version of ApiVersions that we do not know.

    Raises ProtocolError for all else that is not served: Kafka ends the connection, too.
    """
    api_key, version = header.api_key, header.api_version
    caller.counters.refused += 1
    if api_key == ApiKey.API_VERSIONS:
        # KIP-511: answered in version 0, so that the client can ask again in one we know.
        rows.remember(header.correlation_id, api_key, 0)
        return response_pieces(caller.offer.table.unsupported(), 0, header.correlation_id)
    served = caller.offer.served.get(api_key)
    name = title(api_key)
    caller.environment.unserved.report(
        "kafka",
        caller.peer.id,
        caller.name,
        f"{name} ({api_key}) v{version}",
        f"only {served} is served" if served else "this API is not served",
    )
    only = "" if served is None else f", only {served}"
    raise ProtocolError(f"{name} ({api_key}) v{version} is not served{only}")


def in_login(caller: Caller, rows: RowReader, frame: bytes) -> Pieces | None:
    """Tokens are due: the answer to a bare one, or to what is none. None: it is to be handled.

    Raises ProtocolError.
    """
    login = caller.login
    login.check_mechanism()
    if login.bare:
        return _bare_token(caller, frame[4:])
    header, at = read_request_header(frame)
    api_key, version, correlation_id, _ = header
    served = caller.offer.served.get(api_key)
    if api_key in TOKENS_COME_IN or served is None or version not in served:
        return None
    reason = login.interrupted(title(api_key))
    refusal = RequestRefused(ErrorCode.ILLEGAL_SASL_STATE, reason)
    rows.remember(correlation_id, api_key, version)
    return misbehaviour.refuse_whole(caller, header, frame, at, refusal)


def _bare_token(caller: Caller, token: bytes) -> Pieces:
    """After SaslHandshake v0: a token without a request around it; no code can be said."""
    try:
        answer = caller.authenticate(token)
    except RequestRefused as refusal:
        raise ProtocolError(refusal.text) from None
    return [len(answer).to_bytes(4, "big") + answer]
