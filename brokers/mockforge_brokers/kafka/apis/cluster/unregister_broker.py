"""UnregisterBroker 0: a node that is gone for good is forgotten (KIP-631)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...wire.messages.nodes import UnregisterBrokerRequest, UnregisterBrokerResponse
from ..caller import Caller
from ..handler import MessageHandler


def handle(caller: Caller, request: UnregisterBrokerRequest) -> UnregisterBrokerResponse:
    node = request.broker_id
    try:
        caller.permit("alter", "cluster")
        if node in caller.cluster.nodes:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST, f"node {node} runs, and is not forgotten"
            )
        raise RequestRefused(
            ErrorCode.BROKER_ID_NOT_REGISTERED, f"Broker ID {node} is not currently registered"
        )
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.UNREGISTER_BROKER, refusal)
        return UnregisterBrokerResponse(error_code=code, error_message=refusal.text)


API = MessageHandler(UnregisterBrokerRequest, handle)
