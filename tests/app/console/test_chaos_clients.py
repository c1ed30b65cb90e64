"""What `chaos report` says of clients: who is who, what each tried, sent again and got."""

from typing import Any

import pytest
from mockforge_brokers.events import (
    ClientIdentified,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    FaultFired,
)
from mockforge_brokers.kafka.records import Record, build_batch

from mockforge_tui.console.chaos.verdict import GRACE
from mockforge_tui.console.chaos.wording import CLEAN, NOTHING, in_short

from .scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene(furnished=False)


def report(scene: Scene) -> dict[str, Any]:
    return {record["client"]: record for record in scene.run("chaos report").records}


def tell(scene: Scene, *events: Event) -> None:
    for event in events:
        scene.spine.emit(event)


def opened(protocol: str, connection: int, port: int = 0, host: str = "10.0.0.7") -> Event:
    return ConnectionOpened(protocol, connection, f"{host}:{port or 50_000 + connection}")


def append(scene: Scene, partition: int, *values: bytes) -> None:
    """As a producer `c` does."""
    records = [Record(0, 0, None, value, ()) for value in values]
    log = scene.kafka.cluster.topics["t"].logs[partition]
    scene.kafka.cluster.append(log, build_batch(records), client="c")


# Order.


def test_between_partitions_of_a_topic_there_is_no_order(scene: Scene) -> None:
    scene.run("topic add t -p 2")
    scene.run("chaos start observe")
    append(scene, 0, b"o-1", b"o-3")
    append(scene, 1, b"o-2", b"o-4")
    append(scene, 0, b"o-6")
    assert report(scene)["c"]["verdict"] == "not sent 1: o-5"
    append(scene, 0, b"o-5")
    assert report(scene)["c"]["verdict"] == "out of order 1: o-5"


# What tells messages apart.


def test_records_that_are_alike_but_for_their_keys_are_not_one(scene: Scene) -> None:
    scene.run("topic add t -p 1")
    scene.run("chaos start observe")
    log = scene.kafka.cluster.topics["t"].logs[0]
    for key in (b"a", b"b", b"c", b"b"):
        batch = build_batch([Record(0, 0, key, b"paid", ())])
        scene.kafka.cluster.append(log, batch, client="c")
    assert report(scene)["c"]["verdict"] == "doubled 1: b: paid"


def test_messages_are_told_apart_by_a_property(scene: Scene) -> None:
    scene.run("queue add q")
    scene.run("chaos start observe --id prop.message_id")
    client = scene.amqp_client("c")
    for number in (1, 2, 2, 3):
        client.publish("", "q", b"on", message_id=f"m-{number}")
    assert report(scene)["c"]["verdict"] == "doubled 1: m-2"


def test_messages_that_nothing_tells_apart_are_not_called_doubled(scene: Scene) -> None:
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    for _ in range(10):
        scene.mqtt_publish(client, "t", b"on")
        scene.mqtt_publish(client, "t", b"off")
    assert report(scene)["c"]["verdict"] == "18 messages alike, not told apart without --id"
    other = scene.mqtt_client("d")
    for _ in range(3):
        scene.mqtt_publish(other, "t", b"on")
    assert report(scene)["d"]["verdict"] == "doubled 2: on, on"


def test_who_sends_no_more_after_a_fault_is_told_so(scene: Scene) -> None:
    """As a publisher that waits for ever for a confirm that was lost."""
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    scene.mqtt_publish(client, "t", b"o-1")
    tell(scene, FaultFired("mqtt", 1, "drop", 1, "c", "PUBACK"))
    scene.advance(5)
    assert report(scene)["c"]["verdict"] == CLEAN
    scene.advance(7)
    assert report(scene)["c"]["verdict"] == f"{CLEAN}; sent nothing for 12s after drop PUBACK"
    assert report(scene)["c"]["clean"]
    scene.mqtt_publish(client, "t", b"o-2")
    assert report(scene)["c"]["verdict"] == CLEAN


# The brokers' clock is none of the clients'.


