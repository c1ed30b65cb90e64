"""What all four requests about delegation tokens are told: there are none (KIP-48).

As in a Kafka without `delegation.token.secret.key`: who is not logged in may not even ask.
"""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ..caller import Caller


def refuse(caller: Caller, api: ApiKey) -> int:
    """The error code."""
    if caller.peer.principal.name:
        code = ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED
    else:
        code = ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    text = "delegation tokens are not served: log in by PLAIN, SCRAM or OAUTHBEARER"
    return caller.denied(api, RequestRefused(code, text))
