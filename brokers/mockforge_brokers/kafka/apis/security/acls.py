"""The three ACL requests' common answer: no authorizer keeps lists that could be asked for."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ..caller import Caller


def security_disabled(caller: Caller, api: ApiKey, text: str) -> tuple[int, str]:
    """Code and message as Kafka without an authorizer gives them."""
    refusal = RequestRefused(ErrorCode.SECURITY_DISABLED, text)
    return caller.denied(api, refusal), text