def test_a_run_outlasts_the_hour_by_which_it_moves_the_clock(scene: Scene) -> None:
    scene.run("chaos start clock-skew,subway -s by=1h -s gap=5s -s apart=20s --for 1m")
    scene.advance(2)
    tell(scene, ClientIdentified("mqtt", 7, "c"), ConnectionClosed("mqtt", 7, "c", "gone"))
    scene.advance(3)
    tell(scene, ClientIdentified("mqtt", 8, "c"))
    assert report(scene)["c"]["pauses"] == [3.0]
    assert report(scene)["c"]["timeline"][0]["at"] == 2.0
    scene.advance(15)
    assert [(round(each.at), each.line.split()[1]) for each in scene.chaos[0].done] == [
        (0, "advance"),
        (0, "add"),
        (20, "add"),
    ]
    scene.advance(41)
    assert scene.run("chaos stop").text == "no run goes on"


def test_a_clock_that_is_moved_chooses_no_presets(scene: Scene) -> None:
    scene.run("chaos start clock-skew --every 20s --for 1m")
    scene.advance(70)
    assert [round(each.at) for each in scene.chaos[0].done] == [0, 20, 40]
    assert round(scene.clock.offset) == 3 * 3600


# Who is who.


@pytest.mark.parametrize(
    ("protocol", "first", "second"),
    [
        ("amqp", "guest@10.0.0.7:50001", "guest@10.0.0.7:50002"),
        ("mqtt", f"auto-{7:016x}", f"auto-{8:016x}"),
    ],
)
def test_who_gives_no_name_is_known_again_by_where_it_comes_from(
    scene: Scene, protocol: str, first: str, second: str
) -> None:
    scene.run("chaos start observe")
    tell(scene, opened(protocol, 1), ClientIdentified(protocol, 1, first))
    scene.advance(1)
    tell(scene, ConnectionClosed(protocol, 1, first, "fault 1 disconnects everything"))
    scene.advance(2)
    tell(scene, opened(protocol, 2), ClientIdentified(protocol, 2, second))
    [found] = report(scene).values()
    assert (found["client"], found["pauses"], found["verdict"]) == (first, [2.0], NOTHING)
    # One that is there besides is another one, and so is who comes after a leave.
    tell(scene, opened(protocol, 3), ClientIdentified(protocol, 3, second[:-1] + "3"))
    assert len(report(scene)) == 2


def test_one_from_elsewhere_is_nobodys_successor(scene: Scene) -> None:
    scene.run("chaos start observe")
    first, second = "guest@10.0.0.7:50001", "guest@10.0.0.8:50002"
    tell(scene, opened("amqp", 1), ClientIdentified("amqp", 1, first))
    tell(scene, ConnectionClosed("amqp", 1, first, "gone"))
    tell(scene, opened("amqp", 2, host="10.0.0.8"), ClientIdentified("amqp", 2, second))
    assert {name: each["now"] for name, each in report(scene).items()} == {
        first: "gave up",
        second: "",
    }


def test_what_hit_a_connection_before_its_client_was_known_hit_the_client(scene: Scene) -> None:
    scene.run("chaos start observe")
    tell(
        scene,
        opened("kafka", 1),
        FaultFired("kafka", 1, "delay", 1, "", "open"),
        ClientIdentified("kafka", 1, "c"),
    )
    found = report(scene)["c"]
    assert (found["faults"], found["under"][0]["fault"]) == ({"delay": 1}, "delay open")


def test_who_was_put_out_before_it_could_say_its_name_is_known_by_its_host(scene: Scene) -> None:
    scene.run("chaos start observe")
    for number, pause in enumerate((1, 2, 4, 8), 1):
        tell(
            scene,
            opened("kafka", number),
            FaultFired("kafka", 1, "disconnect", number, "", "open"),
            ConnectionClosed("kafka", number, "", "fault 1 disconnects op:open"),
        )
        scene.advance(pause)
    # A look at the port is nothing to speak of.
    tell(scene, opened("kafka", 9, host="10.0.0.8"))
    tell(scene, ConnectionClosed("kafka", 9, "", "the client closed the connection"))
    [found] = report(scene).values()
    assert found["client"] == "someone at 10.0.0.7"
    assert (found["faults"], found["refused"]) == ({"disconnect": 4}, 4)
    assert (found["tries"], found["backoff"]) == ([1.0, 2.0, 4.0], "doubling")
    assert (found["verdict"], found["clean"]) == ("4 connections not let in", False)
    assert "1 never let in" in scene.run("chaos report --html").as_text()


