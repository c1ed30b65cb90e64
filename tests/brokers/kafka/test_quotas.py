"""Quotas: who is held to what, what is answered and when the next request is read (KIP-219)."""

from math import inf, nan
from random import Random

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.errors import RequestRefused
from mockforge_brokers.kafka.apis.throttling import write_time
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.events import ClientThrottled
from mockforge_brokers.kafka.records import read_records, split_batches
from mockforge_brokers.kafka.state.quotas import CONSUME, PRODUCE, REQUESTS, Quotas
from mockforge_brokers.kafka.throttle import Throttle
from mockforge_brokers.kafka.wire.catalog import RESPONSES
from mockforge_brokers.kafka.wire.frames import encode_response, response_pieces
from mockforge_brokers.kafka.wire.messages.logs import ReplicaState
from mockforge_brokers.kafka.wire.messages.quotas import (
    AlterClientQuotasRequest,
    AlteredQuota,
    DescribeClientQuotasRequest,
    QuotaComponent,
    QuotaEntity,
    QuotaOperation,
)
from mockforge_brokers.kafka.wire.messages.topics import DeleteTopicsRequest

from .asked import created
from .generated import VERSIONS, value_of
from .scene import Noting, Scene, fetch, produce
from .slowing import Ticking
from .test_access import Guarded

MUTATIONS = "controller_mutation_rate"


def alter(call, entity, values, *, validate_only=False, version=1):
    wanted = AlteredQuota(
        entity=[QuotaEntity(entity_type=kind, entity_name=name) for kind, name in entity],
        ops=[
            QuotaOperation(key=key, value=value or 0.0, remove=value is None)
            for key, value in values
        ],
    )
    request = AlterClientQuotasRequest(entries=[wanted], validate_only=validate_only)
    (answer,) = call(request, version).entries
    return answer.error_code, answer.error_message


def described(call, *components, strict=False):
    request = DescribeClientQuotasRequest(
        components=[
            QuotaComponent(entity_type=kind, match_type=match, match=name)
            for kind, match, name in components
        ],
        strict=strict,
    )
    answer = call(request, 1)
    if answer.error_code:
        return answer.error_code, answer.error_message
    return [
        (
            [(part.entity_type, part.entity_name) for part in one.entity],
            [(value.key, value.value) for value in one.values],
        )
        for one in answer.entries
    ]


REFUSED = [
    ([("user", "alice")], [(PRODUCE, 0.0)], "Quota producer_byte_rate must be greater than 0"),
    ([("user", "alice")], [(PRODUCE, -1.0)], "Quota producer_byte_rate must be greater than 0"),
    ([("user", "alice")], [(PRODUCE, 1.5)], "producer_byte_rate cannot be a fractional value."),
    (
        [("user", "alice")],
        [(PRODUCE, 0.9999999)],
        "producer_byte_rate cannot be a fractional value.",
    ),
    (
        [("user", "alice")],
        [(PRODUCE, 1e19)],
        "Proposed value for producer_byte_rate is too large for a LONG.",
    ),
    (
        [("ip", "1.2.3.4")],
        [("connection_creation_rate", 3e9)],
        "Proposed value for connection_creation_rate is too large for an INT.",
    ),
    *(
        ([("user", "alice")], [(key, value)], f"Quota {key} must be a finite number")
        for key in (PRODUCE, REQUESTS, MUTATIONS)
        for value in (nan, inf, -inf)
    ),
    ([("user", "alice")], [("nope", nan)], "Invalid configuration key nope"),
    ([("user", "alice")], [("nope", 1.0)], "Invalid configuration key nope"),
    (
        [("user", "alice")],
        [("connection_creation_rate", 1.0)],
        "Invalid configuration key connection_creation_rate",
    ),
    ([("ip", "1.2.3.4")], [(PRODUCE, 1.0)], "Invalid configuration key producer_byte_rate"),
    (
        [("ip", "nonsense host")],
        [("connection_creation_rate", 1.0)],
        "nonsense host is not a valid IP or resolvable host.",
    ),
    (
        [("ip", "1.2.3.4"), ("user", "x")],
        [(PRODUCE, 1.0)],
        "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
    ),
    ([("group", "x")], [(PRODUCE, 1.0)], "Unhandled client quota entity type: group"),
    ([], [(PRODUCE, 1.0)], "Invalid empty client quota entity"),
    ([("user", "")], [(PRODUCE, 1.0)], "Empty user not supported"),
    ([("client-id", "")], [(PRODUCE, 1.0)], "Empty client-id not supported"),
    (
        [("user", "alice")],
        [(PRODUCE, 1.0), (PRODUCE, 2.0)],
        "Ignoring duplicate entity ClientQuotaEntity(entries={user=alice})",
    ),
]
"""What Apache Kafka 4.4 says, each with error 42."""


