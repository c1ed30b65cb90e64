"""InitProducerId 0-5: ids for idempotent and transactional producers (KIP-98, KIP-360)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...state.transactions.transaction import NO_EPOCH, NO_PRODUCER, ProducerIdAndEpoch
from ...wire.messages.producers import InitProducerIdRequest, InitProducerIdResponse
from ..caller import Caller
from ..handler import MessageHandler
from ..transactions.refusing import code_of


def handle(caller: Caller, request: InitProducerIdRequest) -> InitProducerIdResponse:
    try:
        claim = _claim(request)
        if request.transactional_id is None:
            if not caller.may_some("write", "topic"):
                caller.permit("idempotent_write", "cluster")
            # KIP-360: without a transactional id a bumped epoch is a new id with epoch 0.
            producer = ProducerIdAndEpoch(caller.cluster.next_producer_id(), 0)
        else:
            caller.permit("write", "transactional_id", request.transactional_id)
            producer = caller.cluster.transactions.take(
                request.transactional_id,
                request.transaction_timeout_ms / 1000,
                claim,
                client=caller.name,
            )
    except RequestRefused as refusal:
        code = code_of(caller, ApiKey.INIT_PRODUCER_ID, refusal)
        return InitProducerIdResponse(error_code=code, producer_epoch=NO_EPOCH)
    return InitProducerIdResponse(
        producer_id=producer.producer_id, producer_epoch=producer.producer_epoch
    )


def _claim(request: InitProducerIdRequest) -> ProducerIdAndEpoch | None:
    """Who the producer was before (v3+). Raises RequestRefused for half of it."""
    if (request.producer_id == NO_PRODUCER) != (request.producer_epoch == NO_EPOCH):
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, "a producer id comes with its epoch, or both are -1"
        )
    if request.producer_id == NO_PRODUCER:
        return None
    return ProducerIdAndEpoch(request.producer_id, request.producer_epoch)


API = MessageHandler(InitProducerIdRequest, handle)
