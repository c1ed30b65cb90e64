"""What people see of the Kafka broker and do to it, and how it holds back its clients."""

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import RequestDenied
from mockforge_brokers.fairness import finished
from mockforge_brokers.journal import IN, OUT
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.events import ProducerFenced
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.state.groups.classic.member import JoinRequest
from mockforge_brokers.kafka.wire.frames import decode_response, encode_request
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest, MetadataRequestTopic
from mockforge_brokers.kafka.wire.messages.groups import (
    HeartbeatRequest,
    JoinGroupRequest,
    JoinGroupRequestProtocol,
)
from mockforge_brokers.limits import Limits
from mockforge_brokers.listener import Listener

from ..calls import calls_of
from ..misbehaving import lane as make_lane
from .scene import Scene, fetch, produce


@pytest.mark.parametrize("version", range(3, 13))
def test_repeated_requests_are_answered_as_the_first_one(version):
    scene = Scene()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    for number in range(3):
        asked = scene.ask(client, produce("t", b"v" * (number * 100)), version)
        (frame,) = client.connection.splitter(OUT).feed(client.take())
        correlation_id, response = decode_response(frame, ApiKey.PRODUCE, version)
        (part,) = response.responses[0].partition_responses
        assert (correlation_id, part.error_code, part.base_offset) == (asked, 0, number)
    values = [record.value for record in scene.broker.read("t", 0, 0, 10)]
    assert values == [b"", b"v" * 100, b"v" * 200]


def test_repeated_request_to_a_topic_made_anew_goes_to_the_new_one():
    scene = Scene()
    client = scene.network.connect()
    for _ in range(2):
        scene.broker.create_topic("t", 1)
        for number in range(2):
            scene.ask(client, produce("t", b"v"), 9)
            response = scene.answer(client, ApiKey.PRODUCE, 9)
            assert response.responses[0].partition_responses[0].base_offset == number
        scene.broker.delete_topic("t")
    scene.ask(client, produce("t", b"v"), 9)
    assert scene.answer(client, ApiKey.PRODUCE, 9).responses[0].partition_responses[0].error_code


def test_topic_ids_stand_for_names_in_the_newest_versions():
    scene = Scene()
    scene.broker.create_topic("t", 1)
    topic_id = scene.broker.cluster.topics["t"].topic_id
    client = scene.network.connect()
    scene.ask(client, produce("", b"v", topic_id=topic_id), 13)
    assert scene.answer(client, ApiKey.PRODUCE, 13).responses[0].topic_id == topic_id
    scene.ask(client, fetch("", 0, topic_id=topic_id), 18)
    part = scene.answer(client, ApiKey.FETCH, 18).responses[0].partitions[0]
    assert part.high_watermark == 1
    scene.ask(client, fetch("", 0, topic_id=b"x" * 16), 18)
    part = scene.answer(client, ApiKey.FETCH, 18).responses[0].partitions[0]
    assert part.error_code == 100


def test_advertised_address_is_the_one_that_was_dialled_unless_told():
    for told, host in ((None, "::1"), ("kafka.test", "kafka.test")):
        scene = Scene()
        client = scene.network.connect()
        client.peer.local = ("::1", 9092)
        client.peer.listener = Listener("kafka", advertised_host=told)
        scene.ask(client, MetadataRequest(topics=None), 9)
        (node,) = scene.answer(client, ApiKey.METADATA, 9).brokers
        assert (node.host, node.port) == (host, 9092)


def test_topics_are_not_made_where_client_or_options_say_no():
    wanted = [MetadataRequestTopic(name="t")]
    for options, allowed in (({}, False), ({"auto_create_topics": False}, True)):
        scene = Scene(**options)
        client = scene.network.connect()
        scene.ask(client, MetadataRequest(topics=wanted, allow_auto_topic_creation=allowed), 9)
        assert scene.answer(client, ApiKey.METADATA, 9).topics[0].error_code == 3
        assert not scene.broker.has_topic("t")


def test_frames_may_come_in_any_pieces():
    scene = Scene()
    client = scene.network.connect()
    data = b"".join(
        encode_request(MetadataRequest(topics=None), 9, number, "shop") for number in range(3)
    )
    for at in range(len(data)):
        client.send(data[at : at + 1])
    assert len(client.connection.splitter(OUT).feed(client.take())) == 3


