"""InitProducerId 0-5: ids for idempotent producers (KIP-98, KIP-360). No transactions."""

from ....errors import NotServed, RequestRefused
from ...codes import ApiKey, ErrorCode
from ...wire.messages.producers import InitProducerIdRequest, InitProducerIdResponse
from ..caller import Caller
from ..handler import MessageHandler


def handle(caller: Caller, request: InitProducerIdRequest) -> InitProducerIdResponse:
    name = request.transactional_id
    if name is None:
        # KIP-360: without a transactional id a bumped epoch is a new id with epoch 0.
        return InitProducerIdResponse(
            producer_id=caller.cluster.next_producer_id(), producer_epoch=0
        )
    if name:
        refusal: RequestRefused = NotServed(
            ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            "transactions",
            f"transactional id {name}: transactions are not served",
        )
    else:
        refusal = RequestRefused(ErrorCode.INVALID_REQUEST, "a transactional id has a character")
    code = caller.denied(ApiKey.INIT_PRODUCER_ID, refusal)
    return InitProducerIdResponse(error_code=code, producer_epoch=-1)


API = MessageHandler(InitProducerIdRequest, handle)
