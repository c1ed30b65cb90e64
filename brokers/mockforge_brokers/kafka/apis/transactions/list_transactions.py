"""ListTransactions 0-2: all transactional ids, filtered (KIP-664, KIP-994, KIP-1152)."""

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...state.patterns import compiled
from ...state.transactions.transaction import Transaction, TransactionState
from ...wire.messages.transactions import (
    ListedTransactionState,
    ListTransactionsRequest,
    ListTransactionsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing

_STATES = {state.value: state for state in TransactionState}


def handle(caller: Caller, request: ListTransactionsRequest) -> Stepped[ListTransactionsResponse]:
    try:
        text = request.transactional_id_pattern
        pattern = compiled(text, "Transaction ID pattern") if text else None
    except RequestRefused as refusal:
        return ListTransactionsResponse(
            error_code=caller.denied(ApiKey.LIST_TRANSACTIONS, refusal), transaction_states=[]
        )
    wall, nodes = caller.environment.clock.wall(), caller.cluster.nodes
    response = ListTransactionsResponse(
        unknown_state_filters=[name for name in request.state_filters if name not in _STATES],
        transaction_states=[],
    )
    listed = response.transaction_states = []
    for one in tuple(caller.cluster.transactions.by_id.values()):
        transactional_id = one.transactional_id
        if (
            nodes.coordinator(transactional_id) == caller.node
            and _fits(one, request, wall)
            and (pattern is None or pattern.fullmatch(transactional_id))
            and caller.may_know("transactional_id", transactional_id)
        ):
            listed.append(_listed(one))
        yield
    return response


def _listed(one: Transaction) -> ListedTransactionState:
    return ListedTransactionState(
        transactional_id=one.transactional_id,
        producer_id=one.producer_id,
        transaction_state=one.state.value,
    )


def _fits(one: Transaction, request: ListTransactionsRequest, wall: float) -> bool:
    if request.producer_id_filters and one.producer_id not in request.producer_id_filters:
        return False
    if request.state_filters and one.state.value not in request.state_filters:
        return False
    # One that never began has started at -1, which Kafka takes for very long ago.
    return request.duration_filter < 0 or (wall - one.started) * 1000 > request.duration_filter


API = MessageHandler(ListTransactionsRequest, handle, changes=nothing)