def test_who_alone_is_away_from_there_is_who_was_put_out(scene: Scene) -> None:
    scene.run("chaos start observe")
    tell(scene, opened("amqp", 1), ClientIdentified("amqp", 1, "c"))
    tell(scene, ConnectionClosed("amqp", 1, "c", "gone"))
    scene.advance(2)
    tell(
        scene,
        opened("amqp", 2),
        FaultFired("amqp", 1, "disconnect", 2, "", "protocol header"),
        ConnectionClosed("amqp", 2, "", "fault 1 disconnects everything"),
    )
    [found] = report(scene).values()
    assert (found["client"], found["refused"], found["tries"]) == ("c", 1, [2.0])


def test_what_prompt_and_fixtures_publish_is_no_clients(scene: Scene) -> None:
    scene.run("topic add t -p 1")
    scene.run("chaos start observe")
    scene.run("pub kafka:t 1")
    assert report(scene) == {}


# What each tried.


def test_tries_that_are_refused_count_for_the_backoff(scene: Scene) -> None:
    scene.run("chaos start observe")
    tell(scene, opened("mqtt", 1), ClientIdentified("mqtt", 1, "c"))
    tell(scene, ConnectionClosed("mqtt", 1, "c", "gone"))
    for number, pause in enumerate((1, 2, 4, 8), 2):
        scene.advance(pause)
        tell(scene, opened("mqtt", number))
        end = ConnectionClosed("mqtt", number, "c", "refused: server busy")
        tell(scene, ClientIdentified("mqtt", number, "c") if pause == 8 else end)
    found = report(scene)["c"]
    assert (found["pauses"], found["tries"]) == ([15.0], [1.0, 2.0, 4.0, 8.0])
    assert (found["lost"], found["refused"], found["backoff"]) == (1, 3, "doubling")


def test_what_was_refused_is_asked_for_again(scene: Scene) -> None:
    scene.run("chaos start observe")
    for pause in (1, 2, 4):
        tell(scene, FaultFired("kafka", 1, "refuse", 1, "c", "Produce"))
        tell(scene, FaultFired("kafka", 2, "delay", 1, "c", "Fetch"))
        scene.advance(pause)
    refused, late = report(scene)["c"]["under"]
    assert (refused["asked_again"], late["asked_again"]) == ([1.0, 2.0], [])
    assert "1s to 2s" in scene.run("chaos report --each").as_text()


@pytest.mark.parametrize(
    ("protocol", "reason", "now"),
    [
        ("mqtt", "the client disconnected", "left"),
        ("amqp", "fault 1 disconnects everything", "gave up"),
        ("kafka", "the client closed the connection", "left"),
    ],
)
def test_the_report_says_who_left_and_who_gave_up(
    scene: Scene, protocol: str, reason: str, now: str
) -> None:
    scene.run("chaos start observe")
    tell(scene, ClientIdentified(protocol, 7, "c"))
    assert report(scene)["c"]["now"] == ""
    tell(scene, ConnectionClosed(protocol, 7, "c", reason))
    assert report(scene)["c"]["now"] == now


def test_nobody_gave_up_while_its_broker_is_stopped(scene: Scene) -> None:
    scene.run("chaos start observe")
    tell(scene, ClientIdentified("mqtt", 7, "c"))
    scene.run("broker stop mqtt --for 5s -y")
    tell(scene, ConnectionClosed("mqtt", 7, "c", "the broker ended"))
    found = report(scene)["c"]
    assert (found["now"], found["verdict"], found["faults"]) == ("away", NOTHING, {"stop": 1})
    assert found["under"][0]["fault"] == "stop broker"
    assert found["under"][0]["ended"] == 1
    scene.advance(6)
    assert report(scene)["c"]["now"] == "gave up"


