"""SASL PLAIN and authorization, with the codes and words of Apache Kafka."""

import hashlib
import hmac
from base64 import b64decode, b64encode

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.events import AccessDenied
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.wire.messages.cluster import (
    ApiVersionsRequest,
    MetadataRequest,
    MetadataRequestTopic,
)
from mockforge_brokers.kafka.wire.messages.groups import (
    DescribeGroupsRequest,
    FindCoordinatorRequest,
    HeartbeatRequest,
    ListGroupsRequest,
)
from mockforge_brokers.kafka.wire.messages.offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from mockforge_brokers.kafka.wire.messages.security import (
    SaslAuthenticateRequest,
    SaslHandshakeRequest,
)
from mockforge_brokers.kafka.wire.messages.topics import (
    CreatableTopic,
    CreateTopicsRequest,
    DeleteTopicsRequest,
)
from msgspec.structs import replace

from .stage import Stage, fetch, produce

METADATA = MetadataRequest(topics=None)
RIGHT = b"\0alice\0secret"
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Guarded(Stage):
    """Alice is the only user, and nobody may come without a login."""

    def __init__(self, *rules, **options):
        super().__init__(**options)
        self.access = self.environment.access
        self.access.add_user("alice", "secret")
        self.access.anonymous.clear()
        for rule in rules:
            self.access.add_rule(rule_of(rule))
        self.denied = []
        self.environment.spine.watch(self._hear)

    def _hear(self, event):
        if isinstance(event, AccessDenied):
            self.denied.append(event)

    def ask_for(self, client, message, version):
        self.ask(client, message, version)
        return self.answer(client, message.api_key, version)

    def client(self, token=RIGHT):
        client = self.network.connect()
        answer = self.ask_for(client, SaslHandshakeRequest(mechanism="PLAIN"), 1)
        assert (answer.error_code, answer.mechanisms) == (0, MECHANISMS)
        self.last = self.ask_for(client, SaslAuthenticateRequest(auth_bytes=token), 2)
        return client


def test_a_login_opens_the_way_for_all_requests():
    stage = Guarded()
    client = stage.client()
    assert (stage.last.error_code, stage.last.error_message) == (0, "")
    assert stage.ask_for(client, METADATA, 9).controller_id == 1
    (view,) = stage.broker.connections()
    assert (view.principal.name, view.principal.mechanism) == ("alice", "PLAIN")


REFUSED = [
    (b"\0alice\0wrong", "Authentication failed: Invalid username or password", "wrong password"),
    (b"\0bob\0secret", "Authentication failed: Invalid username or password", "no such user"),
    (
        b"bob\0alice\0secret",
        "Authentication failed: Client requested an authorization id that is different from"
        " username",
        "as bob",
    ),
    (b"\0\0secret", "Authentication failed: username not specified", "no username"),
    (b"\0alice\0", "Authentication failed: password not specified", "no password"),
    (b"alice", "Invalid SASL/PLAIN response: expected 3 tokens, got 1", "no PLAIN token"),
    (b"a\0b\0c\0d", "Invalid SASL/PLAIN response: expected 3 tokens, got 4", "no PLAIN token"),
]
"""What Apache Kafka 4.4 answers, each with error 58."""


@pytest.mark.parametrize(("token", "text", "why"), REFUSED)
def test_a_refused_login_is_answered_and_ends_the_connection(token, text, why):
    stage = Guarded()
    client = stage.client(token)
    assert stage.last.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
    assert stage.last.error_message == text
    stage.clock.advance(0)
    assert client.peer.ended == "closed"
    (event,) = stage.denied
    assert why in event.reason


class ScramClient:
    """The client's half of RFC 5802, by its own words."""

    def __init__(self, mechanism, user="alice", password="secret"):
        self.hash = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}[mechanism]
        self.password = password
        self.bare = f"n={user},r=fyko+d2lbbFgONRv9qkxdawL"
        self.first = b"n,," + self.bare.encode()

    def final(self, challenge):
        nonce, salt, count = (part[2:] for part in challenge.decode().split(",", 2))
        salted = hashlib.pbkdf2_hmac(self.hash, self.password.encode(), b64decode(salt), int(count))
        key = hmac.digest(salted, b"Client Key", self.hash)
        without = f"c=biws,r={nonce}"
        signed = f"{self.bare},{challenge.decode()},{without}".encode()
        signature = hmac.digest(hashlib.new(self.hash, key).digest(), signed, self.hash)
        server_key = hmac.digest(salted, b"Server Key", self.hash)
        self.expected = b"v=" + b64encode(hmac.digest(server_key, signed, self.hash))
        proof = b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
        return f"{without},p={proof}".encode()


