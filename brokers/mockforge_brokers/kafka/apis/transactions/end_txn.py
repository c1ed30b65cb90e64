"""EndTxn 0-5: commit or abort (KIP-98); from v5 on with a new epoch for the producer (KIP-890)."""

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...state.transactions.transaction import ProducerIdAndEpoch
from ...wire.messages.transactions import EndTxnRequest, EndTxnResponse
from ..caller import Caller
from ..handler import MessageHandler
from .refusing import code_of

_BUMPS_SINCE = 5


def handle(caller: Caller, request: EndTxnRequest) -> Stepped[EndTxnResponse]:
    bumps = caller.version >= _BUMPS_SINCE
    try:
        caller.permit("write", "transactional_id", request.transactional_id)
        now = yield from caller.cluster.transactions.end(
            request.transactional_id,
            ProducerIdAndEpoch(request.producer_id, request.producer_epoch),
            committed=request.committed,
            bumps=bumps,
        )
    except RequestRefused as refusal:
        return EndTxnResponse(error_code=code_of(caller, ApiKey.END_TXN, refusal))
    return EndTxnResponse(producer_id=now.producer_id, producer_epoch=now.producer_epoch)


API = MessageHandler(EndTxnRequest, handle)