@pytest.mark.parametrize(("entity", "values", "text"), REFUSED)
def test_what_is_no_quota_is_refused_with_kafkas_words(entity, values, text):
    scene = Scene()
    assert alter(scene.call, entity, values) == (42, text)
    assert described(scene.call) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (PRODUCE, 1e-7),
        (PRODUCE, 1.0000001),
        (PRODUCE, 2.0**63),
        (REQUESTS, 1e19),
        (MUTATIONS, 1e19),
    ],
)
def test_what_is_just_a_quota_is_taken_as_in_kafka(key, value):
    scene = Scene()
    assert alter(scene.call, [("user", "alice")], [(key, value)]) == (0, None)
    assert described(scene.call) == [([("user", "alice")], [(key, value)])]


@pytest.mark.parametrize(("key", "version"), [(PRODUCE, 9), (MUTATIONS, 4)])
def test_of_next_to_nothing_a_second_the_wait_is_the_longest_that_can_be_said(key, version):
    scene = Scene()
    scene.broker.create_topic("t", 1)
    value = 1e-7 if key == PRODUCE else 5e-324
    assert alter(scene.call, [("client-id", "shop")], [(key, value)]) == (0, None)
    request = produce("t", b"v") if key == PRODUCE else created("b", partitions=6, dry=False)
    answer = scene.call(request, version)
    assert answer.throttle_time_ms == 2_147_483_000


@pytest.mark.parametrize("version", [0, 1])
def test_quotas_are_set_shown_and_taken_back(version):
    call = Scene().call
    alice = [("user", "alice")]
    assert alter(call, alice, [(PRODUCE, 5.0)], validate_only=True) == (0, None)
    assert described(call) == []
    assert alter(call, alice, [(REQUESTS, 0.5), (MUTATIONS, 1.5)], version=version) == (0, None)
    assert described(call) == [(alice, [(MUTATIONS, 1.5), (REQUESTS, 0.5)])]
    assert alter(call, alice, [(REQUESTS, None), (MUTATIONS, None)]) == (0, None)
    assert described(call) == []
    assert alter(call, [("user", "nobody")], [(PRODUCE, None)]) == (0, None)


def test_filters_find_what_they_find_in_kafka():
    call = Scene().call
    both = [("client-id", "c"), ("user", "alice")]
    for entity in ([("user", "alice")], [("user", None)], [("client-id", "c")], both):
        assert alter(call, entity, [(PRODUCE, 9.0)]) == (0, None)

    def found(*components, **more):
        return [entity for entity, _ in described(call, *components, **more)]

    assert found(("user", 0, "alice")) == [[("user", "alice")], both]
    assert found(("user", 0, "alice"), strict=True) == [[("user", "alice")]]
    assert found(("user", 1, None)) == [[("user", None)]]
    assert found(("user", 2, None)) == [[("user", "alice")], [("user", None)], both]
    assert found(("user", 2, None), ("client-id", 2, None)) == [both]
    assert found(strict=True) == []
    assert len(found()) == 4


@pytest.mark.parametrize(
    ("components", "code", "text"),
    [
        ([("foo", 2, None)], 35, "Unsupported entity type foo"),
        ([("user", 7, None)], 42, "Unknown match type 7"),
        (
            [("user", 2, None), ("user", 2, None)],
            42,
            "Entity type user cannot appear more than once in the filter.",
        ),
        ([("", 0, "x")], 42, "Invalid empty entity type."),
        (
            [("user", 0, None)],
            42,
            "Request specified MATCH_TYPE_EXACT, but set match string to null.",
        ),
        (
            [("user", 1, "x")],
            42,
            "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.",
        ),
        (
            [("user", 2, None), ("ip", 2, None)],
            42,
            "Invalid entity filter component combination. IP filter component should not be used"
            " with user or clientId filter component.",
        ),
    ],
)
def test_a_wrong_filter_is_refused_with_kafkas_words(components, code, text):
    assert described(Scene().call, *components) == (code, text)


