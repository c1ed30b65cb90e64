"""Limits: how far they are used, how often they were met, and how that is reported."""

import pytest
from mockforge_brokers.amqp.wire.frames import BODY, HEADER, frame
from mockforge_brokers.amqp.wire.properties import encode_header
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import LimitReached
from mockforge_brokers.kafka.broker import KafkaBroker
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest, MetadataRequestTopic
from mockforge_brokers.kafka.wire.messages.configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from mockforge_brokers.kafka.wire.messages.logs import ProduceRequest, TopicProduceData
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
)
from mockforge_brokers.kafka.wire.schema import Message
from mockforge_brokers.limits import LIMITS, Limits, limits_of
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.wire.encode import encode_packet as mqtt
from mockforge_brokers.mqtt.wire.frames import encode_varint
from mockforge_brokers.mqtt.wire.packets import Connect, Publish
from mockforge_brokers.spine import Spine
from mockforge_brokers.usage import REPORT_EVERY, LimitView, Usage

from .amqp.client import Scene
from .fake_peer import FakeNetwork

EFFECT = "messages dropped: {lost:,}, the last to {last}"


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        spine = Spine(self.clock)
        self.usage = Usage(self.clock, spine, Limits())
        self.events: list[LimitReached] = []
        spine.watch(self.events.append, LimitReached)

    def meet(self, where: str = "s", last: str = "t", lost: int = 1) -> None:
        self.usage.met("mqtt", "mqtt_retained", where, EFFECT, lost=lost, last=last)

    def view(self, name: str = "mqtt_retained"):
        return next(view for view in self.usage.views() if view.name == name)


def test_the_first_time_is_reported_at_once_and_the_rest_in_one_event() -> None:
    world = World()
    for number in range(2_001):
        world.meet(last=f"t/{number}")
    assert [event.effect for event in world.events] == ["messages dropped: 1, the last to t/0"]
    world.clock.advance(REPORT_EVERY)
    event = world.events[1]
    assert event.effect == "messages dropped: 2,000, the last to t/2000"
    assert (event.times, event.lost) == (2_000, 2_000)
    assert (world.view().met, world.view().lost) == (2_001, 2_001)


def test_a_place_where_nothing_more_happens_is_quiet_and_forgotten() -> None:
    world = World()
    world.meet()
    world.clock.advance(REPORT_EVERY * 5)
    assert len(world.events) == 1
    world.meet(lost=7)
    assert [event.lost for event in world.events] == [1, 7], "new, so at once"


def test_at_the_end_nothing_stays_unreported() -> None:
    world = World()
    for _ in range(5):
        world.meet()
    world.usage.report()
    assert [event.lost for event in world.events] == [1, 4]


def test_very_many_places_are_reported_as_one() -> None:
    world = World()
    for number in range(3_000):
        world.meet(where=f"client-{number}")
    assert len(world.events) == 1_000
    world.clock.advance(REPORT_EVERY)
    assert len(world.events) == 1_001
    assert (world.events[-1].where, world.events[-1].lost) == ("elsewhere", 2_000)


def test_each_limit_shows_its_value_and_what_is_in_use() -> None:
    world = World()
    assert [view.name for view in world.usage.views()] == list(LIMITS)
    assert (world.view().used, world.view().value) == (None, Limits().mqtt_retained)
    world.usage.gauge("mqtt_retained", lambda: 3)
    world.usage.gauge("mqtt_retained", lambda: 5, lambda: 2)
    assert (world.view().used, world.view().met) == (5, 2)


def environment(**limits: int) -> Environment:
    return Environment.create(ManualClock(), seed=1, limits=Limits(**limits))


MET = ": the limit kafka_request_items is met"


def view_of(environment: Environment, name: str) -> LimitView:
    return next(view for view in environment.usage.views() if view.name == name)


def test_a_kafka_request_in_part_is_in_use_and_one_too_large_is_met() -> None:
    env = environment(kafka_request=5000)
    client = FakeNetwork(KafkaBroker(env), env).connect()
    client.send((4000).to_bytes(4, "big") + bytes(1000))
    assert (view_of(env, "kafka_request").used, view_of(env, "kafka_request").met) == (1004, 0)
    FakeNetwork(KafkaBroker(env), env).connect().send((6000).to_bytes(4, "big"))
    assert view_of(env, "kafka_request").met == 1


@pytest.mark.parametrize("kind", ["Metadata", "Produce"])
def test_a_kafka_request_that_names_too_much_ends_its_connection(kind: str) -> None:
    env = environment(kafka_request_items=10)
    client = FakeNetwork(KafkaBroker(env), env).connect()
    for count in (10, 11):
        assert not client.peer.ended
        assert view_of(env, "kafka_request_items").met == 0
        names = [f"t{number}" for number in range(count)]
        request: Message = MetadataRequest(topics=[MetadataRequestTopic(name=one) for one in names])
        if kind == "Produce":
            topics = [TopicProduceData(name=one, partition_data=[]) for one in names]
            request = ProduceRequest(acks=1, timeout_ms=1, topic_data=topics)
        client.send(encode_request(request, 9, 1, ""))
    assert client.peer.reason == f"{kind}Request v9 names more than 10 things at once{MET}"
    assert view_of(env, "kafka_request_items").met == 1


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"kafka_partitions": 1_000_000},
        {"kafka_topics": 500_000, "kafka_partitions": 500_000},
        {"kafka_topics": 1, "kafka_partitions": 1},
    ],
)
def test_a_kafka_request_may_name_all_that_there_can_be_and_forget_it(
    given: dict[str, int],
) -> None:
    limits = limits_of(given)
    assert limits.kafka_request_items >= 2 * (limits.kafka_topics + limits.kafka_partitions)