@pytest.mark.parametrize("name", ["c", "guest@10.0.0.7:50001"])
def test_who_was_away_as_the_run_ended_and_is_back_did_not_give_up(scene: Scene, name: str) -> None:
    scene.run("chaos start observe")
    tell(scene, opened("amqp", 1), ClientIdentified("amqp", 1, name))
    tell(scene, ConnectionClosed("amqp", 1, name, "gone"))
    scene.run("chaos stop")
    assert report(scene)[name]["now"] == "gave up"
    scene.advance(2)
    again = name.replace("50001", "50002")
    tell(scene, opened("amqp", 2), ClientIdentified("amqp", 2, again))
    found = report(scene)[name]
    assert (found["now"], found["pauses"], found["tries"]) == ("", [2.0], [2.0])
    # What it does then is no matter of this run.
    tell(scene, ConnectionClosed("amqp", 2, again, "gone"))
    assert report(scene)[name]["now"] == ""


def stopped(scene: Scene, name: str) -> None:
    """The broker is away, and with it the connection of an AMQP client."""
    tell(scene, opened("amqp", 1), ClientIdentified("amqp", 1, name))
    scene.run("broker stop amqp --for 5s -y")
    tell(scene, ConnectionClosed("amqp", 1, name, "the broker ended"))


@pytest.mark.parametrize("name", ["c", "guest@10.0.0.7:50001"])
def test_to_look_while_a_broker_is_stopped_changes_nothing(scene: Scene, name: str) -> None:
    scene.run("chaos start observe")
    stopped(scene, name)
    assert report(scene)[name]["now"] == "away"
    scene.advance(6)
    # The look before this may be long ago.
    again = name.replace("50001", "50002")
    tell(scene, opened("amqp", 2), ClientIdentified("amqp", 2, again))
    [found] = report(scene).values()
    assert (found["now"], found["pauses"], found["verdict"]) == ("", [6.0], NOTHING)


def test_who_is_put_out_behind_a_look_is_who_was_away_before_it(scene: Scene) -> None:
    scene.run("chaos start observe")
    stopped(scene, "c")
    assert report(scene)["c"]["now"] == "away"
    scene.advance(6)
    tell(scene, opened("amqp", 2), FaultFired("amqp", 1, "disconnect", 2, "", "open"))
    tell(scene, ConnectionClosed("amqp", 2, "", "fault 1 disconnects op:open"))
    assert list(report(scene)) == ["c"]


@pytest.mark.parametrize("name", ["c", "guest@10.0.0.7:50001"])
def test_who_was_shut_out_as_the_run_ended_and_is_back_did_not_give_up(
    scene: Scene, name: str
) -> None:
    scene.run("chaos start observe")
    stopped(scene, name)
    scene.run("chaos stop")
    assert report(scene)[name]["now"] == "away"
    scene.advance(6)
    again = name.replace("50001", "50002")
    tell(scene, opened("amqp", 2), ClientIdentified("amqp", 2, again))
    [found] = report(scene).values()
    assert (found["now"], found["pauses"]) == ("", [6.0])


def test_connections_that_never_say_whose_they_are_are_forgotten(scene: Scene) -> None:
    scene.run("chaos start observe")
    tell(scene, opened("amqp", 1), ClientIdentified("amqp", 1, "c"))
    tell(scene, ConnectionClosed("amqp", 1, "c", "gone"), opened("amqp", 2))
    scene.run("chaos stop")
    known = scene.chaos[-1].observer._arrivals
    tell(scene, opened("amqp", 3), ConnectionClosed("amqp", 3, "", "gone"), opened("amqp", 4))
    assert len(known) == 2
    scene.advance(GRACE)
    assert len(known) == 0
    scene.run("chaos start observe")
    tell(scene, opened("amqp", 5))
    known = scene.chaos[-1].observer._arrivals
    scene.run("chaos stop")
    assert len(known) == 0


# What each sent, and got.