def test_the_most_special_entity_counts_and_is_shared():
    quotas = Quotas(ManualClock())
    limits = {
        (("client-id", None),): 1.0,
        (("client-id", "app"),): 2.0,
        (("user", None),): 3.0,
        (("client-id", None), ("user", None)): 4.0,
        (("client-id", "app"), ("user", None)): 5.0,
        (("user", "alice"),): 6.0,
        (("client-id", None), ("user", "alice")): 7.0,
        (("client-id", "app"), ("user", "alice")): 8.0,
    }
    shared = [("", "app"), ("", "app"), ("alice", ""), ("alice", "app"), ("alice", "app"),
              ("alice", ""), ("alice", "app"), ("alice", "app")]  # fmt: skip
    # From the least special on: each one that is set takes the place of those before.
    for (entity, value), who in zip(limits.items(), shared, strict=True):
        quotas.alter(entity, [(PRODUCE, value)])
        assert quotas.limit(PRODUCE, "alice", "app") == (value, *who)
    assert quotas.limit(PRODUCE, "bob", "app") == (5.0, "bob", "app")
    assert quotas.limit(PRODUCE, "bob", "x") == (4.0, "bob", "x")
    assert quotas.limit(CONSUME, "alice", "app") is None


def test_the_time_to_wait_is_kafkas():
    clock = ManualClock()
    quotas = Quotas(clock)
    quotas.alter([("user", "alice")], [(PRODUCE, 1000.0)])
    # Apache Kafka 4.4 answered 10116 ms to a request of about as many bytes, and 30104 ms to a
    # second one that it read 10.12 seconds later.
    assert quotas.charge(PRODUCE, "alice", "x", 20_116) == pytest.approx(10.116)
    clock.advance(10.12)
    assert quotas.charge(PRODUCE, "alice", "y", 20_116) == pytest.approx(30.1, abs=0.05)
    assert quotas.charge(PRODUCE, "bob", "x", 1 << 30) == 0
    clock.advance(60)
    assert quotas.charge(PRODUCE, "alice", "x", 9_000) == 0


def test_requests_are_throttled_by_the_time_they_take_and_for_one_window_at_most():
    quotas = Quotas(ManualClock())
    quotas.alter([("user", None)], [(REQUESTS, 1.0)])
    assert quotas.charge(REQUESTS, "alice", "x", 9.0) == 0
    assert quotas.charge(REQUESTS, "alice", "x", 1000.0) == 1.0


def test_partitions_are_made_in_a_burst_and_then_at_their_rate():
    clock = ManualClock()
    quotas = Quotas(clock)
    quotas.alter([("user", None)], [(MUTATIONS, 1.0)])
    assert quotas.mutate("alice", "x", 6, strict=False) == 0
    assert quotas.mutate("alice", "x", 6, strict=False) == pytest.approx(1.0)
    with pytest.raises(RequestRefused) as refused:
        quotas.mutate("alice", "x", 1, strict=True)
    assert refused.value.code == 89
    clock.advance(1)
    assert quotas.mutate("alice", "x", 6, strict=True) == 0
    assert quotas.mutation_wait("alice", "x") == pytest.approx(6.0)


# On a connection ---------------------------------------------------------------------------


class Throttled(Guarded):
    """Alice's client, after so many bytes a second."""

    def __init__(self, **values):
        super().__init__()
        self.broker.create_topic("t", 1)
        self.broker.alter_quota([("user", "alice")], values)
        self.alice = self.client()
        self.said = []
        self.environment.spine.watch(self._note)

    def _note(self, event):
        if isinstance(event, ClientThrottled):
            self.said.append(event)


@pytest.mark.parametrize("version", [3, 7, 8, 9, 12])
def test_a_producer_is_answered_at_once_and_read_again_when_its_time_is_up(version):
    scene = Throttled(producer_byte_rate=1000.0)
    answer = scene.ask_for(scene.alice, produce("t", b"x" * 20_000), version)
    assert answer.responses[0].partition_responses[0].error_code == 0
    assert 10_000 < answer.throttle_time_ms < 10_300
    (view,) = (one for one in scene.broker.connections() if one.id == scene.alice.peer.id)
    assert view.state == "throttled"
    (event,) = scene.said
    assert (event.client, event.user) == ("shop", "alice")
    scene.ask(scene.alice, produce("t", b"y"), version)
    scene.clock.advance(answer.throttle_time_ms / 1000 - 0.1)
    scene.network.settle()
    assert scene.alice.take() == b""
    scene.clock.advance(0.2)
    scene.network.settle()
    assert scene.answer(scene.alice, 0, version).responses[0].partition_responses[0].error_code == 0
    assert scene.broker.offsets("t") == [(0, 2)]


