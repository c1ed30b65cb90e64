"""What Kafka clients did once, exported as a test, does it again against the fixture's brokers."""

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from mockforge_tui import MockForge

from .conftest import captured, replay

pytestmark = pytest.mark.client


def play(mockforge: MockForge) -> None:
    """A shop makes a topic and produces; a service gets its records and commits; one aborts."""
    at = {"bootstrap.servers": mockforge.kafka.bootstrap, "client.id": "shop"}
    admin = AdminClient(at)
    admin.create_topics([NewTopic("orders", 4)])["orders"].result(20)
    # As services do at their start; it is there.
    with pytest.raises(KafkaException, match="TOPIC_ALREADY_EXISTS"):
        admin.create_topics([NewTopic("orders", 2)])["orders"].result(20)
    shop = Producer(at)
    for number, value in enumerate((b"one", b"\xff\x00", None)):
        key = f"o-{number}"
        shop.produce("orders", value, key, 3, headers=[("trace", b"\x01"), ("none", None)])
    assert shop.flush(20) == 0
    payer = Producer({**at, "client.id": "payer", "transactional.id": "pay"})
    payer.init_transactions(20)
    for ends in (payer.commit_transaction, payer.abort_transaction):
        payer.begin_transaction()
        payer.produce("payments", ends.__name__, partition=0)
        payer.flush(20)  # otherwise what is aborted was never sent
        ends(20)
    settings = {"group.id": "billing", "auto.offset.reset": "earliest", "client.id": "svc"}
    service = Consumer({**at, **settings, "enable.auto.commit": False})
    service.subscribe(["orders"])
    got: list[Any] = []
    while len(got) < 3:
        record = service.poll(20)
        assert record is not None
        got.append(record)
    service.commit(got[-1], asynchronous=False)
    service.close()


def test_a_captured_sequence_happens_again_and_each_record_is_asserted(
    running: MockForge, tmp_path: Path
) -> None:
    play(running)
    text = captured(running, "proto:kafka", tmp_path / "test_captured.py")
    assert "clients['shop'].creates('orders', 4)" in text
    assert "# Refused (TOPIC_ALREADY_EXISTS): creates('orders', 2)" in text
    assert "clients['svc'].receives('orders', 3, b'o-1', b'\\xff\\x00')" in text
    assert "clients['payer'].ends('pay', committed=False)" in text
    running.run("reset -y")
    replay(text, running)
    notes = {row["name"]: row["note"] for row in running.run("topic ls").records}
    assert notes["orders"] == "4 partitions"
    (offset,) = running.run("group show billing").data["offsets"]
    assert (offset.topic, offset.partition, offset.committed) == ("orders", 3, 3)
    running.run("reset -y")
    with pytest.raises(AssertionError, match="did not come from orders"):
        # Only what is to come is waited for less: a transaction begins in its own time.
        other = text.replace("until = time.monotonic() + WITHIN", "until = time.monotonic() + 0.5")
        assert other != text
        replay(
            other.replace("receives('orders', 3, b'o-1'", "receives('orders', 3, b'o-9'"), running
        )


def test_what_only_fixtures_produced_has_topics_that_are_large_enough(
    running: MockForge, tmp_path: Path
) -> None:
    running.run("reset -y")
    running.run("topic add wide -p 7")
    running.run("pub kafka:wide[6] x -k k")
    text = captured(running, "proto:kafka topic:wide", tmp_path / "test_captured.py")
    assert "clients['∗prompt'].produces('wide', 6, b'k', b'x')" in text
    running.run("reset -y")
    replay(text, running)
    assert running.run("peek kafka:wide[6]").records[0]["payload"] == "x"
