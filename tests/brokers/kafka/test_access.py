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
from mockforge_brokers.limits import Limits
from msgspec.structs import replace

from .scene import Scene, fetch, produce

METADATA = MetadataRequest(topics=None)
RIGHT = b"\0alice\0secret"
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Guarded(Scene):
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
    scene = Guarded()
    client = scene.client()
    assert (scene.last.error_code, scene.last.error_message) == (0, "")
    assert scene.ask_for(client, METADATA, 9).controller_id == 1
    (view,) = scene.broker.connections()
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
    scene = Guarded()
    client = scene.client(token)
    assert scene.last.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
    assert scene.last.error_message == text
    scene.clock.advance(0)
    assert client.peer.ended == "closed"
    (event,) = scene.denied
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


def scram(scene, mechanism, proof):
    """A client that goes through SCRAM; returns it with the last answer."""
    client = scene.network.connect()
    scene.ask_for(client, SaslHandshakeRequest(mechanism=mechanism), 1)
    first = scene.ask_for(client, SaslAuthenticateRequest(auth_bytes=proof.first), 2)
    if first.error_code:
        return client, first
    final = SaslAuthenticateRequest(auth_bytes=proof.final(first.auth_bytes))
    return client, scene.ask_for(client, final, 2)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram_proves_both_sides_and_opens_the_way(mechanism):
    scene = Guarded()
    proof = ScramClient(mechanism)
    client, last = scram(scene, mechanism, proof)
    assert (last.error_code, last.auth_bytes) == (0, proof.expected)
    assert scene.ask_for(client, METADATA, 9).controller_id == 1
    (view,) = scene.broker.connections()
    assert (view.principal.name, view.principal.mechanism) == ("alice", mechanism)


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (ScramClient("SCRAM-SHA-256", password="wrong"), "wrong password"),
        (ScramClient("SCRAM-SHA-256", user="bob"), "no user bob"),
    ],
)
def test_who_cannot_prove_it_is_refused_with_kafkas_words(proof, why):
    scene = Guarded()
    client, last = scram(scene, "SCRAM-SHA-256", proof)
    assert (last.error_code, last.error_message) == (
        ErrorCode.SASL_AUTHENTICATION_FAILED,
        "Authentication failed during authentication due to invalid credentials with SASL"
        " mechanism SCRAM-SHA-256",
    )
    scene.clock.advance(0)
    assert client.peer.ended == "closed"
    assert why in scene.denied[0].reason


@pytest.mark.parametrize("token", [b"", b"\xff", b"n,,n=alice", b"p=tls,,n=alice,r=x", b"n,,"])
def test_what_is_no_scram_is_refused(token):
    scene = Guarded()
    client = scene.network.connect()
    scene.ask_for(client, SaslHandshakeRequest(mechanism="SCRAM-SHA-512"), 1)
    answer = scene.ask_for(client, SaslAuthenticateRequest(auth_bytes=token), 2)
    assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED


@pytest.mark.parametrize("final", ["c=biws,r={},p=é", "c=é,r={},p=biws", "c=biws,r={},p=b"])
def test_a_proof_that_is_no_base64_is_refused(final):
    scene = Guarded()
    client = scene.network.connect()
    scene.ask_for(client, SaslHandshakeRequest(mechanism="SCRAM-SHA-256"), 1)
    first = ScramClient("SCRAM-SHA-256").first
    answer = scene.ask_for(client, SaslAuthenticateRequest(auth_bytes=first), 2)
    nonce = answer.auth_bytes.decode().partition(",")[0][2:]
    token = final.format(nonce).encode()
    answer = scene.ask_for(client, SaslAuthenticateRequest(auth_bytes=token), 2)
    assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
    assert scene.denied[0].reason == "a message has what is not base64"


def test_scram_of_old_clients_goes_by_bare_tokens():
    scene = Guarded()
    client = scene.network.connect()
    proof = ScramClient("SCRAM-SHA-256")
    scene.ask_for(client, SaslHandshakeRequest(mechanism="SCRAM-SHA-256"), 0)

    def bare(token):
        client.send(len(token).to_bytes(4, "big") + token)
        return client.take()[4:]

    assert bare(proof.final(bare(proof.first))) == proof.expected
    assert scene.ask_for(client, METADATA, 1).controller_id == 1


def test_bare_tokens_of_old_clients_are_answered_bare():
    scene = Guarded()
    client = scene.network.connect()
    scene.ask_for(client, SaslHandshakeRequest(mechanism="PLAIN"), 0)
    client.send(len(RIGHT).to_bytes(4, "big") + RIGHT)
    assert client.take() == b"\0\0\0\0"
    assert scene.ask_for(client, METADATA, 1).controller_id == 1