def test_of_two_waits_the_longer_one_ends_the_throttle():
    scene = Scene()
    ended = []
    throttle = Throttle(scene.environment, lambda: None, lambda: ended.append(scene.clock.now()))
    caller = scene.network.connect().connection.caller
    throttle.wait(caller, 5)
    throttle.wait(caller, 1)
    scene.clock.advance(2)
    assert throttle.on
    throttle.wait(caller, 8)
    scene.clock.advance(20)
    assert not throttle.on
    assert ended == [10]
    throttle.wait(caller, 1)
    scene.clock.advance(1)
    assert ended[1:] == [23]


def test_a_quota_that_is_set_holds_also_on_the_short_path_of_an_open_connection():
    scene = Throttled(consumer_byte_rate=1e9)
    scene.broker.alter_quota([("user", "alice")], {"consumer_byte_rate": None})
    for _ in range(3):
        assert scene.ask_for(scene.alice, produce("t", b"x" * 2000), 9).throttle_time_ms == 0
    assert scene.alice.connection.caller.produce_paths.last is not None
    scene.broker.alter_quota([("client-id", "shop")], {"producer_byte_rate": 100.0})
    assert scene.ask_for(scene.alice, produce("t", b"x" * 2000), 9).throttle_time_ms > 10_000


def _records(answer):
    return [
        record.value
        for topic in answer.responses
        for partition in topic.partitions
        for _, batch in split_batches(partition.records or b"")
        for record in read_records(batch)
    ]


@pytest.mark.parametrize("version", [4, 11, 12])
def test_a_consumer_that_is_throttled_gets_nothing_and_its_records_later(version):
    scene = Throttled(consumer_byte_rate=1000.0)
    sent = [bytes([n]) * 3000 for n in range(12)]
    for value in sent:
        scene.broker.publish("t", value)
    got, waits = [], []
    while len(got) < len(sent):
        answer = scene.ask_for(scene.alice, fetch("t", len(got)), version)
        came, wait = _records(answer), answer.throttle_time_ms
        # What goes is what a quota lets through at once when nothing went before: 10 seconds'.
        assert (len(came) in (1, 2, 3), wait) == (True, 0) or (came, wait > 0) == ([], True)
        assert not wait or answer.responses == []
        got += came
        waits.append(wait)
        scene.clock.advance(wait / 1000 + 0.001)
        scene.network.settle()
        (log,) = scene.broker.cluster.topics["t"].logs
        assert log.records_out == scene.alice.connection.caller.messages_out == len(got)
    assert got == sent
    # As long each time, and not longer and longer.
    assert len([wait for wait in waits if wait]) > 2
    assert max(waits) < 11_000


@pytest.mark.parametrize("version", [11, 12])
def test_a_fetch_session_goes_on_behind_a_throttled_answer(version):
    scene = Throttled(consumer_byte_rate=1000.0)
    for _ in range(4):
        scene.broker.publish("t", b"x" * 3000)

    def ask(offset, session_id, epoch):
        request = fetch("t", offset, size=4000)
        request.session_id, request.session_epoch = session_id, epoch
        answer = scene.ask_for(scene.alice, request, version)
        scene.clock.advance(answer.throttle_time_ms / 1000 + 0.001)
        scene.network.settle()
        return len(_records(answer)), answer.session_id, answer.throttle_time_ms > 0

    count, mine, throttled = ask(0, 0, 0)
    assert (count, mine > 0, throttled) == (1, True, False)
    assert ask(1, mine, 1) == (1, mine, False)
    assert ask(2, mine, 2) == (1, mine, False)
    assert ask(3, mine, 3) == (0, mine, True)
    epoch = 4
    while not (answer := ask(3, mine, epoch))[0]:
        assert answer == (0, mine, True)
        epoch += 1
    assert answer == (1, mine, False)


