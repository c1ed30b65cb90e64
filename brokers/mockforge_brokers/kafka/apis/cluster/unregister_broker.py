"""UnregisterBroker 0: a node that is gone for good is forgotten (KIP-631)."""

from ....errors import RequestRefused
from ...codes import ApiKey
from ...wire.messages.nodes import UnregisterBrokerRequest, UnregisterBrokerResponse
from ..caller import Caller
from ..handler import MessageHandler


def handle(caller: Caller, request: UnregisterBrokerRequest) -> UnregisterBrokerResponse:
    try:
        caller.permit("alter", "cluster")
        caller.cluster.nodes.unregister(request.broker_id)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.UNREGISTER_BROKER, refusal)
        return UnregisterBrokerResponse(error_code=code, error_message=refusal.text)
    return UnregisterBrokerResponse(error_message=None)


API = MessageHandler(UnregisterBrokerRequest, handle)
