"""What `chaos report` makes of an aborted transaction of Kafka: as if it had not come."""

import time
from typing import Any

import pytest
from mockforge_brokers.fairness import finished
from mockforge_brokers.kafka.records import Record, build_batch

from mockforge_tui.console.chaos import streams, verdict
from mockforge_tui.console.chaos.streams import Stream
from mockforge_tui.console.chaos.wording import CLEAN

from .scene import Scene


@pytest.fixture
def scene() -> Scene:
    scene = Scene(furnished=False)
    scene.run("topic add t -p 3")
    scene.run("chaos start observe")
    return scene


def found(scene: Scene) -> Any:
    [record] = scene.run("chaos report").records
    return record


def append(scene: Scene, *placed: tuple[int, bytes]) -> None:
    """As a producer `c` does without a transaction: values and their partitions."""
    for partition, value in placed:
        log = scene.kafka.cluster.topics["t"].logs[partition]
        batch = build_batch([Record(0, 0, None, value, ())])
        scene.kafka.cluster.append(log, batch, client="c")


def transact(scene: Scene, *placed: tuple[int, bytes], committed: bool) -> None:
    """A transaction of producer `c`, in as many batches as it has values."""
    transactions = scene.kafka.cluster.transactions
    who = transactions.take("pay", 60.0, client="c")
    partitions = dict.fromkeys(partition for partition, _ in placed)
    transactions.add_partitions("pay", who, [("t", each) for each in partitions], bumps=True)
    sequences = dict.fromkeys(partitions, 0)
    for partition, value in placed:
        batch = build_batch(
            [Record(0, 0, None, value, ())],
            producer_id=who.producer_id,
            producer_epoch=who.producer_epoch,
            base_sequence=sequences[partition],
            transactional=True,
        )
        sequences[partition] += 1
        log = scene.kafka.cluster.topics["t"].logs[partition]
        scene.kafka.cluster.append(log, batch, client="c", begin=lambda *_: None)
    finished(transactions.end("pay", who, committed=committed, bumps=True))


def test_what_a_transaction_took_back_may_come_again(scene: Scene) -> None:
    append(scene, (0, b"o-1"))
    transact(scene, (0, b"o-2"), (0, b"o-3"), committed=False)
    transact(scene, (0, b"o-2"), (0, b"o-3"), committed=True)
    # Of the one before it nothing is taken back.
    transact(scene, (0, b"o-4"), committed=False)
    transact(scene, (0, b"o-4"), committed=True)
    assert (found(scene)["verdict"], found(scene)["sent"]) == (CLEAN, 7)
    transact(scene, (0, b"o-2"), committed=True)
    assert found(scene)["verdict"] == "doubled 1: o-2"
    transact(scene, (0, b"o-3"), (0, b"o-6"), committed=False)
    transact(scene, (0, b"o-5"), committed=True)
    assert found(scene)["doubled"] == ["o-2"]
    assert found(scene)["disordered"] == []


def test_what_is_twice_in_a_transaction_is_taken_back_twice(scene: Scene) -> None:
    placed = (0, b"o-1"), (1, b"o-1"), (2, b"o-2")
    transact(scene, *placed, committed=False)
    record = found(scene)
    assert (record["doubled"], record["resent_after"], record["disordered"]) == ([], [], [])
    transact(scene, (1, b"o-1"), (2, b"o-2"), committed=True)
    assert found(scene)["verdict"] == CLEAN


def test_a_repetition_beyond_those_that_are_named_is_taken_back_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_MOST_REPEATED", 1)
    append(scene, (0, b"o-1"), (0, b"o-1"), (0, b"o-2"), (0, b"o-3"))
    placed = (0, b"o-4"), (0, b"o-5"), (0, b"o-5"), (0, b"o-2")
    transact(scene, *placed, committed=False)
    monkeypatch.undo()
    transact(scene, (0, b"o-4"), (0, b"o-5"), committed=True)
    assert found(scene)["verdict"] == "doubled 1: o-1"