def test_a_throttled_answer_begins_no_fetch_session():
    scene = Throttled(consumer_byte_rate=1000.0)
    scene.broker.publish("t", b"x" * 6000)
    whole = fetch("t", 0)
    whole.session_epoch = 0
    sessions = scene.broker.cluster.fetch_sessions.by_id
    first = scene.ask_for(scene.alice, whole, 12)
    assert list(sessions) == [first.session_id]
    whole.session_id = first.session_id
    answer = scene.ask_for(scene.alice, whole, 12)
    assert (answer.session_id, answer.responses, answer.throttle_time_ms > 0) == (0, [], True)
    assert not sessions
    assert scene.alice.connection.caller.fetch_session is None


@pytest.mark.parametrize("committed", [False, True])
def test_a_fetch_waits_for_no_more_bytes_than_its_quota_lets_through(committed):
    scene = Throttled(consumer_byte_rate=1000.0)
    request = fetch("t", 0, wait=60_000)
    request.min_bytes, request.isolation_level = 1 << 20, int(committed)
    scene.ask(scene.alice, request, 12)
    for _ in range(3):
        scene.network.settle()
        assert scene.alice.take() == b""
        scene.broker.publish("t", b"x" * 3000)
    scene.broker.publish("t", b"x" * 3000)
    scene.network.settle()
    scene.alice.flush()
    answer = scene.answer(scene.alice, request.api_key, 12)
    assert (len(_records(answer)), answer.throttle_time_ms) == (3, 0)


@pytest.mark.parametrize(("version", "code", "least"), [(5, 0, 900), (6, 0, 0), (7, 0, 0)])
def test_topics_are_made_at_their_rate(version, code, least):
    scene = Throttled(controller_mutation_rate=1.0)
    assert (
        scene.ask_for(scene.alice, created("a", partitions=6, dry=False), version).throttle_time_ms
        == 0
    )
    answer = scene.ask_for(scene.alice, created("b", partitions=6, dry=False), version)
    assert (answer.topics[0].error_code, answer.throttle_time_ms >= least) == (code, True)
    if not answer.throttle_time_ms:
        answer = scene.ask_for(scene.alice, created("c", partitions=6, dry=False), version)
        assert (answer.topics[0].error_code, answer.topics[0].error_message) == (
            89,
            "The throttling quota has been exceeded.",
        )
        assert answer.throttle_time_ms == 1000
        assert not scene.broker.has_topic("c")


def test_deletions_count_too():
    scene = Throttled(controller_mutation_rate=1.0)
    scene.broker.create_topic("many", 12)
    delete = DeleteTopicsRequest(topic_names=["many"], timeout_ms=1)
    answer = scene.ask_for(scene.alice, delete, 4)
    assert (answer.responses[0].error_code, answer.throttle_time_ms) == (0, 1000)


def test_connections_that_come_too_fast_are_not_served_and_closed():
    scene = Scene()
    scene.broker.alter_quota([("ip", None)], {"connection_creation_rate": 1.0})
    clients = [scene.network.connect() for _ in range(11)]
    ids = {client.peer.id for client in clients}
    waiting = {one.id for one in scene.broker.connections() if one.state == "throttled"}
    assert waiting == {max(ids)}
    scene.clock.advance(2)
    assert clients[-1].peer.ended == "closed"
    assert "connection_creation_rate" in clients[-1].peer.reason
    assert not clients[0].peer.ended


def test_nothing_waits_for_the_end_of_a_throttle_whose_connection_is_over():
    clock = Noting()
    scene = Scene(clock=clock, configs={"connections.max.idle.ms": "-1"})
    scene.broker.create_topic("t", 1)
    scene.broker.alter_quota([("client-id", "shop")], {PRODUCE: 1.0})
    before = clock.waiting
    client = scene.network.connect()
    scene.ask(client, produce("t", b"v" * 1000), 9)
    assert clock.waiting == before + 1, "its next request would have to wait for a quarter hour"
    client.peer.close("it went")
    assert clock.waiting == before
    scene.broker.alter_quota([("ip", None)], {"connection_creation_rate": 1.0})
    before = clock.waiting
    clients = [scene.network.connect() for _ in range(11)]
    assert clock.waiting == before + 2, "the last one is not served, and closed in time"
    clients[-1].peer.close("it went")
    assert clock.waiting == before


