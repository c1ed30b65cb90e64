"""Which group or transaction a request is about, in each version's own spelling."""

from typing import Any

import pytest
from mockforge_brokers.journal import IN
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.misbehaviour import parts
from mockforge_brokers.kafka.rows import Reading, RowReader
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.groups import FindCoordinatorRequest, HeartbeatRequest
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
)
from mockforge_brokers.kafka.wire.messages.transactions import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
)

GROUP, TXN = "group", "transactional_id"


def _groups(*names: str) -> list[OffsetFetchRequestGroup]:
    return [OffsetFetchRequestGroup(group_id=name, topics=None) for name in names]


_CASES: list[tuple[Any, int, dict[str, str]]] = [
    (HeartbeatRequest(group_id="billing", generation_id=1, member_id="m"), 4, {GROUP: "billing"}),
    (OffsetFetchRequest(group_id="billing"), 7, {GROUP: "billing"}),
    (OffsetFetchRequest(groups=_groups("billing")), 8, {GROUP: "billing"}),
    (OffsetFetchRequest(groups=_groups("a", "b")), 8, {}),
    (FindCoordinatorRequest(key="billing"), 2, {GROUP: "billing"}),
    (FindCoordinatorRequest(key="pay", key_type=1), 3, {TXN: "pay"}),
    (FindCoordinatorRequest(key_type=1, coordinator_keys=["pay"]), 4, {TXN: "pay"}),
    (FindCoordinatorRequest(coordinator_keys=["a", "b"]), 4, {}),
    (FindCoordinatorRequest(key_type=2, coordinator_keys=["g:id:0"]), 6, {}),
    (AddPartitionsToTxnRequest(v3_and_below_transactional_id="pay"), 3, {TXN: "pay"}),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "version", "expected"), _CASES)
def test_a_request_says_which_group_or_transaction_it_is_about(request_, version, expected):
    reader = RowReader(Reading(lambda _: ""))
    [row] = reader.rows(IN, encode_request(request_, version, 1, "c"))
    found = {name: row.detail[name] for name in (GROUP, TXN) if row.detail.get(name)}
    assert found == expected


def test_the_partitions_that_a_transaction_takes_in_are_matched_one_by_one():
    message = AddPartitionsToTxnRequest(
        v3_and_below_transactional_id="pay",
        v3_and_below_topics=[AddPartitionsToTxnTopic(name="orders", partitions=[0, 2])],
    )
    [row] = RowReader(Reading(lambda _: "")).rows(IN, encode_request(message, 3, 1, "c"))
    assert row.destination == "orders"
    found = [(part.destination, part.detail["partition"]) for part in parts([row])]
    assert found == [("orders", 0), ("orders", 2)]
    assert ApiKey.ADD_PARTITIONS_TO_TXN.title == row.operation
