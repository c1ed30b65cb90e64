"""ListTransactions 0-2: all transactional ids, filtered (KIP-664, KIP-994, KIP-1152)."""

from ....errors import RequestRefused
from ....expressions import Expression
from ....fairness import Steps
from ...codes import ApiKey
from ...state.patterns import compiled
from ...state.purgatory import Parked
from ...state.transactions.transaction import Transaction, TransactionState
from ...wire.messages.transactions import (
    ListedTransactionState,
    ListTransactionsRequest,
    ListTransactionsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler

_STATES = {state.value: state for state in TransactionState}


def handle(
    caller: Caller, request: ListTransactionsRequest
) -> ListTransactionsResponse | Parked[ListTransactionsResponse]:
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
    fitting = [
        one
        for one in caller.cluster.transactions.by_id.values()
        if nodes.coordinator(one.transactional_id) == caller.node and _fits(one, request, wall)
    ]
    if pattern is None:
        _list(caller, fitting, response)
        return response
    # A pattern and many ids may take long: the rest is looked at when others had their turn.
    answer: Parked[ListTransactionsResponse] = Parked()
    steps = _matching(caller, fitting, pattern, answer, response)
    if caller.environment.turn.work(steps):
        caller.environment.chores.later(steps)
    return answer


def _matching(
    caller: Caller,
    ones: list[Transaction],
    pattern: Expression,
    answer: Parked[ListTransactionsResponse],
    response: ListTransactionsResponse,
) -> Steps:
    found = []
    for one in ones:
        if answer.done:
            return
        if pattern.fullmatch(one.transactional_id):
            found.append(one)
        yield
    _list(caller, found, response)
    answer.complete(response)


def _list(caller: Caller, ones: list[Transaction], response: ListTransactionsResponse) -> None:
    response.transaction_states = [
        ListedTransactionState(
            transactional_id=one.transactional_id,
            producer_id=one.producer_id,
            transaction_state=one.state.value,
        )
        for one in ones
        if caller.may_know("transactional_id", one.transactional_id)
    ]


def _fits(one: Transaction, request: ListTransactionsRequest, wall: float) -> bool:
    if request.producer_id_filters and one.producer_id not in request.producer_id_filters:
        return False
    if request.state_filters and one.state.value not in request.state_filters:
        return False
    # One that never began has started at -1, which Kafka takes for very long ago.
    return request.duration_filter < 0 or (wall - one.started) * 1000 > request.duration_filter


API = MessageHandler(ListTransactionsRequest, handle)