def scram(stage, mechanism, proof):
    """A client that goes through SCRAM; returns it with the last answer."""
    client = stage.network.connect()
    stage.ask_for(client, SaslHandshakeRequest(mechanism=mechanism), 1)
    first = stage.ask_for(client, SaslAuthenticateRequest(auth_bytes=proof.first), 2)
    if first.error_code:
        return client, first
    final = SaslAuthenticateRequest(auth_bytes=proof.final(first.auth_bytes))
    return client, stage.ask_for(client, final, 2)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram_proves_both_sides_and_opens_the_way(mechanism):
    stage = Guarded()
    proof = ScramClient(mechanism)
    client, last = scram(stage, mechanism, proof)
    assert (last.error_code, last.auth_bytes) == (0, proof.expected)
    assert stage.ask_for(client, METADATA, 9).controller_id == 1
    (view,) = stage.broker.connections()
    assert (view.principal.name, view.principal.mechanism) == ("alice", mechanism)


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (ScramClient("SCRAM-SHA-256", password="wrong"), "wrong password"),
        (ScramClient("SCRAM-SHA-256", user="bob"), "no user bob"),
    ],
)
def test_who_cannot_prove_it_is_refused_with_kafkas_words(proof, why):
    stage = Guarded()
    client, last = scram(stage, "SCRAM-SHA-256", proof)
    assert (last.error_code, last.error_message) == (
        ErrorCode.SASL_AUTHENTICATION_FAILED,
        "Authentication failed during authentication due to invalid credentials with SASL"
        " mechanism SCRAM-SHA-256",
    )
    stage.clock.advance(0)
    assert client.peer.ended == "closed"
    assert why in stage.denied[0].reason


@pytest.mark.parametrize("token", [b"", b"\xff", b"n,,n=alice", b"p=tls,,n=alice,r=x", b"n,,"])
def test_what_is_no_scram_is_refused(token):
    stage = Guarded()
    client = stage.network.connect()
    stage.ask_for(client, SaslHandshakeRequest(mechanism="SCRAM-SHA-512"), 1)
    answer = stage.ask_for(client, SaslAuthenticateRequest(auth_bytes=token), 2)
    assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED


def test_scram_of_old_clients_goes_by_bare_tokens():
    stage = Guarded()
    client = stage.network.connect()
    proof = ScramClient("SCRAM-SHA-256")
    stage.ask_for(client, SaslHandshakeRequest(mechanism="SCRAM-SHA-256"), 0)

    def bare(token):
        client.send(len(token).to_bytes(4, "big") + token)
        return client.take()[4:]

    assert bare(proof.final(bare(proof.first))) == proof.expected
    assert stage.ask_for(client, METADATA, 1).controller_id == 1


def test_bare_tokens_of_old_clients_are_answered_bare():
    stage = Guarded()
    client = stage.network.connect()
    stage.ask_for(client, SaslHandshakeRequest(mechanism="PLAIN"), 0)
    client.send(len(RIGHT).to_bytes(4, "big") + RIGHT)
    assert client.take() == b"\0\0\0\0"
    assert stage.ask_for(client, METADATA, 1).controller_id == 1


def test_a_bare_token_that_is_wrong_ends_the_connection_without_a_word():
    stage = Guarded()
    client = stage.network.connect()
    stage.ask_for(client, SaslHandshakeRequest(mechanism="PLAIN"), 0)
    client.send(b"\0\0\0\x05\0a\0b.")
    assert client.take() == b""
    assert client.peer.ended == "closed"


def test_before_the_login_only_versions_may_be_asked_for():
    stage = Guarded()
    client = stage.network.connect()
    versions = ApiVersionsRequest(client_software_name="x", client_software_version="1")
    assert stage.ask_for(client, versions, 3).error_code == 0
    stage.ask(client, METADATA, 9)
    assert client.take() == b""
    assert "Metadata came before the client logged in by SASL" in client.peer.reason
    assert stage.denied[0].reason.startswith("SASL is wanted here")


def test_another_mechanism_is_refused_with_those_that_there_are():
    stage = Guarded()
    client = stage.network.connect()
    answer = stage.ask_for(client, SaslHandshakeRequest(mechanism="GSSAPI"), 1)
    assert answer.error_code == ErrorCode.UNSUPPORTED_SASL_MECHANISM
    assert answer.mechanisms == MECHANISMS