def test_a_bare_token_that_is_wrong_ends_the_connection_without_a_word():
    scene = Guarded()
    client = scene.network.connect()
    scene.ask_for(client, SaslHandshakeRequest(mechanism="PLAIN"), 0)
    client.send(b"\0\0\0\x05\0a\0b.")
    assert client.take() == b""
    assert client.peer.ended == "closed"


def test_before_the_login_only_versions_may_be_asked_for():
    scene = Guarded()
    client = scene.network.connect()
    versions = ApiVersionsRequest(client_software_name="x", client_software_version="1")
    assert scene.ask_for(client, versions, 3).error_code == 0
    scene.ask(client, METADATA, 9)
    assert client.take() == b""
    assert "Metadata came before the client logged in by SASL" in client.peer.reason
    assert scene.denied[0].reason.startswith("SASL is wanted here")


def test_another_mechanism_is_refused_with_those_that_there_are():
    scene = Guarded()
    client = scene.network.connect()
    answer = scene.ask_for(client, SaslHandshakeRequest(mechanism="GSSAPI"), 1)
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
    scene = Guarded("allow alice all kafka:*")
    client = scene.network.connect()
    versions = {SaslHandshakeRequest: 1, SaslAuthenticateRequest: 2, MetadataRequest: 9}
    for each in before:
        assert scene.ask_for(client, each, versions[type(each)]).error_code == 0
    version = versions.get(type(request_), 3)
    scene.ask(client, request_, version)
    if code is None:
        assert client.peek() == b""
    else:
        answer = scene.answer(client, request_.api_key, version)
        assert answer.error_code == code
        if says is not None:
            said = getattr(answer, "mechanisms", getattr(answer, "error_message", None))
            assert said == says
    scene.clock.advance(0)
    assert bool(client.peer.ended) is ends
    if not ends:
        assert scene.ask_for(client, METADATA, 9).controller_id == 1
        assert client.peer.principal.name == "alice"


def test_what_names_too_much_before_the_login_is_not_read_to_be_refused():
    scene = Guarded(limits=Limits(kafka_request_items=10))
    client = scene.network.connect()
    scene.ask_for(client, HANDSHAKE, 1)
    topics = [MetadataRequestTopic(name=f"t{number}") for number in range(11)]
    scene.ask(client, MetadataRequest(topics=topics), 9)
    assert client.peer.reason.startswith("MetadataRequest v9 names more than 10 things at once")
    assert client.take() == b""
    views = {view.name: view for view in scene.environment.usage.views()}
    assert views["kafka_request_items"].met == 1


def test_where_nobody_is_to_log_in_sasl_is_an_illegal_state():
    scene = Scene()
    answer = scene.call(SaslHandshakeRequest(mechanism="PLAIN"), 1)
    assert answer.error_code == ErrorCode.ILLEGAL_SASL_STATE
    answer = scene.call(SaslAuthenticateRequest(auth_bytes=RIGHT), 1)
    assert answer.error_code == ErrorCode.ILLEGAL_SASL_STATE


def test_a_certificate_is_a_login():
    scene = Guarded("allow CN=robot,O=x all kafka:*")
    client = scene.network.connect()
    client.peer.principal = replace(client.peer.principal, certificate="CN=robot,O=x")
    assert scene.ask_for(client, METADATA, 9).controller_id == 1
    assert client.peer.principal.name == "CN=robot,O=x"


def test_anonymous_clients_and_users_may_be_let_in_side_by_side():
    scene = Guarded()
    scene.access.anonymous.add("kafka")
    assert scene.call(METADATA, 9).controller_id == 1
    scene.client()
    assert scene.last.error_code == 0


# Rights ------------------------------------------------------------------------------------


def error_of_produce(answer):
    return answer.responses[0].partition_responses[0].error_code


def test_who_produces_needs_write_also_on_the_short_path():
    scene = Guarded("allow alice write kafka:mine", "allow alice write kafka:taken")
    for topic in ("mine", "other", "taken"):
        scene.broker.create_topic(topic, 1)
    client = scene.client()
    for topic, code in (("mine", 0), ("other", 29), ("taken", 0), ("taken", 0)):
        assert error_of_produce(scene.ask_for(client, produce(topic, b"v"), 9)) == code
    assert client.connection.caller.produce_paths.last is not None
    scene.access.add_rule(rule_of("deny alice write kafka:taken"))
    assert error_of_produce(scene.ask_for(client, produce("taken", b"v"), 9)) == 29
    assert scene.broker.offsets("taken") == [(0, 2)]
    assert scene.denied[0].reason == "no rule allows it: allow alice write kafka:other"
    assert scene.denied[1].reason == "a rule denies it: deny alice write kafka:taken"


