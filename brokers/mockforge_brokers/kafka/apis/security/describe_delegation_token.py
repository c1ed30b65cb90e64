"""DescribeDelegationToken 1-3 (KIP-48)."""

from ...codes import ApiKey
from ...wire.messages.features import (
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from .tokens import refuse


def handle(
    caller: Caller, request: DescribeDelegationTokenRequest
) -> DescribeDelegationTokenResponse:
    code = refuse(caller, ApiKey.DESCRIBE_DELEGATION_TOKEN)
    return DescribeDelegationTokenResponse(error_code=code)


API = MessageHandler(DescribeDelegationTokenRequest, handle)