def test_to_send_again_on_a_new_connection_is_what_mqtt_asks_for(scene: Scene) -> None:
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    scene.mqtt_publish(client, "t", b"o-1", 1)
    scene.advance(1)
    client.vanish()
    again = scene.mqtt_client("c")
    scene.mqtt_publish(again, "t", b"o-1", 1)
    found = report(scene)["c"]
    assert (found["doubled"], found["resent"], found["clean"]) == (["o-1"], ["o-1"], True)
    assert found["verdict"] == (
        "nothing lost or out of order; sent again on a new connection 1: o-1"
    )
    scene.advance(1)
    scene.mqtt_publish(again, "t", b"o-2", 1)
    scene.mqtt_publish(again, "t", b"o-2", 1)
    assert report(scene)["c"]["verdict"] == (
        "doubled 1: o-2; sent again on a new connection 1: o-1"
    )


def test_a_kafka_producer_that_sends_again_doubles_on_any_connection(scene: Scene) -> None:
    scene.run("topic add t -p 1")
    scene.run("chaos start observe")
    append(scene, 0, b"o-1")
    scene.advance(1)
    tell(scene, ClientIdentified("kafka", 7, "c"))
    append(scene, 0, b"o-1")
    assert report(scene)["c"]["verdict"] == "doubled 1: o-1"


def test_messages_without_an_id_were_sent_all_the_same(scene: Scene) -> None:
    scene.run("chaos start observe --id header.id")
    client = scene.mqtt_client("c")
    scene.mqtt_publish(client, "t", b"1")
    found = report(scene)["c"]
    assert (found["sent"], found["verdict"]) == (1, CLEAN)


def test_the_report_counts_what_a_client_got_since_the_start(scene: Scene) -> None:
    consumer = scene.mqtt_client("c", "t")
    scene.run("pub mqtt:t 1")
    scene.run("chaos start observe")
    scene.run("pub mqtt:t 2")
    assert (report(scene)["c"]["got"], report(scene)["c"]["verdict"]) == (1, NOTHING)
    consumer.vanish()
    tell(scene, ConnectionClosed("mqtt", consumer.peer.id, "c", "gone"))
    scene.mqtt_client("c", "t")
    scene.run("pub mqtt:t 3")
    scene.run("chaos stop")
    scene.run("pub mqtt:t 4")
    assert report(scene)["c"]["got"] == 2


def test_a_table_has_no_room_for_the_names_of_messages(scene: Scene) -> None:
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    scene.mqtt_client("good")
    for name in (b"o-1", b"o-1", b"o-3"):
        scene.mqtt_publish(client, "t", name)
    shown = scene.run("chaos report").as_text(80).splitlines()
    assert "doubled 1; not sent 1" in shown[1]
    assert shown[-1] == "c: doubled 1: o-1; not sent 1: o-2"
    assert not any("good:" in line for line in shown)
    assert in_short(CLEAN) == "kept all"
    assert in_short("gave up; sent again on a new connection 1: a; b") == "gave up; sent again 1; b"


def test_columns_that_say_nothing_of_anybody_are_left_out(scene: Scene) -> None:
    scene.run("chaos start observe")
    tell(scene, FaultFired("kafka", 1, "delay", 1, "c", "Fetch"))
    result = scene.run("chaos report --each")
    assert result.as_text().splitlines()[0].split() == ["client", "broker", "fault", "hits"]
    assert result.records[0]["asked_again"] == []


def test_what_slows_all_frames_leaves_room_for_what_the_client_did(scene: Scene) -> None:
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    for _ in range(3):
        for _ in range(5):
            tell(scene, FaultFired("mqtt", 1, "delay", 1, "c", "PUBLISH"))
        scene.advance(1)
    for _ in range(3_000):
        tell(scene, FaultFired("mqtt", 1, "drop", 1, "c", "PUBACK"))
    scene.mqtt_publish(client, "t", b"o-1")
    scene.mqtt_publish(client, "t", b"o-1")
    timeline = report(scene)["c"]["timeline"]
    assert [each["at"] for each in timeline if each["text"] == "delay PUBLISH"] == [0, 1, 2]
    assert timeline[-1]["what"] == "doubled"
    page = scene.run("chaos report --html").as_text()
    assert "drop PUBACK and 996 more" in page
