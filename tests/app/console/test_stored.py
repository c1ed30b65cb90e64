"""What is stored is shown a page at a time, and stays where it is."""

from typing import Any

import pytest

from mockforge_tui.console.results import Column, Result, table_lines
from mockforge_tui.console.stored import open_store
from mockforge_tui.console.targets import MqttTarget

from .scene import Scene
from .test_transactions import scene as transactional


def scene() -> Scene:
    made = Scene(furnished=False)
    made.run("topic add t -p 3")
    for number in range(700):
        made.time.advance(0.01)
        made.kafka.publish("t", b'{"n": %d}' % number, key=b"k%d" % (number % 7))
    made.run("queue add q")
    for number in range(250):
        made.run(f"pub queue:q m{number}")
    return made


def payloads(result: Result) -> list[str]:
    return [record["payload"] for record in result.records]


def test_a_topic_is_read_oldest_first_across_its_partitions() -> None:
    result = scene().run("topic read t -n 3")
    assert payloads(result) == ['{"n": 0}', '{"n": 1}', '{"n": 2}']
    assert result.records[0]["key"] == "k0"
    assert "3 of 700" in result.text


def test_a_topic_is_read_from_its_newest_end() -> None:
    assert payloads(scene().run("topic read t --last -n 2")) == ['{"n": 698}', '{"n": 699}']


@pytest.mark.parametrize("what", ["topic read t", "peek queue:q"])
def test_pages_follow_each_other_without_gap_or_double(what: str) -> None:
    made = scene()
    seen: list[str] = []
    line = f"{what} -n 90"
    while True:
        result = made.run(line)
        seen += payloads(result)
        if "--from" not in result.text:
            break
        start = result.text.partition("--from ")[2].split()[0]
        line = f"{what} -n 90 --from {start}"
    every = 700 if "topic" in what else 250
    assert len(seen) == len(set(seen)) == every
    assert seen[0] in ('{"n": 0}', "m0")


@pytest.mark.parametrize("what", ["topic read t", "peek queue:q", "topic read t -p 1"])
def test_pages_go_back_from_the_newest_without_gap_or_double(what: str) -> None:
    made = scene()
    seen: list[str] = []
    line = f"{what} --last -n 90"
    while True:
        result = made.run(line)
        seen = payloads(result) + seen
        if "--before" not in result.text:
            break
        before = result.text.partition("--before ")[2].split()[0]
        line = f"{what} -n 90 --before {before}"
    assert seen == payloads(made.run(f"{what} -n 1000"))


def test_what_is_in_front_of_a_start_is_said() -> None:
    made = scene()
    for what, start in (("topic read t -p 1", "7"), ("peek queue:q", "7")):
        assert "--before" not in made.run(f"{what} -n 2 --from begin").text
        text = made.run(f"{what} -n 2 --from {start}").text
        before = text.partition("--before ")[2].split()[0]
        assert len(made.run(f"{what} --before {before}").records) == 7


def test_a_place_that_is_none_is_named() -> None:
    made = scene()
    assert "is no place in a topic" in made.refused("topic read t --before x").as_text()
    assert "--from, or --last and --before" in made.refused("peek q --from 1 --last").as_text()


def test_a_filter_goes_past_what_one_page_holds() -> None:
    made = scene()
    assert payloads(made.run("topic read t json.n>=690 key:k3 -n 5")) == ['{"n": 696}']
    found = made.run("topic read t json.n:650")
    assert payloads(found) == ['{"n": 650}']
    assert payloads(made.run("peek q body:m249")) == ["m249"]


def test_a_topic_is_read_from_an_offset_or_a_time() -> None:
    made = scene()
    record = made.run("topic read t -p 1 --from 5 -n 1").records[0]
    assert (record["partition"], record["offset"]) == (1, 5)
    assert len(made.run("topic read t --from @-1s -n 1000").records) == pytest.approx(100, abs=2)
    assert made.session.run("topic read t -p 7").problem is not None
    assert payloads(made.run("peek kafka:t[2]@end")) == []


def test_peeking_takes_nothing_away() -> None:
    made = scene()
    assert payloads(made.run("peek q -n 2")) == ["m0", "m1"]
    assert payloads(made.run("peek q --last -n 2")) == ["m248", "m249"]
    assert next(r for r in made.run("queue ls").records)["depth"] == 250
    assert made.run("queue show q").data["redelivered"] == 0


def test_retained_messages_and_a_sessions_queue_are_shown() -> None:
    made = Scene()
    kept = made.run("peek mqtt:sensors/#")
    assert [(r["destination"], r["payload"]) for r in kept.records] == [
        ("sensors/room1/temp", "21.5"),
        ("sensors/room2/temp", "22.5"),
    ]
    waiting = made.run("peek session:dev-8")
    assert [(r["destination"], r["payload"]) for r in waiting.records] == [
        ("sensors/room1/temp", "23")
    ]
    # Sent to dev-7 and not acknowledged: it is the session's still.
    assert "23" in payloads(made.run("peek session:dev-7"))
    assert "no session nobody" in made.session.run("peek session:nobody").as_text()


