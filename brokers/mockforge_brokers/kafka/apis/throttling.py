"""Quotas applied: what a request used is charged, its answer says how long to wait (KIP-219).

The answer goes out at once, with the time in it, and the connection is read again when the time is
up. Where a response has no place for it, only the waiting remains. A fetch is charged for what it
reads and for its time before it is answered (`Caller.may_send`): while its client is throttled it
gets nothing.
"""

from typing import Final

from ..codes import ApiKey
from ..state.quotas import PRODUCE
from ..wire.catalog import RESPONSES
from ..wire.frames import decode_response, response_pieces
from .caller import Caller

Pieces = list[bytes]
_LOG_IN: Final = frozenset((ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE))
_FIELD: Final = "throttle_time_ms"
_LONGEST: Final = 2**31 - 1


def charge(caller: Caller, api_key: int, version: int, size: int, pieces: Pieces) -> float:
    """Charge a request of so many bytes and the time it took; returns the seconds to wait.

    They are written into the answer. Markers are brokers' own, and a log-in is no API's.
    """
    if api_key == ApiKey.WRITE_TXN_MARKERS or (api_key in _LOG_IN and caller.login.is_wanted):
        return 0.0
    quotas, user, client_id = caller.cluster.quotas, caller.user, caller.client_id
    seconds, caller.wait = caller.wait, 0.0
    if api_key == ApiKey.PRODUCE:
        seconds = max(seconds, quotas.charge(PRODUCE, user, client_id, size))
    # Nor is the time of who wants no answer counted (acks=0).
    if api_key != ApiKey.FETCH and pieces:
        seconds = max(seconds, quotas.request(user, client_id, caller.took))
    if seconds > 0 and pieces:
        write_time(api_key, version, pieces, seconds)
    return seconds


def write_time(api_key: int, version: int, pieces: Pieces, seconds: float) -> None:
    """Put the time into an encoded answer, where its version has a field for it."""
    response = RESPONSES[api_key]
    field = next((f for f in response.fields if f.name == _FIELD), None)
    if field is None or version not in field.versions:
        return
    milliseconds = min(_LONGEST, round(seconds * 1000))
    time = milliseconds.to_bytes(4, "big")
    present = [f for f in response.fields if version in f.versions and f.tag is None]
    if present[0] is field:
        # The header is a piece of its own (`response_pieces`).
        pieces[1] = _put(pieces[1], 0, time)
    elif present[-1] is field and not response.is_flexible(version):
        pieces[-1] = _put(pieces[-1], len(pieces[-1]) - 4, time)
    else:
        # Tagged fields may follow: those of ApiVersions, or where another leader is.
        correlation_id, message = decode_response(b"".join(pieces), api_key, version)
        setattr(message, _FIELD, milliseconds)
        pieces[:] = response_pieces(message, version, correlation_id)


def _put(piece: bytes, at: int, time: bytes) -> bytes:
    return piece[:at] + time + piece[at + 4 :]