HANDSHAKE = SaslHandshakeRequest(mechanism="PLAIN")
LOGIN = SaslAuthenticateRequest(auth_bytes=RIGHT)
AFTER = "SaslAuthenticate request received after successful authentication"
VERSIONS = ApiVersionsRequest(client_software_name="x", client_software_version="1")
OUT_OF_TURN = [
    # what came before, what comes out of turn, error code, what the answer says, who ends
    ([], LOGIN, None, None, True),
    ([], METADATA, None, None, True),
    ([HANDSHAKE], HANDSHAKE, 34, [], True),
    ([HANDSHAKE], VERSIONS, 34, None, True),
    ([HANDSHAKE], METADATA, 0, None, True),
    ([HANDSHAKE, LOGIN], HANDSHAKE, 34, [], False),
    ([HANDSHAKE, LOGIN], SaslHandshakeRequest(mechanism="SCRAM-SHA-256"), 34, [], False),
    ([HANDSHAKE, LOGIN], LOGIN, 34, AFTER, False),
    ([HANDSHAKE, LOGIN], SaslAuthenticateRequest(auth_bytes=b"\0bob\0x"), 34, AFTER, False),
]
"""Asked of Apache Kafka 4.4 with SASL_PLAINTEXT; Metadata v9 has no error code of its own."""


@pytest.mark.parametrize(("before", "request_", "code", "says", "ends"), OUT_OF_TURN)
def test_what_comes_out_of_turn_is_answered_as_kafka_answers_it(before, request_, code, says, ends):
    stage = Guarded("allow alice all kafka:*")
    client = stage.network.connect()
    versions = {SaslHandshakeRequest: 1, SaslAuthenticateRequest: 2, MetadataRequest: 9}
    for each in before:
        assert stage.ask_for(client, each, versions[type(each)]).error_code == 0
    version = versions.get(type(request_), 3)
    stage.ask(client, request_, version)
    if code is None:
        assert client.peek() == b""
    else:
        answer = stage.answer(client, request_.api_key, version)
        assert answer.error_code == code
        if says is not None:
            said = getattr(answer, "mechanisms", getattr(answer, "error_message", None))
            assert said == says
    stage.clock.advance(0)
    assert bool(client.peer.ended) is ends
    if not ends:
        assert stage.ask_for(client, METADATA, 9).controller_id == 1
        assert client.peer.principal.name == "alice"


def test_where_nobody_is_to_log_in_sasl_is_an_illegal_state():
    stage = Stage()
    answer = stage.call(SaslHandshakeRequest(mechanism="PLAIN"), 1)
    assert answer.error_code == ErrorCode.ILLEGAL_SASL_STATE
    answer = stage.call(SaslAuthenticateRequest(auth_bytes=RIGHT), 1)
    assert answer.error_code == ErrorCode.ILLEGAL_SASL_STATE


def test_a_certificate_is_a_login():
    stage = Guarded("allow CN=robot,O=x all kafka:*")
    client = stage.network.connect()
    client.peer.principal = replace(client.peer.principal, certificate="CN=robot,O=x")
    assert stage.ask_for(client, METADATA, 9).controller_id == 1
    assert client.peer.principal.name == "CN=robot,O=x"


def test_anonymous_clients_and_users_may_be_let_in_side_by_side():
    stage = Guarded()
    stage.access.anonymous.add("kafka")
    assert stage.call(METADATA, 9).controller_id == 1
    stage.client()
    assert stage.last.error_code == 0


# Rights ------------------------------------------------------------------------------------


def error_of_produce(answer):
    return answer.responses[0].partition_responses[0].error_code


def test_who_produces_needs_write_also_on_the_short_path():
    stage = Guarded("allow alice write kafka:mine", "allow alice write kafka:taken")
    for topic in ("mine", "other", "taken"):
        stage.broker.create_topic(topic, 1)
    client = stage.client()
    for topic, code in (("mine", 0), ("other", 29), ("taken", 0), ("taken", 0)):
        assert error_of_produce(stage.ask_for(client, produce(topic, b"v"), 9)) == code
    assert client.connection.caller.produce_paths.last is not None
    stage.access.add_rule(rule_of("deny alice write kafka:taken"))
    assert error_of_produce(stage.ask_for(client, produce("taken", b"v"), 9)) == 29
    assert stage.broker.offsets("taken") == [(0, 2)]
    assert stage.denied[0].reason == "no rule allows it: allow alice write kafka:other"
    assert stage.denied[1].reason == "a rule denies it: deny alice write kafka:taken"


