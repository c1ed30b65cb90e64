"""AddOffsetsToTxn 0-4: a transaction will commit offsets of a group (KIP-98)."""

from ....errors import RequestRefused
from ...codes import ApiKey
from ...state.transactions.transaction import ProducerIdAndEpoch
from ...wire.messages.transactions import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from ..caller import Caller
from ..handler import MessageHandler
from .refusing import code_of


def handle(caller: Caller, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse:
    who = ProducerIdAndEpoch(request.producer_id, request.producer_epoch)
    try:
        caller.permit("write", "transactional_id", request.transactional_id)
        caller.permit("read", "group", request.group_id)
        caller.cluster.transactions.add_group(request.transactional_id, who, request.group_id)
    except RequestRefused as refusal:
        return AddOffsetsToTxnResponse(
            error_code=code_of(caller, ApiKey.ADD_OFFSETS_TO_TXN, refusal)
        )
    return AddOffsetsToTxnResponse()


API = MessageHandler(AddOffsetsToTxnRequest, handle)