def test_of_a_batch_only_the_records_of_a_page_are_read():
    broker = Scene().broker
    broker.create_topic("t", 1)
    (log,) = broker.cluster.topics["t"].logs
    broker.cluster.append(log, build_batch([Record(0, 1000, b"k", b"v")] * 2000))
    whole = calls_of(lambda: broker.read("t", 0, 0, 2000))
    for first in (0, 1000, 1900):
        assert [one.offset for one in broker.read("t", 0, first, 100)] == [
            *range(first, first + 100)
        ]
        # Those before it are passed by, and those behind it not looked at.
        assert calls_of(lambda first=first: broker.read("t", 0, first, 100)) < whole * 0.4


def test_client_that_does_not_read_is_not_served_further():
    scene = Scene()
    client = scene.network.connect()
    client.set_writable(False)
    for _ in range(150):
        scene.ask(client, MetadataRequest(topics=None), 9)
    assert client.take() == b""
    assert client.peer.paused == 1, "its bytes are left unread"
    client.set_writable(True)
    assert len(client.connection.splitter(OUT).feed(client.take())) == 150
    assert client.peer.paused == 0


def test_burst_of_large_fetches_is_answered_in_portions():
    scene = Scene(Limits(write_mark=50_000))
    scene.broker.create_topic("t", 1)
    for _ in range(4):
        scene.broker.publish("t", bytes(10_000), partition=0)
    client = scene.network.connect()
    burst = b"".join(encode_request(fetch("t", 0), 11, number, "shop") for number in range(10))
    client.send(burst)
    assert len(client.peek()) < 130_000
    scene.clock.advance(0)
    scene.network.settle()
    while len(client.peek()) < 400_000:
        before = len(client.peek())
        scene.clock.advance(0)
        scene.network.settle()
        assert len(client.peek()) > before
    assert len(client.connection.splitter(OUT).feed(client.take())) == 10


def test_lost_connection_takes_its_long_poll_along():
    scene = Scene()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    scene.ask(client, fetch("t", 0, wait=1000), 11)
    assert scene.broker.connections()[0].state == "waiting"
    client.vanish()
    assert scene.broker.connections() == []
    scene.broker.publish("t", b"x", partition=0)
    scene.clock.advance(2)
    assert not scene.broker.cluster.topics["t"].logs[0].watchlist.waiting


@pytest.mark.parametrize("how", ["kill", "cut", "reset"])
def test_requests_behind_a_parked_one_die_with_their_connection(how):
    """A client that does not close its own side: the broker hears of its end much later."""
    scene = Scene()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    client.send(
        encode_request(fetch("t", 0, wait=400), 11, 1, "shop")
        + encode_request(produce("t", b"zombie"), 9, 2, "shop")
        + encode_request(MetadataRequest(topics=[MetadataRequestTopic(name="new")]), 1, 3, "shop")
    )
    if how == "reset":
        scene.broker.reset()
        scene.broker.create_topic("t", 1)
    else:
        assert scene.broker.disconnect(client.peer.id, "by hand", reset=how == "cut")
    assert client.peer.ended == ("reset" if how == "cut" else "closed")
    assert scene.broker.connections() == []
    scene.clock.advance(1)
    assert {name: topic.records for name, topic in scene.broker.cluster.topics.items()} == {"t": 0}


@pytest.mark.parametrize("taught", [False, True])
def test_fenced_producer_is_reported_once_however_its_request_came(taught):
    scene = Scene()
    scene.broker.create_topic("t", 1)
    fenced, denied = [], []
    scene.environment.spine.watch(fenced.append, ProducerFenced)
    scene.environment.spine.watch(denied.append, RequestDenied)
    client = scene.network.connect()
    if taught:
        scene.ask(client, produce("t", b"a"), 9)
        client.take()
    scene.call(produce("t", b"a", producer_id=7, producer_epoch=5, base_sequence=0), 9)
    scene.ask(client, produce("t", b"a", producer_id=7, producer_epoch=4, base_sequence=0), 9)
    part = scene.answer(client, ApiKey.PRODUCE, 9).responses[0].partition_responses[0]
    assert part.error_code == ErrorCode.INVALID_PRODUCER_EPOCH
    assert "epoch 5 is known" in part.error_message
    assert (len(fenced), len(denied)) == (1, 1)


# People.