def test_behind_an_abort_the_order_is_what_it_was_before(scene: Scene) -> None:
    append(scene, (0, b"o-1"), (1, b"o-2"), (2, b"o-3"))
    transact(scene, (1, b"o-4"), (2, b"o-5"), (0, b"o-6"), committed=False)
    transact(scene, (0, b"o-4"), (1, b"o-5"), (2, b"o-6"), committed=True)
    assert found(scene)["verdict"] == CLEAN


def test_what_came_late_in_an_aborted_transaction_hides_no_disorder(scene: Scene) -> None:
    append(scene, (0, b"o-2"), (0, b"o-5"))
    transact(scene, (0, b"o-1"), committed=False)
    assert found(scene)["disordered"] == []
    append(scene, (0, b"o-3"), (0, b"o-4"))
    assert found(scene)["disordered"] == ["o-3", "o-4"]


def test_what_was_aborted_and_never_came_again_is_told_apart_from_what_was_never_sent(
    scene: Scene,
) -> None:
    append(scene, (0, b"o-1"), (0, b"o-3"), (0, b"o-4"), (0, b"o-5"))
    transact(scene, (0, b"o-6"), (1, b"o-7"), (0, b"o-8"), (0, b"end"), committed=False)
    record = found(scene)
    assert record["verdict"] == "aborted and not sent again 3: o-6, o-7, o-8; not sent 1: o-2"
    assert (record["aborted"], record["missing"][3:]) == (["o-6", "o-7", "o-8"], ["o-2"])
    transact(scene, (1, b"o-7"), committed=True)
    assert found(scene)["aborted"] == ["o-6", "o-8"]
    # It may also come to another address, and for a while after the run.
    scene.run("topic add u")
    batch = build_batch([Record(0, 0, None, b"o-6", ())])
    scene.kafka.cluster.append(scene.kafka.cluster.topics["u"].logs[0], batch, client="c")
    scene.run("chaos stop")
    assert found(scene)["aborted"] == ["o-8"]
    append(scene, (2, b"o-8"))
    assert found(scene)["verdict"] == "not sent 1: o-2"


def test_what_was_aborted_may_come_to_another_address_behind_the_run(scene: Scene) -> None:
    scene.run("topic add u")
    append(scene, (0, b"o-1"))
    transact(scene, (0, b"o-2"), committed=False)
    scene.run("chaos stop")
    assert found(scene)["aborted"] == ["o-2"]
    batch = build_batch([Record(0, 0, None, b"o-2", ())])
    scene.kafka.cluster.append(scene.kafka.cluster.topics["u"].logs[0], batch, client="c")
    assert found(scene)["verdict"] == CLEAN


def test_aborted_ids_count_among_those_that_are_remembered(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "_MOST_IDS", 2)
    transact(scene, (0, b"o-1"), (0, b"o-2"), (0, b"o-3"), committed=False)
    assert found(scene)["aborted"] == ["o-1", "o-2"]
    transact(scene, (0, b"o-1"), (0, b"o-2"), (0, b"x"), committed=True)
    assert found(scene)["verdict"] == CLEAN


def test_others_messages_keep_the_order_that_they_made() -> None:
    stream = Stream()
    stream.add("o-1", 0.0)
    aborted = stream.add("o-2", 0.0)
    stream.add("o-5", 0.0)
    stream.forget([aborted])
    assert stream.add("o-3", 0.0).kind == "disordered"


def test_a_large_abort_is_taken_back_in_one_go() -> None:
    stream = Stream()
    names = [f"o-{number}" for number in range(streams._MOST_REPEATED)]
    for name in names:
        stream.add(name, 0.0)
    comings = [stream.add(name, 0.0) for name in names]
    begun = time.process_time()
    stream.forget(reversed(comings))
    # Looking for each among all the others takes some hundred times as long.
    assert time.process_time() - begun < 0.5
    assert (len(stream.ids), stream.doubled, stream.gaps) == (len(names), [], [])
