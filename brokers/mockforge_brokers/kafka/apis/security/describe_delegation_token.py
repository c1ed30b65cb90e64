"""DescribeDelegationToken 1-3: there are none, as in a Kafka without a token secret (KIP-48)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...wire.messages.features import (
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from ..caller import Caller
from ..handler import MessageHandler


def handle(
    caller: Caller, request: DescribeDelegationTokenRequest
) -> DescribeDelegationTokenResponse:
    refusal = RequestRefused(
        ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
        "delegation tokens are not served: log in by PLAIN or SCRAM",
    )
    return DescribeDelegationTokenResponse(
        error_code=caller.denied(ApiKey.DESCRIBE_DELEGATION_TOKEN, refusal)
    )


API = MessageHandler(DescribeDelegationTokenRequest, handle)
