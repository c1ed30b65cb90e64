"""`pub` and `republish`: what is sent, and which mistakes are told where."""

import json
from pathlib import Path

import pytest
from mockforge_brokers.journal import OUT, Row

from .scene import Scene


def test_pub_sends_json_as_it_was_typed() -> None:
    scene = Scene(busy=False)
    scene.run('pub kafka:orders {"id": 1, "b": [1, "x y"]} -k 42 -H trace=abc -p 1')
    message = scene.sent[0]
    assert message.payload == b'{"id": 1, "b": [1, "x y"]}'
    assert (message.key, message.headers, message.partition) == (b"42", (("trace", b"abc"),), 1)


def test_pub_types_a_template_that_is_a_whole_string() -> None:
    scene = Scene(busy=False)
    scene.run('pub kafka:o {"id": "{{sequence}}", "sku": "SKU-{{sequence}}"} -n 2')
    assert [json.loads(each.payload or b"") for each in scene.sent] == [
        {"id": 1, "sku": "SKU-1"},
        {"id": 2, "sku": "SKU-2"},
    ]


def test_pub_takes_templates_outside_of_strings() -> None:
    scene = Scene(busy=False)
    scene.run('pub kafka:o {"id": {{int 7 7}}} -k k-{{sequence}} -H n={{sequence}}')
    assert scene.sent[0].payload == b'{"id": 7}'
    assert scene.sent[0].key == b"k-1"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("21.5", b"21.5"),
        ('"two words"', b"two words"),
        ('"not closed', None),
        ("it's", b"it's"),
        ("hex:cafe00", b"\xca\xfe\x00"),
        ("b64:AAEC", b"\x00\x01\x02"),
        ("-- {not json} -n 5", b"{not json} -n 5"),
        ("[1, 2]", b"[1, 2]"),
        ("-5", b"-5"),
    ],
)
def test_payloads(payload: str, expected: bytes | None) -> None:
    scene = Scene(busy=False)
    result = scene.session.run(f"pub mqtt:a {payload}")
    assert (scene.sent[0].payload if scene.sent else None) == expected, result.as_text()


def test_pub_reads_a_file_only_where_files_are_allowed(tmp_path: Path) -> None:
    place = tmp_path / "body.bin"
    place.write_bytes(b"\x00\xff")
    refused = Scene(busy=False).refused(f"pub mqtt:a @{place}")
    assert "over the network" in refused.as_text()
    scene = Scene(files=True)
    scene.run(f"pub mqtt:a @{place}")
    assert scene.sent[0].payload == b"\x00\xff"


@pytest.mark.parametrize(
    ("line", "text", "blamed"),
    [
        ("pub mqtt:a 1 -k x", "MQTT has nothing like this option", "x"),
        ("pub kafka:a 1 -q 1", "Kafka has nothing like this option", "1"),
        ("pub kafka:a[1] 1 -p 2", "the target names another partition", "2"),
        ("pub nothing 1", "nothing is called nothing", "nothing"),
        ("pub kafka:a", "a payload is missing", None),
        ("pub kafka:a 1 --null", "--null or a payload, not both", "1"),
        ("pub kafka:a 1 2", "a payload is one JSON value", "2"),
        ('pub kafka:a {"id": }', "not JSON", "}"),
        ("pub kafka:a hex:xy", "does not hold", "hex:xy"),
        ("pub mqtt:a 1 -q 3", "qos must be 2 or less", "3"),
        ("pub kafka:a 1 --heder a=b", "did you mean --header?", "--heder"),
        ("pub kafka:a 1 -n", "a value is missing", "-n"),
        ("pub kafka:a 1 -H nope", "is not name=value", "nope"),
        ("pub amqp:e/k 1 --prop priority=high", "priority is a number", "priority=high"),
    ],
)
def test_mistakes_of_pub_name_the_place(line: str, text: str, blamed: str | None) -> None:
    scene = Scene(busy=False)
    result = scene.refused(line)
    assert result.problem is not None
    assert text in result.problem.text
    assert scene.sent == []
    if blamed is not None:
        assert line[result.problem.start : result.problem.end] == blamed


def test_mqtt_and_amqp_properties_have_their_names() -> None:
    scene = Scene(busy=False)
    scene.run("pub mqtt:a 1 -q 1 -r --ttl 30s -H a=b --prop content-type=text/plain")
    scene.run("pub amqp:events/k.1 1 --ttl 2s -H a=b --prop delivery-mode=2 --prop type=x")
    mqtt, amqp = scene.sent
    assert (mqtt.qos, mqtt.retain) == (1, True)
    assert mqtt.properties == {
        "content_type": "text/plain",
        "message_expiry_interval": 30,
        "user_property": [("a", "b")],
    }
    assert (amqp.exchange, amqp.routing_key) == ("events", "k.1")
    assert amqp.properties == {
        "delivery_mode": 2,
        "type": "x",
        "expiration": "2000",
        "headers": {"a": "b"},
    }