def test_publish_chooses_partitions_as_clients_do():
    broker = Scene().broker
    assert [broker.publish("t", b"v")[0] for _ in range(4)] == [0, 1, 2, 0]
    placed = {broker.publish("t", b"v", key=b"order-1")[0] for _ in range(5)}
    assert len(placed) == 1
    partition, offset = broker.publish("t", None, key=b"k", partition=2, timestamp=5.5)
    (record,) = broker.read("t", partition, offset, 1)
    assert (record.value, record.key, record.time) == (None, b"k", 5.5)


def test_publish_is_journaled_under_its_source_with_its_offset():
    scene = Scene()
    scene.broker.publish("t", b"one", partition=1, headers=[("h", b"x")], source="fixture:orders")
    (chunk,) = scene.environment.journal.since(0)
    (row,) = chunk.tape.owner.rows(IN, chunk.data)
    assert chunk.tape.owner.client == "∗fixture:orders"
    assert (row.destination, row.payload, row.headers) == ("t", b"one", (("h", b"x"),))
    assert (row.detail["partition"], row.detail["offset"]) == (1, 0)


@pytest.mark.parametrize(
    "action",
    [
        lambda broker: broker.publish("t", b"x", partition=9),
        lambda broker: broker.publish("bad name", b"x"),
        lambda broker: broker.create_topic("t"),
        lambda broker: broker.delete_topic("nowhere"),
        lambda broker: broker.purge_topic("nowhere"),
        lambda broker: broker.configure_topic("t", "retention.ms", "long"),
        lambda broker: broker.kick_member("nobody", "x"),
        lambda broker: broker.rebalance("nobody"),
        lambda broker: broker.publish("t", b"x", headers=[("\ud800", b"")]),
        lambda broker: broker.publish("t", b"x", timestamp=1e300),
        lambda broker: broker.reset_offsets("g", "nowhere", {0: 0}),
        lambda broker: broker.reset_offsets("g", "t", {0: -1}),
    ],
)
def test_what_cannot_be_is_said_plainly(action):
    broker = Scene().broker
    broker.create_topic("t")
    with pytest.raises(InvalidInput) as said:
        action(broker)
    assert str(said.value)


def test_purge_keeps_the_topic():
    broker = Scene().broker
    for _ in range(5):
        broker.publish("t", b"v")
    assert broker.purge_topic("t") == 5
    assert broker.offsets("t") == [(2, 2), (2, 2), (1, 1)]
    assert broker.destinations()[0].depth == 0


def join(broker, client):
    wish = JoinRequest("", None, client, "/", 10, 10, "consumer", (("range", b""),), False)
    finished(broker.cluster.groups.join("g", wish))


def test_group_is_shown_with_lag_and_kicked_by_client_id():
    broker = Scene().broker
    broker.publish("t", b"v", partition=0)
    broker.publish("t", b"v", partition=0)
    broker.reset_offsets("g", "t", {0: 1})
    join(broker, "desk")
    (view,) = broker.groups()
    assert (view.name, view.state, view.members, view.lag) == ("g", "assigning", 1, 1)
    broker.kick_member("g", "desk")
    (view,) = broker.groups()
    assert (view.state, view.reason) == ("empty", "member desk was kicked by prompt")


def test_metrics_are_true_to_the_last_record():
    scene = Scene()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    scene.ask(client, produce("t", b"a", b"b", b"c"), 9)
    scene.ask(client, fetch("t", 1), 11)
    scene.ask(client, fetch("t", 7), 11)
    scene.broker.reset_offsets("g", "t", {0: 1})
    metrics = scene.metrics()
    assert metrics["kafka_messages_produced_total"] == {("t",): 3}
    assert metrics["kafka_messages_consumed_total"] == {("t",): 2}
    assert metrics["kafka_consumer_lag"] == {("g", "t", "0"): 2}
    assert metrics["kafka_requests_total"] == {("Produce",): 1, ("Fetch",): 2}
    assert metrics["kafka_errors_total"] == {("Fetch", "OFFSET_OUT_OF_RANGE"): 1}
    (view,) = scene.broker.connections()
    assert (view.client, view.messages_in, view.messages_out) == ("shop", 3, 2)


def test_reset_leaves_nothing():
    scene = Scene()
    client = scene.network.connect()
    scene.broker.publish("t", b"x")
    scene.broker.reset()
    scene.network.settle()
    assert client.peer.ended == "closed"
    assert (scene.broker.destinations(), scene.broker.groups(), scene.broker.connections()) == (
        [],
        [],
        [],
    )


# Rows.


