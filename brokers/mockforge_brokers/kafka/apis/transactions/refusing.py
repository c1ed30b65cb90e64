"""How a refusal by the transaction coordinator goes on the wire, which older versions lack."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ..caller import Caller

_FENCED_SINCE = {
    ApiKey.INIT_PRODUCER_ID: 4,
    ApiKey.ADD_PARTITIONS_TO_TXN: 2,
    ApiKey.ADD_OFFSETS_TO_TXN: 2,
    ApiKey.END_TXN: 2,
}
"""From which version on a client knows PRODUCER_FENCED (KIP-588); none of TxnOffsetCommit does."""


def code_of(caller: Caller, api: ApiKey, refusal: RequestRefused) -> int:
    """Count and report a refusal; the code that this client's version knows."""
    if refusal.code == ErrorCode.PRODUCER_FENCED:
        since = _FENCED_SINCE.get(api)
        if since is None or caller.version < since:
            refusal = RequestRefused(ErrorCode.INVALID_PRODUCER_EPOCH, refusal.text)
    return caller.denied(api, refusal)