def test_a_bare_name_is_found_if_it_is_the_only_one() -> None:
    scene = Scene(busy=False)
    scene.run("pub orders 1")
    scene.run("pub q.mail 1")
    assert [(each.protocol, each.destination) for each in scene.sent] == [
        ("kafka", "orders"),
        ("amqp", "q.mail"),
    ]
    near = scene.refused("pub order 1")
    assert "did you mean orders?" in near.as_text()


def test_a_rate_is_kept_by_the_clock() -> None:
    scene = Scene(busy=False)
    result = scene.run("pub kafka:orders {{sequence}} -n 5 --rate 10/s")
    assert result.data is not None
    assert result.text == f"job {result.data['job']} sends 5 messages"
    assert len(scene.sent) == 1
    scene.time.advance(0.2)
    assert len(scene.sent) == 3
    scene.time.advance(10)
    assert [each.payload for each in scene.sent] == [b"1", b"2", b"3", b"4", b"5"]
    assert len(scene.session.jobs) == 0


def test_many_messages_leave_room_for_the_brokers() -> None:
    scene = Scene(busy=False)
    scene.run("pub kafka:orders x -n 1000")
    assert len(scene.sent) == 200
    scene.time.advance(1)
    assert len(scene.sent) == 1000


def test_job_stop_ends_a_pub() -> None:
    scene = Scene(busy=False)
    job = scene.run("pub kafka:orders x -n 1000 --rate 1/s").data["job"]
    scene.run(f"job stop {job}")
    scene.time.advance(10)
    assert len(scene.sent) == 1


def test_republish_sends_what_was_seen_again_or_elsewhere() -> None:
    scene = Scene(screen=True)
    kafka = Row("kafka", 0, "Produce", kind="message", destination="orders", key=b"k", payload=None)
    amqp = Row(
        "amqp",
        1,
        "basic.deliver",
        kind="message",
        destination="events",
        payload=b"x",
        headers=(("h", 1),),
        detail={"exchange": "events", "routing_key": "r", "properties": {"priority": 3}},
        marked=True,
    )
    scene.screen.rows = [kafka, amqp]
    scene.run("republish")
    scene.run("republish @marked")
    scene.run("republish @marked --to kafka:copy")
    first, second, third = scene.sent
    assert (first.destination, first.key, first.payload) == ("orders", b"k", None)
    assert (second.exchange, second.routing_key) == ("events", "r")
    assert second.properties == {"priority": 3, "headers": {"h": 1}}
    assert (third.protocol, third.destination, third.headers) == ("kafka", "copy", (("h", b"1"),))
    scene.run("republish #1..2 --to kafka:copy")
    assert [each.key for each in scene.sent[3:]] == [b"k"]
    scene.screen.rows = [Row("kafka", 0, "Metadata"), kafka]
    # What lies between messages was not meant.
    scene.run("republish #1..2")
    assert [each.destination for each in scene.sent[4:]] == ["orders"]
    assert "row #7 is not there" in scene.refused("republish #7..9").as_text()
    assert "#7 or #7..9" in scene.refused("republish 7").as_text()
    assert "only messages" in scene.refused("republish #1").as_text()
    scene.screen.rows = [Row("kafka", 0, "Metadata")]
    assert "only messages" in scene.refused("republish").as_text()
    assert "nothing is marked" in scene.refused("republish @marked").as_text()


def test_republish_of_a_range_leaves_out_what_was_delivered_of_it() -> None:
    scene = Scene(screen=True)
    came = Row("mqtt", 0, "PUBLISH", kind="message", destination="a", payload=b"1")
    went = Row("mqtt", OUT, "PUBLISH", kind="message", destination="a", payload=b"1")
    scene.screen.rows = [came, went, went]
    scene.run("republish #1..3")
    assert len(scene.sent) == 1
    scene.run("republish #2")
    assert len(scene.sent) == 2


def test_republish_of_a_long_range_goes_out_in_slices() -> None:
    scene = Scene(screen=True)
    rows = [
        Row("mqtt", 0, "PUBLISH", kind="message", destination=f"a/{number}", payload=b"1")
        for number in range(300)
    ]
    scene.screen.rows = rows
    begun = scene.run("republish #1..300 -n 2")
    assert len(scene.sent) < 300
    assert scene.session.jobs.of(begun) is not None
    scene.advance(1)
    assert [each.destination for each in scene.sent] == [row.destination for row in rows * 2]
    scene.screen.rows = [*rows, Row("mqtt", 0, "PUBLISH", kind="message", destination="a/#")]
    scene.run("republish #1..301")
    scene.advance(1)
    assert len(scene.sent) == 900
    assert any("republish stopped" in text for text in scene.reported("problem"))