def test_a_bare_name_is_a_queue_before_it_is_a_topic() -> None:
    made = scene()
    made.run("topic add q")
    assert len(made.run("peek q").records) == 20
    assert made.run("peek t -n 1").records[0]["protocol"] == "kafka"
    assert "an exchange stores nothing" in made.session.run("peek amqp:amq.topic/a").as_text()


def test_a_table_uses_the_width_there_is() -> None:
    columns = (Column("a", "a"), Column("b", "b"), Column("n", "n", right=True))
    records = [{"a": "x" * 100, "b": "y" * 20, "n": 7}]
    assert table_lines(columns, records, None)[1] == f"{'x' * 100}  {'y' * 20}  7"
    narrow = table_lines(columns, records, 80)
    assert narrow[1] == f"{'x' * 54}…  {'y' * 20}  7"
    assert len(table_lines(columns, records, 30)[1]) == 30
    assert table_lines(columns, records, 30)[1].endswith("7")


def test_a_priority_queue_is_shown_in_the_order_of_its_deliveries() -> None:
    made = Scene(furnished=False)
    made.run("queue add q --arg x-max-priority=5 --ttl 1m")
    for number in range(3):
        made.run(f"pub queue:q p{number} --prop priority={number}")
    assert payloads(made.run("peek q")) == ["p2", "p1", "p0"]
    assert payloads(made.run("peek q --last -n 1")) == ["p0"]


def test_a_message_of_the_default_exchange_has_the_place_that_pub_named() -> None:
    made = Scene()
    made.run("queue add q")
    sent = made.run("pub amqp:/q x").data["place"]
    assert [row["place"] for row in made.run("peek q").data] == [sent] == ["(default)/q"]


def ended_by_a_transaction() -> Scene:
    """A topic whose last offset has no record: the transaction's end stands there."""
    made, _ = transactional()
    made.run("txn abort till-1")
    return made


def test_the_end_of_a_transaction_is_no_message_that_follows() -> None:
    made = ended_by_a_transaction()
    assert made.kafka.offsets("orders") == [(0, 3)]
    assert "goes on" not in made.run("topic read orders -n 10").text
    assert "goes back" not in made.run("topic read orders --last -n 10").text


def test_a_tail_follows_behind_the_end_of_a_transaction() -> None:
    made = ended_by_a_transaction()
    job = made.session.jobs.of(made.run("tail kafka:orders@begin"))
    assert job is not None
    assert job.timer is None, "it goes on looking for what is stored"
    made.run("pub kafka:orders more")
    assert job.steps == 3


def test_the_end_of_a_transaction_is_no_message_that_comes_before() -> None:
    made = ended_by_a_transaction()
    made.run("pub kafka:orders more")
    made.kafka.cluster.topics["orders"].logs[0].truncate_before(2)
    assert "--before 0:3 goes back" in made.run("topic read orders --last -n 1").text
    before = made.run("topic read orders --before 0:3")
    assert not before.records
    assert "goes back" not in before.text


def test_a_narrow_table_cuts_its_headings_before_its_figures() -> None:
    columns = [Column(name, name, right=True) for name in ("partition", "start", "end", "records")]
    rows = [{"partition": 0, "start": 0, "end": 12_345, "records": 678}]
    heading, line = table_lines(columns, rows, 20)
    assert line.split() == ["0", "0", "12345", "678"]
    assert len(heading) <= 20


def test_a_page_of_retained_messages_reads_those_alone() -> None:
    made = Scene(furnished=False)
    for number in range(300):
        made.mqtt.publish(f"kept/{number:03}", b"x", retain=True)
    asked: list[str] = []
    read = made.mqtt.retained_message

    def message(topic: str) -> Any:
        asked.append(topic)
        return read(topic)

    made.mqtt.retained_message = message  # type: ignore[method-assign]
    found = made.run("peek mqtt:kept/# -n 2")
    assert [each["destination"] for each in found.records] == ["kept/000", "kept/001"]
    assert len(asked) < 300


def test_retained_messages_that_are_cleared_while_others_are_read_shift_none() -> None:
    made = Scene(furnished=False)
    topics = [f"kept/{number:03}" for number in range(350)]
    for topic in topics:
        made.mqtt.publish(topic, b"x", retain=True)
    store = open_store(made.session, MqttTarget("kept/#"))
    # One of a chunk, and a whole one.
    gone = {"kept/003", *topics[100:200]}
    for topic in gone:
        made.mqtt.publish(topic, b"", retain=True)
    left = [topic for topic in topics if topic not in gone]
    assert [row.destination for row in store.forward(None)] == left
    assert [row.destination for row in store.backward()] == left[::-1]
