"""What a rule can never do is refused when it is made, and all that it can do is taken."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.setting import field_names
from mockforge_brokers.kafka.wire.catalog import REQUESTS, RESPONSES
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.possible import FrameKind
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.setting import set_fields
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Ack, Connack, Disconnect, Packet, Publish
from mockforge_brokers.protocols import PROTOCOLS

from app.console.scene import Scene
from mockforge_tui.fault_values import frame_match


def kinds(text: str = "") -> Iterator[FrameKind]:
    known = frame_match(text).kinds
    assert known is not None
    yield from known()


TAKEN = [
    "refuse op:PINGREQ SERVER_BUSY",
    "refuse op:PUBREL SERVER_BUSY",
    "refuse op:REGISTER QUOTA_EXCEEDED",
    "refuse op:basic.* NACK",
    "refuse op:transfer NOT_FOUND",
    "refuse op=open NOT_FOUND",
    "refuse client:x SERVER_BUSY",
    "refuse op:Prod* NOT_LEADER_OR_FOLLOWER",
    'refuse op:"Fetch v99" UNSUPPORTED_VERSION',
    # Each for the frames that are its protocol's.
    "refuse (op:Produce or op:PUBLISH) QUOTA_EXCEEDED",
    "inject op:Fetch 0xC000",
    "inject op:SUBACK bad-varint",
    "inject op:PINGREQ 0x0217",
    "inject client:x bad-varint",
    "set error_code=3",
    "set op:CONNACK session-present=true",
    "set op:PUBLISH user_property=a:b",
    "set op:PUBLISH topic_id=7",
    "set op:basic.* redelivered=true",
    "set op:attach max_message_size=5",
    "set op:Produce throttle_time_ms=1",
    "set op:Fetch max_bytes=1 --dir in",
    "drop op:CONNACK --dir in",
    "drop op=open",
    "delay op:open proto:kafka 1s",
    "partition op:open proto:kafka",
    "delay op:close proto:kafka 1s",
    # Values at the edge of what their fields can hold.
    "set op:PUBLISH qos=3",
    "set op:CONNACK server_keep_alive=65535",
    "set op:SUBACK codes=QUOTA_EXCEEDED",
    "set op:Produce error_code=-1 --dir out",
    "set op:Produce error_code=NOT_LEADER_OR_FOLLOWER --dir out",
    "set op:Fetch high_watermark=0x10 --dir out",
    "set op:connection.tune channel_max=65535",
    "set op:transfer settled=true",
    # A flag and words of one protocol beside what others have, too.
    "duplicate op:PUBLISH --dup",
    "block client:x --reason full",
    # Fields that frames of another kind may have.
    "drop qos:1",
    "drop (op:PUBACK or json.a:1)",
    "drop -qos:1 op:Produce",
    "drop op:SUBSCRIBE topic:$share/g/a",
    "drop proto:amqp topic:a/#/b",
    "drop op:queue.bind rkey:a",
    "drop op:SUBSCRIBE header.x:1",
    "drop op:OffsetCommit group:a partition:0",
    "drop op:FindCoordinator txn:a",
    "drop op:PINGREQ -topic:a",
    "drop op:basic.deliver redelivered:true channel:1",
    # AMQP's connection.open comes from somebody who has said who it is.
    "delay op:open client:x 1s",
    "delay op:close client:x 1s",
    "corrupt op:PINGRESP",
    # In quotes as the filter has them: a name of two words, and a value of two.
    'drop client:"my app"',
    'delay client:"my app" 1s',
    'set op:CONNACK reason_string="not now"',
    'refuse op:CONNECT client:"my app" "server busy"',
    'inject op:PUBACK "0xC000"',
    'block op:PUBLISH "text to search"',
]


def test_a_rule_is_about_what_stands_in_quotes() -> None:
    scene = Scene(busy=False)
    for line in ('drop client:"my app"', 'delay client:"my app" 1s', 'throttle "my app" 64k'):
        scene.run(f"fault add {line}")
    rules = scene.faults.rules.values()
    assert [rule.scope for rule in rules] == ['client:"my app"', 'client:"my app"', '"my app"']
    row = Row("mqtt", IN, "PUBLISH", client="my app")
    assert all(rule.match.matches(row) for rule in rules)


@pytest.mark.parametrize("line", TAKEN)
def test_what_can_act_is_taken(line: str) -> None:
    Scene(busy=False).run(f"fault add {line}")


REFUSED = [
    (
        "fault add refuse op:Produce SERVER_BUSY",
        "refuse: SERVER_BUSY is a code of MQTT, not of Produce: give one of Kafka's",
    ),
    ("fault add refuse op:CONNECT NOT_LEADER_OR_FOLLOWER", "not of CONNECT: give one of MQTT's"),
    ("fault add refuse proto:k SERVER_BUSY", "not of proto:k: give one of Kafka's"),
    ("hold op:CONNECT --refuse NOT_LEADER_OR_FOLLOWER", "not of CONNECT: give one of MQTT's"),
    ("fault add refuse op:SUBACK SERVER_BUSY", "SUBACK is what a client gets, and only what it"),
    ("fault add refuse op:basic.deliver NOT_FOUND", "basic.deliver is what a client gets"),
    (
        "fault add inject op:Fetch bad-varint",
        "bad-varint is a packet of MQTT, not one for Fetch: give the bytes (0xC000)",
    ),
    ("fault add inject op:REGISTER bad-varint", "not one for REGISTER: give the bytes"),
    ("fault add inject op:CONNECT bad-varint", "inject: CONNECT is what a client sends"),
    ("fault add set op:Fetch nofield=1 --dir out", "Fetch has no field nofield; it has aborted_tr"),
    ("fault add set op:CONNACK nofield=1", "CONNACK has no field nofield; it has assigned_client"),
    (
        "fault add set op:basic.deliver redelivered=1,nofield=1",
        "basic.deliver has no field nofield; it has consumer_tag, delivery_tag, exchange,",
    ),
    ("fault add set op:basic.* redeliverd=1", "op:basic.* has no field redeliverd; nearest: redel"),
    ("fault add set nofield=1", "no frame has a field nofield"),
    ("fault add set op:heartbeat a=1", "has no field a"),
    ("fault add set op:Produce throttle_time_ms=1 --dir in", "Produce has no field throttle_time"),
    ("fault add drop op:CONNECT --dir out", "CONNECT is only what a client sends: dir is in"),
    ("hold op:CONNECT --dir out", "hold: CONNECT is only what a client sends: dir is in"),
    ("fault add drop op:Fetch -op:Fetch", "no frame is op:Fetch -op:Fetch: it would never fire"),
    (
        "fault add drop op:open proto:kafka",
        "op:open proto:kafka is a connection's beginning, which is no frame: it takes delay, disc",
    ),
    ("hold op:open proto:kafka", "hold: op:open proto:kafka is a connection's beginning"),
    ("fault add reorder op:close proto:mqtt", "is a connection's end, which is no frame: it takes"),
    ("fault add drop op:Fetch --p 0%", "probability is above 0, or it would never fire"),
    # Values that a field cannot hold.
    ("fault add set op:CONNACK session_present=maybe", "session_present is true or false, not 'ma"),
    (
        "fault add set op:CONNACK server_keep_alive=70000",
        "server_keep_alive is not '70000': a valu",
    ),
    ("fault add set op=PUBLISH qos=12", "PUBLISH: qos has two bits, 0 to 3, not '12'"),
    ("fault add set op:PUBACK code=999", "PUBACK: code is not '999'"),
    ("fault add set op:REGISTER topic_id=99999", "REGISTER: a value does not fit: topic_id"),
    ("fault add set op:Produce error_code=NOPE --dir out", "error_code is int, not 'NOPE'"),
    ("fault add set op:Produce error_code=99999", "error_code is int16, not '99999'"),
    ("fault add set op:Metadata topics=a --dir out", "topics holds several values: name one of"),
    ("fault add set op:basic.deliver redelivered=perhaps", "redelivered is bool, not 'perhaps'"),
    (
        "fault add set op:connection.tune channel_max=70000",
        "channel_max is not '70000': a value do",
    ),
    ("fault add set op:queue.declare arguments=x", "arguments is dict, not 'x'"),
    ("fault add set op:attach max_message_size=abc", "max_message_size is ulong, not 'abc'"),
    # Answers that there are not.
    (
        "fault add refuse op:basic.ack NACK",
        "basic.ack cannot be answered with NACK: use drop or di",
    ),
    (
        "fault add refuse op:queue.declare NO_ROUTE",
        "queue.declare cannot be answered with NO_ROUTE",
    ),
    ("fault add refuse op:Envelope 3", "Envelope cannot be answered with 3: use drop"),
    ("hold op:basic.get --refuse NACK", "basic.get cannot be answered with NACK"),
    # Fields of another protocol, and of messages alone.
    ("fault add refuse qos:1 NOT_LEADER_OR_FOLLOWER", "of Kafka, not of qos:1: give one of MQTT's"),
    ("fault add refuse partition:1 SERVER_BUSY", "not of partition:1: give one of Kafka's"),
    (
        "fault add drop op:Produce qos:1",
        "has no qos: name PUBLISH, WILLTOPIC, SUBSCRIBE, SUBACK or",
    ),
    (
        "fault add drop op=PUBLISH key:a",
        "has no key: name Produce, Fetch, basic.publish, basic.ret",
    ),
    ("fault add drop op:PINGREQ json.a:1", "has no json: name PUBLISH"),
    (
        "fault add drop op:basic.ack body:x",
        "has no body: name basic.publish, basic.return, basic.d",
    ),
    (
        "fault add drop op:PINGREQ topic:a",
        "has no topic: name PUBLISH, SUBSCRIBE, UNSUBSCRIBE, WIL",
    ),
    ("hold op:PINGREQ topic:a", "has no topic: name PUBLISH"),
    (
        "fault add drop op:PUBACK topic:a",
        "only PUBACK of MQTT-SN has a topic, and this filter is about no open listener of that: "
        "name PUBLISH, SUBSCRIBE or UNSUBSCRIBE",
    ),
    ("hold op:SUBACK qos:1 --dir out", "only SUBACK of MQTT-SN has a qos, and"),
    ("fault add drop proto:mqtt has:key", "has no key: name Produce"),
    ("fault add drop op:queue.bind key:a", "has no key: name basic.publish"),
    ("fault add drop op:connection.start channel:1", "has no channel: name channel.open"),
    (
        "fault add drop proto:mqtt redelivered:true",
        "no redelivered: name basic.deliver or basic.get",
    ),
    ("fault add drop op:Fetch txn:a", "has no txn: name Produce, FindCoordinator, InitProducerId"),
    ("fault add drop op:OffsetCommit partition:0 --dir out", "has no partition: name Fetch"),
    ("fault add drop op:Produce offset:5", "has no offset: name Fetch"),
    (
        "fault add disconnect proto:mqtt op:open client:a",
        "has no client: name CONNECT, CONNACK, PU",
    ),
    ("fault add drop @mine", "what the prompt and fixtures publish passes no rule: name clients"),
    ("fault add drop dir:out --dir in", "dir:out is only what a client gets: dir is out"),
    ("fault add drop op:ShareFetch --dir out", "ShareFetch is only what a client sends"),
    ("fault add refuse op:channel.close-ok 403", "channel.close-ok cannot be answered with 403"),
    ("fault add duplicate op:Produce --dup", "dup is a flag of MQTT's PUBLISH, and Produce is non"),
    ("fault add block op:Produce --reason full", "only AMQP 0-9-1 tells clients a reason"),
    ("fault add block op:transfer --reason full", "and transfer is none of it: leave it out"),
    # Words that no frame has when rules see it.
    ("fault add drop qos:3", "no frame's qos is 3: 0, 1, 2"),
    ("fault add drop @held", "@held: no frame is that before the rules have seen it: leave it out"),
    ("fault add drop age>1s", "no frame has an age as it comes: use --start"),
    ("fault add drop proto:mqtt topic:a/#/b", "no topic is a/#/b: + stands for a whole level"),
    (
        "fault add drop op=PUBLISH topic:$share/g/a/b",
        "published for $share/g/a/b goes to a/b: name",
    ),
]


@pytest.mark.parametrize(("line", "said"), REFUSED)
def test_what_could_never_act_is_refused_with_the_remedy(line: str, said: str) -> None:
    problem = Scene(busy=False).refused(line).problem
    assert problem is not None
    assert said in problem.text


@pytest.mark.parametrize(
    ("scope", "is_taken"),
    [
        ("op:PUBACK topic:a", True),
        ("op:PUBACK topic:a listener:mqtt-sn", True),
        ("op:PUBACK topic:a listener:10000", True),
        ("op:PUBACK topic:a listener:plain", False),
        # Which might be opened later.
        ("op:PUBACK topic:a listener:9999", True),
    ],
)
def test_only_who_is_met_by_a_rule_counts_for_what_its_frames_have(
    scope: str, is_taken: bool
) -> None:
    scene = Scene(busy=False)
    scene.listeners.append(Listener("mqtt", port=10_000, datagram=True))
    line = f"fault add drop {scope}"
    if is_taken:
        scene.run(line)
    else:
        assert "no open listener of that" in str(scene.refused(line).problem)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_whatever_goes_over_a_wire_is_of_a_known_kind(protocol: str, tmp_path: Path) -> None:
    scene, path = Scene(files=True), tmp_path / "rows.jsonl"
    scene.run(f"export (proto:{protocol}) > {path}")
    scene.advance(1)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    seen = {(row["direction"], row["operation"]) for row in rows}
    assert seen
    ways = ("in", "out")
    known = list(kinds(f"proto:{protocol}"))
    assert seen <= {(ways[each.direction], each.operation) for each in known if each.usual}
    carriers = {
        (ways[each.direction], each.operation) for each in known if "body" not in each.lacks()
    }
    assert {(row["direction"], row["operation"]) for row in rows if row["payload"]} <= carriers


@pytest.mark.parametrize(
    ("name", "packet"),
    [
        ("CONNACK", Connack()),
        ("PUBLISH", Publish("a")),
        ("PUBREC", Ack(PacketType.PUBREC, 1)),
        ("DISCONNECT", Disconnect()),
    ],
)
def test_the_fields_of_an_mqtt_packet_are_those_that_can_be_set(name: str, packet: Packet) -> None:
    [known, *_] = [each.fields() for each in kinds(f"op:{name}") if each.malformed]
    with pytest.raises(InvalidInput) as raised:
        set_fields(5, encode_packet(packet, 5), {"nofield": "1"})
    assert str(raised.value).endswith(f"it has {', '.join(known)}")


def test_the_fields_of_a_kafka_message_are_found_wherever_they_stand() -> None:
    found = field_names(RESPONSES[ApiKey.FETCH])
    assert {"throttle_time_ms", "partitions", "high_watermark", "records", "node_id"} <= found
    assert "throttle_time_ms" not in field_names(REQUESTS[ApiKey.FETCH])