def test_quotas_outlive_a_restart_and_not_a_reset():
    scene = Scene()
    scene.broker.alter_quota([("user", "alice")], {PRODUCE: 5.0})
    scene.broker.restart()
    assert list(scene.broker.cluster.quotas.by_entity) == [(("user", "alice"),)]
    scene.broker.reset()
    assert not scene.broker.cluster.quotas.active


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("response", "version"),
    [
        (one, version)
        for one, version in VERSIONS
        if one.api_key is not None
        and one is RESPONSES.get(one.api_key)
        and any(f.name == "throttle_time_ms" and version in f.versions for f in one.fields)
    ],
)
def test_the_time_is_written_wherever_an_answer_has_its_place_and_nothing_else_is(
    response, version, seed
):
    answer = value_of(response, version, Random(seed))
    pieces = response_pieces(answer, version, 7)
    write_time(response.api_key, version, pieces, 1.25)
    answer.throttle_time_ms = 1250
    assert b"".join(pieces) == encode_response(answer, version, 7)


@pytest.mark.parametrize("version", [4, 7, 12])
def test_a_fetch_that_takes_too_long_gets_its_records_after_its_time_and_not_with_it(version):
    scene = Scene(clock=Ticking(1_700_000_000.0))
    scene.broker.create_topic("t", 1)
    scene.broker.publish("t", b"v")
    scene.broker.alter_quota([("client-id", "shop")], {"request_percentage": 0.005})
    client = scene.network.connect()
    answers = []
    for _ in range(2):
        scene.ask(client, fetch("t", 0), version)
        scene.network.settle()
        answer = scene.answer(client, 1, version)
        answers.append((len(_records(answer)), answer.throttle_time_ms))
        scene.clock.advance(12)
        scene.network.settle()
    assert answers == [(0, 1000), (0, 1000)]
    scene.broker.alter_quota([("client-id", "shop")], {"request_percentage": 50.0})
    assert len(_records(scene.ask_as("shop", client, fetch("t", 0), version))) == 1


@pytest.mark.parametrize("version", [11, 17])
def test_a_broker_that_follows_waits_for_no_quota_also_where_its_session_is_not_there(version):
    scene = Scene(clock=Ticking(1_700_000_000.0))
    scene.broker.create_topic("t", 1)
    scene.broker.publish("t", b"v")
    scene.broker.alter_quota([("client-id", "shop")], {"request_percentage": 0.005})
    request = fetch("t", 0, topic_id=scene.broker.cluster.topics["t"].topic_id)
    if version < 15:
        request.replica_id = 2
    else:
        request.replica_state = ReplicaState(replica_id=2)
    client = scene.network.connect()
    answer = scene.ask_as("shop", client, request, version)
    assert (len(_records(answer)), answer.throttle_time_ms) == (1, 0)
    request.session_id, request.session_epoch = 7, 3
    answer = scene.ask_as("shop", client, request, version)
    assert (answer.error_code, answer.throttle_time_ms) == (
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        0,
    )


def test_the_time_of_a_fetch_that_waits_for_records_is_that_until_it_waited():
    scene = Scene(clock=Ticking(1_700_000_000.0))
    scene.broker.create_topic("t", 1)
    scene.broker.alter_quota([("client-id", "shop")], {"request_percentage": 1.0})
    client = scene.network.connect()
    scene.ask(client, fetch("t", 0, wait=60_000), 12)
    scene.clock.advance(30)
    scene.broker.publish("t", b"v")
    scene.network.settle()
    client.flush()
    answer = scene.answer(client, 1, 12)
    assert (len(_records(answer)), answer.throttle_time_ms) == (1, 0)


def test_who_was_not_seen_for_the_longest_time_makes_room_for_what_is_measured():
    clock = ManualClock()
    quotas = Quotas(clock)
    quotas.alter([("client-id", None)], [("controller_mutation_rate", 1.0), (PRODUCE, 10.0)])
    quotas.charge(PRODUCE, "u", "busy", 1000.0)
    quotas.mutate("u", "busy", 100, strict=False)
    for number in range(10_050):
        quotas.charge(PRODUCE, "u", f"c{number}", 1.0)
        quotas.mutate("u", f"c{number}", 1, strict=False)
        if number % 1000 == 0:
            assert quotas.charge(PRODUCE, "u", "busy", 0.0) > 0
            assert quotas.mutate("u", "busy", 0, strict=False) > 0
    assert len(quotas.used()) == 10_000
    assert len(quotas._buckets) == 10_000