def test_who_fetches_needs_read():
    scene = Guarded("allow alice read kafka:mine", "allow alice write kafka:other")
    for topic in ("mine", "other"):
        scene.broker.create_topic(topic, 1)
        scene.broker.publish(topic, b"v")
    client = scene.client()
    for topic, code in (("mine", 0), ("other", 29)):
        answer = scene.ask_for(client, fetch(topic, 0), 11)
        assert answer.responses[0].partitions[0].error_code == code


@pytest.mark.parametrize(("topic", "code"), [("readable", 0), ("writable", 0), ("hidden", 29)])
def test_who_may_do_something_with_a_topic_may_know_of_it(topic, code):
    scene = Guarded("allow alice read kafka:readable", "allow alice write kafka:writable")
    for name in ("readable", "writable", "hidden"):
        scene.broker.create_topic(name, 1)
    client = scene.client()
    wanted = [MetadataRequestTopic(name=topic)]
    answer = scene.ask_for(client, MetadataRequest(topics=wanted), 9)
    assert answer.topics[0].error_code == code
    partition = ListOffsetsPartition(partition_index=0, timestamp=-1)
    offsets = ListOffsetsRequest(
        replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[partition])]
    )
    answer = scene.ask_for(client, offsets, 5)
    assert answer.topics[0].partitions[0].error_code == code
    answer = scene.ask_for(client, METADATA, 9)
    assert [one.name for one in answer.topics] == ["readable", "writable"]


def test_topics_are_made_and_deleted_by_who_may_configure_them():
    scene = Guarded("allow alice configure kafka:mine.*", "allow alice write kafka:other")
    client = scene.client()
    for name, code in (("mine.1", 0), ("other", 29)):
        topics = [CreatableTopic(name=name, num_partitions=1, replication_factor=1,
                                 assignments=[], configs=[])]  # fmt: skip
        made = scene.ask_for(client, CreateTopicsRequest(topics=topics, timeout_ms=1), 5)
        assert made.topics[0].error_code == code
    scene.broker.create_topic("other", 1)
    delete = DeleteTopicsRequest(topic_names=["mine.1", "other"], timeout_ms=1)
    gone = scene.ask_for(client, delete, 4)
    assert [one.error_code for one in gone.responses] == [0, 29]
    wanted = [MetadataRequestTopic(name=name) for name in ("mine.2", "other2")]
    answer = scene.ask_for(client, MetadataRequest(topics=wanted), 9)
    assert [topic.error_code for topic in answer.topics] == [0, 29]


@pytest.mark.parametrize(("group", "code"), [("billing", 0), ("audit", 30)])
def test_groups_are_for_who_may_read_them(group, code):
    scene = Guarded("allow alice read kafka:group:billing")
    client = scene.client()
    found = scene.ask_for(client, FindCoordinatorRequest(key=group), 3)
    assert found.error_code == code
    beat = HeartbeatRequest(group_id=group, generation_id=1, member_id="m")
    answer = scene.ask_for(client, beat, 4)
    assert answer.error_code == (code or ErrorCode.UNKNOWN_MEMBER_ID)
    described = scene.ask_for(client, DescribeGroupsRequest(groups=[group]), 5)
    assert described.groups[0].error_code == code
    assert scene.ask_for(client, ListGroupsRequest(), 4).groups == []


def test_every_api_that_is_shown_before_the_login_is_served():
    scene = Scene()
    keys = [key.api_key for key in scene.call(ApiVersionsRequest(), 2).api_keys]
    assert {ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE} <= set(keys)


def test_the_bits_of_what_is_allowed_follow_the_rules():
    def bits(*numbers):
        return sum(1 << number for number in numbers)

    scene = Guarded("allow alice read,write kafka:mine", "allow alice read kafka:group:billing")
    scene.broker.create_topic("mine", 1)
    client = scene.client()
    request = MetadataRequest(
        topics=[MetadataRequestTopic(name="mine")],
        include_topic_authorized_operations=True,
        include_cluster_authorized_operations=True,
    )
    answer = scene.ask_for(client, request, 9)
    assert answer.topics[0].topic_authorized_operations == bits(3, 4, 8, 10)
    assert answer.cluster_authorized_operations == 0
    groups = DescribeGroupsRequest(groups=["billing"], include_authorized_operations=True)
    assert scene.ask_for(client, groups, 5).groups[0].authorized_operations == bits(3, 8, 10)