def test_who_fetches_needs_read():
    stage = Guarded("allow alice read kafka:mine", "allow alice write kafka:other")
    for topic in ("mine", "other"):
        stage.broker.create_topic(topic, 1)
        stage.broker.publish(topic, b"v")
    client = stage.client()
    for topic, code in (("mine", 0), ("other", 29)):
        answer = stage.ask_for(client, fetch(topic, 0), 11)
        assert answer.responses[0].partitions[0].error_code == code


@pytest.mark.parametrize(("topic", "code"), [("readable", 0), ("writable", 0), ("hidden", 29)])
def test_who_may_do_something_with_a_topic_may_know_of_it(topic, code):
    stage = Guarded("allow alice read kafka:readable", "allow alice write kafka:writable")
    for name in ("readable", "writable", "hidden"):
        stage.broker.create_topic(name, 1)
    client = stage.client()
    wanted = [MetadataRequestTopic(name=topic)]
    answer = stage.ask_for(client, MetadataRequest(topics=wanted), 9)
    assert answer.topics[0].error_code == code
    partition = ListOffsetsPartition(partition_index=0, timestamp=-1)
    offsets = ListOffsetsRequest(
        replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[partition])]
    )
    answer = stage.ask_for(client, offsets, 5)
    assert answer.topics[0].partitions[0].error_code == code
    answer = stage.ask_for(client, METADATA, 9)
    assert [one.name for one in answer.topics] == ["readable", "writable"]


def test_topics_are_made_and_deleted_by_who_may_configure_them():
    stage = Guarded("allow alice configure kafka:mine.*", "allow alice write kafka:other")
    client = stage.client()
    for name, code in (("mine.1", 0), ("other", 29)):
        topics = [CreatableTopic(name=name, num_partitions=1, replication_factor=1,
                                 assignments=[], configs=[])]  # fmt: skip
        made = stage.ask_for(client, CreateTopicsRequest(topics=topics, timeout_ms=1), 5)
        assert made.topics[0].error_code == code
    stage.broker.create_topic("other", 1)
    delete = DeleteTopicsRequest(topic_names=["mine.1", "other"], timeout_ms=1)
    gone = stage.ask_for(client, delete, 4)
    assert [one.error_code for one in gone.responses] == [0, 29]
    wanted = [MetadataRequestTopic(name=name) for name in ("mine.2", "other2")]
    answer = stage.ask_for(client, MetadataRequest(topics=wanted), 9)
    assert [topic.error_code for topic in answer.topics] == [0, 29]


@pytest.mark.parametrize(("group", "code"), [("billing", 0), ("audit", 30)])
def test_groups_are_for_who_may_read_them(group, code):
    stage = Guarded("allow alice read kafka:group:billing")
    client = stage.client()
    found = stage.ask_for(client, FindCoordinatorRequest(key=group), 3)
    assert found.error_code == code
    beat = HeartbeatRequest(group_id=group, generation_id=1, member_id="m")
    answer = stage.ask_for(client, beat, 4)
    assert answer.error_code == (code or ErrorCode.UNKNOWN_MEMBER_ID)
    described = stage.ask_for(client, DescribeGroupsRequest(groups=[group]), 5)
    assert described.groups[0].error_code == code
    assert stage.ask_for(client, ListGroupsRequest(), 4).groups == []


def test_every_api_that_is_shown_before_the_login_is_served():
    stage = Stage()
    keys = [key.api_key for key in stage.call(ApiVersionsRequest(), 2).api_keys]
    assert {ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE} <= set(keys)


def test_the_bits_of_what_is_allowed_follow_the_rules():
    def bits(*numbers):
        return sum(1 << number for number in numbers)

    stage = Guarded("allow alice read,write kafka:mine", "allow alice read kafka:group:billing")
    stage.broker.create_topic("mine", 1)
    client = stage.client()
    request = MetadataRequest(
        topics=[MetadataRequestTopic(name="mine")],
        include_topic_authorized_operations=True,
        include_cluster_authorized_operations=True,
    )
    answer = stage.ask_for(client, request, 9)
    assert answer.topics[0].topic_authorized_operations == bits(3, 4, 8, 10)
    assert answer.cluster_authorized_operations == 0
    groups = DescribeGroupsRequest(groups=["billing"], include_authorized_operations=True)
    assert stage.ask_for(client, groups, 5).groups[0].authorized_operations == bits(3, 8, 10)
