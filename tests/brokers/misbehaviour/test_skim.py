"""Bursts that go past a lane: whole frames alone, each of which looks like one that is known."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import product
from random import Random

import pytest
from mockforge_brokers.amqp import misbehaviour as amqp
from mockforge_brokers.amqp.wire import content, frames
from mockforge_brokers.amqp.wire.units import UnitSplitter
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.journal import IN, OUT, Row, Splitter
from mockforge_brokers.kafka.rows import Reading, RowReader
from mockforge_brokers.kafka.skimming import AnswerSkimmer, RequestSkimmer
from mockforge_brokers.kafka.wire.frames import encode_request, encode_response
from mockforge_brokers.kafka.wire.messages.cluster import ApiVersionsRequest, ApiVersionsResponse
from mockforge_brokers.kafka.wire.messages.logs import (
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from mockforge_brokers.kafka.wire.splitter import Splitter as FrameSplitter
from mockforge_brokers.misbehaviour.skimming import ShapeSkimmer, Skimmer
from mockforge_brokers.mqtt import misbehaviour as mqtt
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.frames import PacketSplitter
from mockforge_brokers.mqtt.wire.packets import Ack, Publish

from ..amqp.client import publish
from ..kafka.scene import fetch, produce
from ..misbehaving import fault
from .scene import Scene
from .test_concern import watched, word_rule

Glance = Callable[[bytes], object]
Case = tuple[list[bytes], Glance, Skimmer, Splitter]


def knowing(skimmer: Skimmer, looks: Iterable[object]) -> Skimmer:
    """It, while no rule is about frames of these looks."""
    skimmer.forget()
    skimmer.looks.update(looks)  # type: ignore[arg-type]
    return skimmer


def mqtt_case() -> Case:
    packets = [
        encode_packet(Publish("a", b"1", 1, packet_id=7), 4),
        encode_packet(Publish("a", b"x" * 300), 4),
        encode_packet(Ack(PacketType.PUBACK, 7), 4),
    ]
    return packets, mqtt.glance, ShapeSkimmer(mqtt.find), PacketSplitter()


def amqp_case() -> Case:
    units = [
        publish("e", "a", b"body"),
        publish("e", "a", b""),
        frames.method(1, "basic.publish", exchange="e", routing_key="a")
        + content.make_content(1, b"abcdefg", {}, 4),
        frames.method(1, "basic.ack", delivery_tag=1),
    ]
    skim = ShapeSkimmer(partial(amqp.find, IN))
    return units, partial(amqp.glance, IN), skim, UnitSplitter()


def kafka_case() -> Case:
    reader = RowReader(Reading(lambda topic_id: ""))
    requests = [
        encode_request(produce("t", b"1"), 9, 1, "shop"),
        encode_request(fetch("t", 5), 12, 2, "shop"),
        encode_request(ApiVersionsRequest(), 0, 3, "shop"),
    ]
    return requests, partial(reader.glance, IN), RequestSkimmer(reader), FrameSplitter(1 << 20)


CASES = {"mqtt": mqtt_case, "amqp": amqp_case, "kafka": kafka_case}


@pytest.mark.parametrize("protocol", CASES)
def test_what_is_skimmed_is_what_a_splitter_finds_whole(protocol: str) -> None:
    whole, glance, skim, splitter = CASES[protocol]()
    knowing(skim, map(glance, whole))
    burst = b"".join(whole)
    assert splitter.feed(burst) == whole
    assert skim.skim(burst)
    ends = {sum(map(len, whole[:count])) for count in range(1, len(whole) + 1)}
    passed = {cut for cut in range(1, len(burst) + 1) if skim.skim(burst[:cut])}
    assert passed == ends


@pytest.mark.parametrize("protocol", CASES)
def test_one_unknown_look_keeps_the_whole_burst(protocol: str) -> None:
    whole, glance, skim, _ = CASES[protocol]()
    for frame in whole:
        knowing(skim, {glance(each) for each in whole} - {glance(frame)})
        assert not skim.skim(b"".join(whole))


@pytest.mark.parametrize("protocol", CASES)
def test_bytes_that_make_no_frame_are_left_to_the_splitter(protocol: str) -> None:
    whole, glance, skim, _ = CASES[protocol]()
    knowing(skim, {glance(frame) for frame in whole} | {None})
    for noise in (b"\x00", b"\xff" * 40, b"GET / HTTP/1.1\r\n\r\n", b"\x30\xff\xff\xff\xff\x01"):
        assert not skim.skim(whole[0] + noise)


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param(frames.HEARTBEAT_FRAME, id="no method"),
        pytest.param(
            frames.method(1, "basic.publish", exchange="", routing_key="a")
            + content.make_content(2, b"x", {}, 9),
            id="another channel's header",
        ),
        pytest.param(
            frames.method(1, "basic.publish", exchange="", routing_key="a")
            + content.make_content(1, b"x", {}, 9).replace(
                frames.frame(frames.BODY, 1, b"x"), frames.frame(frames.BODY, 1, b"too long")
            ),
            id="more body than announced",
        ),
    ],
)
def test_units_of_another_shape_are_left_to_the_splitter(unit: bytes) -> None:
    skim = ShapeSkimmer(partial(amqp.find, IN))
    assert not knowing(skim, {amqp.glance(IN, unit), None}).skim(unit)


def amqp_variants() -> list[bytes]:
    """Units that differ in one thing each, also in the bytes that a shape does not compare."""
    deliver = partial(frames.method, 1, "basic.deliver", consumer_tag="c", exchange="e")
    made = partial(content.make_content, 1)
    acks = [frames.method(1, "basic.ack", delivery_tag=tag, multiple=tag > 1) for tag in (1, 2)]
    return [
        *(publish("e", key, body) for key in ("a", "b") for body in (b"one", b"two", b"", b"long")),
        *(
            deliver(delivery_tag=tag, redelivered=tag > 1, routing_key=key) + made(body, {}, 9)
            for key in ("a", "b")
            for tag, body in ((1, b"one"), (2, b"two"), (3, b""), (4, b"in several frames"))
        ),
        deliver(delivery_tag=5, redelivered=False, routing_key="a") + made(b"x", {"type": "t"}, 9),
        *acks,
        acks[0][:1] + b"\0\2" + acks[0][3:],
        frames.method(1, "basic.nack", delivery_tag=1),
        frames.method(1, "channel.flow", active=True),
    ]


def mqtt_variants() -> list[bytes]:
    return [
        *(
            encode_packet(Publish(topic, body, qos, packet_id=qos and 7), 4)
            for topic in ("a", "b", "a/b")
            for body in (b"1", b"2", b"", b"x" * 300)
            for qos in (0, 1)
        ),
        *(encode_packet(Ack(kind, 7), 4) for kind in (PacketType.PUBACK, PacketType.PUBREC)),
        encode_packet(Ack(PacketType.PUBACK, 8), 4),
    ]


VARIANTS: dict[str, tuple[Callable[[], list[bytes]], Callable[[], Skimmer], Glance]] = {
    "amqp": (
        amqp_variants,
        lambda: ShapeSkimmer(partial(amqp.find, OUT)),
        partial(amqp.glance, OUT),
    ),
    "mqtt": (mqtt_variants, lambda: ShapeSkimmer(mqtt.find), mqtt.glance),
}


def kafka_variants() -> tuple[list[bytes], list[bytes]]:
    """Requests, and an answer to each by its correlation id."""
    made, answers = [], []
    for number, (topic, client, version) in enumerate(
        product(("t", "u", "tt"), ("shop", "sho"), (8, 9)), 1
    ):
        made.append(encode_request(produce(topic, b"1" * number), version, number, client))
        one = PartitionProduceResponse(index=0, base_offset=number)
        topics = TopicProduceResponse(name=topic, partition_responses=[one])
        answers.append(encode_response(ProduceResponse(responses=[topics]), version, number))
    made.append(encode_request(ApiVersionsRequest(), 0, 99, "shop"))
    answers.append(encode_response(ApiVersionsResponse(), 0, 99))
    return made, answers


@pytest.mark.parametrize("direction", [IN, OUT])
def test_a_kafka_frame_like_the_last_one_looks_as_if_it_were_the_first(direction: int) -> None:
    requests, answers = kafka_variants()
    variants, chance = (requests, answers)[direction], Random(1)

    def reader() -> RowReader:
        made = RowReader(Reading(lambda topic_id: ""))
        for request in requests:
            made.glance(IN, request)
        return made

    fresh = {each: reader().glance(direction, each) for each in variants}
    # A request says of which client it is, its answer does not.
    assert len(set(fresh.values())) == (len(variants), 7)[direction]
    skim = (RequestSkimmer, AnswerSkimmer)[direction](reader())
    for number in range(1000):
        burst = chance.choices(chance.sample(variants, 2), k=chance.randint(1, 5))
        if number % 20 == 0:
            looks = {fresh[each] for each in chance.sample(variants, len(variants) * 3 // 4)}
            knowing(skim, looks)
        data = b"".join(burst)
        assert skim.skim(data) == all(fresh[each] in looks for each in burst)
        assert not skim.skim(data[:-1])


@pytest.mark.parametrize("protocol", VARIANTS)
def test_what_went_past_before_changes_nothing(protocol: str) -> None:
    """A skimmer that remembers says of each burst what one says that has seen nothing."""
    make, new, glance = VARIANTS[protocol]
    variants, chance = make(), Random(1)
    skim = new()
    said = []
    alone = 0
    for number in range(2000):
        burst = chance.choices(chance.sample(variants, 3), k=chance.randint(1, 6))
        if number % 20 == 0:
            known = map(glance, chance.sample(variants, len(variants) * 3 // 4))
            looks = set(known) - {None}
            knowing(skim, looks)
        data = b"".join(burst)
        if chance.random() < 0.1:
            data = data[:-1] + chance.choice((b"", b"\xcf"))
            expected = knowing(new(), looks).skim(data)
        else:
            expected = all(glance(each) in looks for each in burst)
        # What `Lanes` asks first says the same; but of the byte that ends an AMQP frame.
        if len(data) == skim.size and data.startswith(skim.head):
            assert expected or data.endswith(b"\xcf")
            alone += 1
        assert skim.skim(data) == knowing(new(), looks).skim(data) == expected
        said.append(expected)
    assert min(said.count(True), said.count(False)) > 100
    assert alone > 5


# The lane's part.


def settled(direction: int = IN) -> Scene:
    """A lane that knows of `a` that no rule is about it."""
    scene = Scene(direction)
    scene.faults.add(word_rule("x"))
    scene.lane.feed(b"a\n")
    return scene


def goes_past(scene: Scene, data: bytes) -> bool:
    """As `Lanes` asks it."""
    skimmer = scene.lane.skimmer
    return skimmer.version == scene.environment.in_force.version and skimmer.skim(data)


@pytest.mark.parametrize("direction", [IN, OUT])
def test_frames_that_no_rule_is_about_need_not_come_in(direction: int) -> None:
    scene = settled(direction)
    assert goes_past(scene, b"a 1\na 2\n")
    assert not goes_past(scene, b"a 1\nx\n")
    assert not goes_past(scene, b"a 1\na")


def test_nothing_goes_past_what_waits() -> None:
    scene = settled()
    scene.lane.feed(b"a")
    assert not goes_past(scene, b"a\n")
    scene.lane.feed(b"\n")
    assert goes_past(scene, b"a\n")
    scene.lane.queue.in_turn(lambda: None, 1, 2.0)
    assert not goes_past(scene, b"a\n")
    scene.clock.advance(2.0)
    assert goes_past(scene, b"a\n")


def test_nothing_goes_past_in_the_dark_or_while_answers_are_surplus() -> None:
    scene = settled()
    scene.lane.exchanges.repeated(Row("lines", IN, "a", correlation="7"), 1)
    assert not goes_past(scene, b"a\n")
    scene.lane.exchanges.surplus.clear()
    scene.lane.feed(b"a\n")
    assert goes_past(scene, b"a\n")
    scene.lane.exchanges.darken({OUT}, fault(), lambda: None, None)
    assert not goes_past(scene, b"a\n")


def test_a_new_rule_has_its_say() -> None:
    scene = settled()
    scene.faults.add(word_rule("a"))
    assert not goes_past(scene, b"a\n")


def test_only_the_rules_that_can_be_about_a_frame_are_asked() -> None:
    scene = Scene()
    rules = [scene.faults.add(word_rule(f"w{number}")) for number in range(100)]
    read = watched(scene)
    scene.lane.feed(b"w7\nw7\nother\nother\n")
    assert (rules[7].hits, sum(rule.hits for rule in rules)) == (2, 2)
    assert sum(rule.missed - rules[7].missed for rule in rules) == 0
    assert read == [b"w7\n", b"w7\n", b"other\n"]


def test_a_splitter_would_have_refused_what_is_left_to_it() -> None:
    with pytest.raises(ProtocolError):
        PacketSplitter().feed(b"\x30\xff\xff\xff\xff\x01")
