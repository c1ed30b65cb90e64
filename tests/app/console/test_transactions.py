"""`txn`, and what `why` says of consumers that wait for a transaction."""

from brokers.fake_peer import FakeClient
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.state.transactions.transaction import ProducerIdAndEpoch
from mockforge_brokers.kafka.wire.messages.logs import FetchPartition, FetchRequest, FetchTopic

from .scene import Scene


def scene() -> tuple[Scene, ProducerIdAndEpoch]:
    """A transaction of till-1 with one record in orders, and a plain record behind it."""
    made = Scene(furnished=False)
    made.run("topic add orders -p 1")
    who = made.kafka.cluster.transactions.take("till-1", 60, client="till-svc")
    made.kafka.cluster.transactions.add_partitions("till-1", who, [("orders", 0)])
    append(made, who)
    made.run("pub kafka:orders plain")
    return made, who


def append(made: Scene, who: ProducerIdAndEpoch) -> None:
    """A transactional batch that the log takes, whatever the coordinator knows of it."""
    batch = build_batch(
        [Record(0, 1000, None, b"v")],
        producer_id=who.producer_id,
        producer_epoch=who.producer_epoch,
        base_sequence=0,
        transactional=True,
    )
    log = made.kafka.cluster.topics["orders"].logs[0]
    made.kafka.cluster.append(log, batch, begin=lambda log, header: None)


def read(made: Scene, name: str, *, isolation: int = 1) -> FakeClient:
    client = made.kafka_client()
    part = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=0,
        min_bytes=1,
        isolation_level=isolation,
        topics=[FetchTopic(topic="orders", partitions=[part])],
    )
    made.ask(client, request, 11, name)
    return client


def causes(made: Scene, about: str) -> list[str]:
    return [each["cause"] for each in made.run(f"why {about}").data["findings"]]


def test_open_transactions_are_listed_first() -> None:
    made, who = scene()
    made.kafka.cluster.transactions.take("a", 60)
    made.advance(3)
    first, second = made.run("txn ls").data
    assert first == {
        "name": "till-1",
        "state": "Ongoing",
        "producer": f"{who.producer_id}/0",
        "client": "till-svc",
        "open_for": 3.0,
        "timeout": 60.0,
        "partitions": 1,
        "groups": 0,
    }
    assert (second["name"], second["state"], second["open_for"]) == ("a", "Empty", None)


def test_a_transaction_is_shown_whole() -> None:
    made, _ = scene()
    text = made.run("txn describe till-1").as_text()
    assert "orders[0]" in text
    assert "till-svc" in text
    assert "no transactional id till-2" in made.refused("txn show till-2").as_text()


def test_a_person_aborts_an_open_transaction() -> None:
    made, _ = scene()
    assert made.run("topic show orders").data[0]["last_stable_offset"] == 0
    made.run("txn abort till-1")
    assert made.run("txn ls").data[0]["state"] == "CompleteAbort"
    assert made.run("topic show orders").data[0] == {
        "partition": 0,
        "log_start_offset": 0,
        "high_watermark": 3,
        "last_stable_offset": 3,
        "records": 3,
        "open_transactions": 0,
    }
    assert "there is nothing to abort" in made.refused("txn abort till-1").as_text()


def test_a_hanging_transaction_is_found_and_ended() -> None:
    made, _ = scene()
    made.run("txn abort till-1")
    append(made, ProducerIdAndEpoch(77, 3))
    [hanging, _] = made.run("txn ls").data
    assert (hanging["name"], hanging["state"]) == ("kafka:orders[0]", "hangs")
    read(made, "audit")
    assert made.run("txn abort kafka:orders[0]").data["aborted"] == 1
    assert [each["name"] for each in made.run("txn ls").data] == ["till-1"]


def test_an_abort_of_a_topic_wants_its_partition() -> None:
    made, _ = scene()
    assert "of which partition?" in made.refused("txn abort kafka:orders").as_text()
    assert "no partition 4" in made.refused("txn abort kafka:orders[4]").as_text()


def test_producers_of_a_topic_are_shown_with_their_transactions() -> None:
    made, who = scene()
    assert made.run("producer ls orders").data == [
        {
            "partition": 0,
            "producer_id": who.producer_id,
            "producer_epoch": 0,
            "transactional_id": "till-1",
            "last_sequence": 0,
            "first_offset": 0,
        }
    ]


def test_why_names_the_open_transaction_that_a_consumer_waits_for() -> None:
    made, _ = scene()
    read(made, "audit")
    made.advance(3)
    assert causes(made, "audit") == ["open-transaction"]
    assert made.run("why audit").text == (
        "audit is read_committed and waits at 0 of orders p0 (2 records there) for the open "
        "transaction of till-1, begun 3s ago by till-svc: its producer must commit or abort, or "
        "txn abort till-1"
    )


def test_why_says_so_of_a_member_of_a_group_too() -> None:
    made, _ = scene()
    client, _member = made.join("billing", "order-svc", {"orders": [0]})
    part = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=0,
        min_bytes=1,
        isolation_level=1,
        topics=[FetchTopic(topic="orders", partitions=[part])],
    )
    made.ask(client, request, 11)
    assert causes(made, "billing") == ["open-transaction"]


def test_why_finds_a_transaction_that_hangs() -> None:
    made, _ = scene()
    made.kafka.cluster.transactions.by_id.clear()
    read(made, "audit")
    assert causes(made, "audit") == ["hanging-transaction"]
    assert "txn abort kafka:orders[0]" in made.run("why audit").text


def test_a_read_uncommitted_consumer_does_not_wait() -> None:
    made, _ = scene()
    read(made, "audit", isolation=0)
    assert "open-transaction" not in causes(made, "audit")