def rows_of(client):
    found = []
    for direction, data in client.history:
        for frame in client.connection.splitter(direction).feed(data):
            found += client.connection.rows(direction, frame)
    return found


def test_each_record_that_passes_is_a_row():
    scene = Scene()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    scene.ask(client, produce("t", b"a", b"b"), 9)
    scene.ask(client, fetch("t", 0), 11)
    messages = [row for row in rows_of(client) if row.kind == "message"]
    assert [(row.direction, row.operation, row.payload) for row in messages] == [
        (IN, "Produce", b"a"),
        (IN, "Produce", b"b"),
        (OUT, "Fetch", b"a"),
        (OUT, "Fetch", b"b"),
    ]
    assert all(
        (row.destination, row.key, row.headers) == ("t", b"k", (("h", b"1"),)) for row in messages
    )
    assert [row.detail.get("offset") for row in messages] == [None, None, 0, 1]


def test_requests_are_remembered_as_long_as_the_journal_can_hold_their_answers():
    scene = Scene(Limits(journal_connection=64 << 10))
    client = scene.network.connect()
    beat = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
    most = 0
    for _ in range(3_000):
        scene.ask(client, beat, 3)
        most = max(most, client.connection.past().weight)
    assert most < 4 * (64 << 10)
    answers = [data for direction, data in client.history if direction == OUT]
    newest = answers[-(64 << 10) // 256 :]
    assert [client.connection.rows(OUT, data)[0].error for data in newest] == (
        ["UNKNOWN_MEMBER_ID"] * len(newest)
    )


def test_heartbeats_and_empty_polls_are_noise_but_errors_are_not():
    scene = Scene()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    scene.ask(client, fetch("t", 0), 11)
    scene.ask(client, HeartbeatRequest(group_id="g", generation_id=1, member_id="m"), 3)
    kinds = [(row.operation, row.kind, row.error) for row in rows_of(client)]
    assert kinds == [
        ("Fetch", "noise", ""),
        ("Fetch", "noise", ""),
        ("Heartbeat", "noise", ""),
        ("Heartbeat", "control", "UNKNOWN_MEMBER_ID"),
    ]


def test_steps_of_a_rebalance_are_no_errors():
    scene = Scene()
    client = scene.network.connect()
    join = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=1000,
        rebalance_timeout_ms=1000,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )
    scene.ask(client, join, 4)
    (row,) = [row for row in rows_of(client) if row.direction == OUT]
    assert (row.kind, row.error, row.detail["step"]) == ("control", "", "MEMBER_ID_REQUIRED")


def test_records_that_cannot_be_read_are_a_row_with_an_error():
    scene = Scene()
    client = scene.network.connect()
    request = produce("t", b"a")
    request.topic_data[0].partition_data[0].records = b"\0" * 70
    frame = encode_request(request, 9, 1, "shop")
    (row,) = client.connection.rows(IN, frame)
    assert row.error


def test_large_batches_are_shown_up_to_a_bound():
    scene = Scene()
    client = scene.network.connect()
    frame = encode_request(produce("t", *[b"v"] * 1500), 9, 1, "shop")
    rows = client.connection.rows(IN, frame)
    assert len(rows) == 1001
    assert rows[-1].detail == {"records_not_shown": 500}


@pytest.mark.parametrize(
    "frame", [b"", b"\0\0\0\1x", b"\0\0\0\x0a" + b"\xff" * 10, b"\0\0\0\4abcd"]
)
def test_rows_of_bad_bytes_never_raise(frame):
    client = Scene().network.connect()
    for direction in (IN, OUT):
        (row,) = client.connection.rows(direction, frame)
        assert row.error


def test_a_lane_passes_on_at_once_what_is_no_frame():
    scene = Scene()
    client = scene.network.connect()
    lane = make_lane(IN, client.connection, client.peer, scene.environment, client.send)
    lane.feed(encode_request(MetadataRequest(topics=[]), 1, 1, "shop") + b"\xff\xff\xff\xff")
    assert client.peer.ended == "closed"
    assert lane.pending == 0


def test_a_produce_that_nothing_answers_opens_no_exchange():
    scene = Scene()
    client = scene.network.connect()
    for acks, correlation in ((-1, 7), (1, 7), (0, None)):
        request = produce("t", b"a", b"b")
        request.acks = acks
        rows = client.connection.rows(IN, encode_request(request, 9, 7, "shop"))
        assert [row.correlation for row in rows] == [correlation] * 2