def test_what_a_kafka_request_may_name_is_what_somebody_says() -> None:
    given = {"kafka_request_items": 10, "kafka_partitions": 1_000_000}
    assert limits_of(given) == Limits(**given)


def test_tagged_fields_of_the_first_kafka_request_count_too() -> None:
    env = environment(kafka_request_items=4)
    client = FakeNetwork(KafkaBroker(env), env).connect()
    message = bytes.fromhex("02 78 02 31 05 3200 3300 3400 3500 3600")
    frame = bytes.fromhex("0012 0003 00000001 ffff 00") + message
    client.send(len(frame).to_bytes(4, "big") + frame)
    assert client.peer.reason == f"ApiVersionsRequest v3 names more than 4 things at once{MET}"
    assert view_of(env, "kafka_request_items").met == 1


def _kafka(items: int) -> KafkaBroker:
    """With three topics, in each of which a group committed one offset."""
    broker = KafkaBroker(environment(kafka_request_items=items))
    for number in range(3):
        broker.create_topic(f"t{number}", 1)
        broker.commit("g", {(f"t{number}", 0): 0})
    return broker


def _fetched(*group_ids: str) -> OffsetFetchRequest:
    return OffsetFetchRequest(
        groups=[OffsetFetchRequestGroup(group_id=one, topics=None) for one in group_ids]
    )


def _described(kind: int, *names: str) -> DescribeConfigsRequest:
    return DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(resource_type=kind, resource_name=one, configuration_keys=None)
            for one in names
        ]
    )


@pytest.mark.parametrize(
    ("request_", "version", "is_taken"),
    [
        (_fetched("g", "g", "g", "a", "b", "c"), 8, True),
        (_fetched("g", "g", "g", "g"), 8, False),
        (_described(2, "t0", "t1", "t2"), 4, True),
        (_described(2, "t0", "t0"), 4, False),
        (_described(4, "0"), 4, False),
        (_described(8, *"01234567"), 4, False),
        (_described(16, "a"), 4, True),
        (_described(16, "a", "b", "c"), 4, False),
        (_described(32, "a", "b"), 4, False),
        (_described(99, "a", "b"), 4, True),
    ],
)
def test_a_kafka_request_that_stands_for_too_much_ends_its_connection(
    request_: Message, version: int, *, is_taken: bool
) -> None:
    broker = _kafka(8)
    client = FakeNetwork(broker, broker.environment).connect()
    client.send(encode_request(request_, version, 1, ""))
    reason = f"{type(request_).__name__} v{version} names more than 8 things at once{MET}"
    assert client.peer.reason == ("" if is_taken else reason)
    assert view_of(broker.environment, "kafka_request_items").met == (not is_taken)


def test_an_mqtt_packet_in_part_is_in_use_and_one_too_large_is_met() -> None:
    env = environment(mqtt_packet=5000)
    network = FakeNetwork(MqttBroker(env), env)
    client, other = network.connect(), network.connect()
    client.send(mqtt(Connect("a"), 4) + b"\x30" + encode_varint(4000) + bytes(1000))
    assert view_of(env, "mqtt_packet").used == 1003
    other.send(mqtt(Connect("b"), 4) + b"\x30" + encode_varint(6000))
    assert other.peer.ended
    assert view_of(env, "mqtt_packet").met == 1


def test_an_amqp_message_in_part_is_in_use_and_one_too_large_is_met() -> None:
    scene = Scene(limits=Limits(amqp_message=5000))
    client = scene.client()
    client.send("basic.publish", routing_key="q")
    header = frame(HEADER, 1, encode_header(4000, {}))
    client.fake.send(header + frame(BODY, 1, bytes(1000)))
    assert (view_of(scene.environment, "amqp_message").used or 0) > 1000
    other = scene.client()
    other.send("basic.publish", routing_key="q")
    other.fake.send(frame(HEADER, 1, encode_header(6000, {})) + frame(BODY, 1, bytes(6000)))
    assert [got.name for got in other.received()] == ["channel.close"]
    assert view_of(scene.environment, "amqp_message").met == 1


def test_the_journal_of_a_connection_is_in_use_while_it_is_open() -> None:
    env = environment(journal_connection=2000, journal_ended=1)
    network = FakeNetwork(MqttBroker(env), env)
    client = network.connect()
    client.send(mqtt(Connect("a"), 4))
    before = view_of(env, "journal_connection").used
    assert before
    for _ in range(20):
        client.send(mqtt(Publish("t", bytes(100)), 4))
    assert 1000 < (view_of(env, "journal_connection").used or 0) <= 2000
    assert view_of(env, "journal_connection").met > 10
    client.vanish()
    assert view_of(env, "journal_connection").used == 0
    assert (view_of(env, "journal_ended").used, view_of(env, "journal_ended").met) == (1, 0)
    network.connect().vanish()
    assert (view_of(env, "journal_ended").used, view_of(env, "journal_ended").met) == (1, 1)
