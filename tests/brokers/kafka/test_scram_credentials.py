"""Users by SCRAM credentials (KIP-554) as Apache Kafka keeps them, and what one node refuses."""

import hashlib

import pytest
from mockforge_brokers.kafka.wire.messages.nodes import (
    AddRaftVoterRequest,
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
    CreateDelegationTokenRequest,
    RaftVoterListener,
    RemoveRaftVoterRequest,
    RenewDelegationTokenRequest,
    UnregisterBrokerRequest,
)
from mockforge_brokers.kafka.wire.messages.scram import (
    AlterUserScramCredentialsRequest,
    DescribeUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
    UserName,
)

from .scene import Scene
from .test_access import Guarded, ScramClient, scram

SALT = b"salt of nobody"


def kept(name, mechanism=1, iterations=4096, password="secret", *, salted=None):
    hashed = {1: "sha256", 2: "sha512"}.get(mechanism, "sha256")
    if salted is None:
        salted = hashlib.pbkdf2_hmac(hashed, password.encode(), SALT, max(1, iterations))
    return ScramCredentialUpsertion(
        name=name, mechanism=mechanism, iterations=iterations, salt=SALT, salted_password=salted
    )


def gone(name, mechanism=1):
    return ScramCredentialDeletion(name=name, mechanism=mechanism)


def alter(call, *changes):
    request = AlterUserScramCredentialsRequest(
        deletions=[one for one in changes if isinstance(one, ScramCredentialDeletion)],
        upsertions=[one for one in changes if isinstance(one, ScramCredentialUpsertion)],
    )
    return [(one.user, one.error_code, one.error_message) for one in call(request, 0).results]


def described(call, *names):
    request = DescribeUserScramCredentialsRequest(
        users=[UserName(name=name) for name in names] if names else None
    )
    return [
        (one.user, one.error_code, [(i.mechanism, i.iterations) for i in one.credential_infos])
        for one in call(request, 0).results
    ]


NO_SUCH = "Attempt to delete a user credential that does not exist"
ALTERED = [
    ([kept("carol", 1, 100)], 93, "Too few iterations"),
    ([kept("carol", 1, 20_000)], 93, "Too many iterations"),
    ([kept("carol", 0)], 33, "Unknown SCRAM mechanism"),
    ([kept("carol", 9)], 33, "Unknown SCRAM mechanism"),
    ([kept("")], 93, "Username must not be empty"),
    ([gone("")], 93, "Username must not be empty"),
    ([gone("carol", 9)], 33, "Unknown SCRAM mechanism"),
    ([gone("carol")], 91, NO_SUCH),
    ([gone("carol"), kept("carol", 2)], 91, NO_SUCH),
    (
        [kept("carol"), kept("carol", 2)],
        92,
        "A user credential cannot be altered twice in the same request",
    ),
    ([kept("carol", salted=b"")], -1, None),
    ([kept("carol")], 0, None),
    # These Kafka takes: here rules mean everybody by them.
    ([kept("*")], 93, "'*' is no name for a user"),
    ([kept("anonymous")], 93, "'anonymous' is no name for a user"),
]
"""What Apache Kafka 4.4 answers, but for the last two."""


@pytest.mark.parametrize(("changes", "code", "text"), ALTERED)
def test_credentials_are_altered_or_refused_as_in_kafka(changes, code, text):
    scene = Scene()
    ((user, *said),) = alter(scene.call, *changes)
    assert said == [code, text]
    assert (user in scene.environment.access.users) is (code == 0)


def test_a_user_that_was_made_by_its_credentials_logs_in_by_scram_and_by_nothing_else():
    scene = Guarded()
    admin = scene.client()
    request = AlterUserScramCredentialsRequest(deletions=[], upsertions=[kept("carol", 1, 5000)])
    scene.ask_for(admin, request, 0)
    proof = ScramClient("SCRAM-SHA-256", user="carol")
    _, last = scram(scene, "SCRAM-SHA-256", proof)
    assert (last.error_code, last.auth_bytes) == (0, proof.expected)
    _, last = scram(scene, "SCRAM-SHA-512", ScramClient("SCRAM-SHA-512", user="carol"))
    assert last.error_code == 58
    scene.client(b"\0carol\0secret")
    assert scene.last.error_code == 58
    assert not scene.access.login("mqtt", "carol", "secret")
    assert not scene.access.login("kafka", "carol", "")


def test_users_of_the_one_table_are_described():
    scene = Guarded()
    scene.access.add_user("hashed", "$scrypt$ln=4,r=8,p=1$c2FsdA==$aGFzaA==")
    scene.access.add_user("guest", "guest", ("amqp",))
    client = scene.client()

    def call(message, version):
        return scene.ask_for(client, message, version)

    # A plain password is as good for SCRAM as credentials; a hash and AMQP's users are not.
    assert described(call) == [("alice", 0, [(1, 4096), (2, 4096)])]
    alter(call, kept("carol", 2, 8192))
    assert described(call, "carol", "hashed", "guest", "nobody") == [
        ("carol", 0, [(2, 8192)]),
        ("hashed", 91, []),
        ("guest", 91, []),
        ("nobody", 91, []),
    ]
    assert described(call, "carol", "carol") == [("carol", 92, [])]


def test_credentials_that_are_deleted_let_nobody_in_and_the_last_takes_the_user_along():
    scene = Guarded()
    client = scene.client()

    def call(message, version):
        return scene.ask_for(client, message, version)

    alter(call, gone("alice", 1))
    assert described(call) == [("alice", 0, [(2, 4096)])]
    _, last = scram(scene, "SCRAM-SHA-256", ScramClient("SCRAM-SHA-256"))
    assert last.error_code == 58
    scene.client()
    assert scene.last.error_code == 0, "its password is still good for PLAIN"
    alter(call, kept("carol"))
    assert alter(call, gone("carol")) == [("carol", 0, None)]
    assert "carol" not in scene.access.users


def test_a_user_of_amqp_keeps_its_password_when_it_gets_credentials():
    scene = Scene()
    scene.environment.access.add_user("guest", "guest", ("amqp",))
    alter(scene.call, kept("guest"))
    assert scene.environment.access.login("amqp", "guest", "guest")
    assert described(scene.call) == [("guest", 0, [(1, 4096), (2, 4096)])]


# What is refused as Apache Kafka refuses it ------------------------------------------------


DIRECTORY = bytes(range(16))


def voter(cluster_id=None, name="CONTROLLER"):
    listener = RaftVoterListener(name=name, host="h", port=1)
    return AddRaftVoterRequest(
        cluster_id=cluster_id,
        timeout_ms=1,
        voter_id=5,
        voter_directory_id=DIRECTORY,
        listeners=[listener],
    )


@pytest.mark.parametrize(
    ("request_", "version", "code"),
    [
        (UnregisterBrokerRequest(broker_id=7), 0, 102),
        (UnregisterBrokerRequest(broker_id=1), 0, 42),
        (voter("x"), 1, 104),
        (voter(name="C"), 1, 42),
        (voter(), 0, 35),
        (RemoveRaftVoterRequest(cluster_id=None, voter_id=5, voter_directory_id=DIRECTORY), 0, 35),
        (CreateDelegationTokenRequest(renewers=[], max_lifetime_ms=-1), 3, 64),
        (RenewDelegationTokenRequest(hmac=b"x", renew_period_ms=-1), 2, 64),
    ],
)
def test_what_one_node_cannot_do_is_refused_as_kafka_refuses_it(request_, version, code):
    assert Scene().call(request_, version).error_code == code


def test_delegation_tokens_are_disabled_for_who_has_logged_in():
    scene = Guarded()
    request = CreateDelegationTokenRequest(renewers=[], max_lifetime_ms=-1)
    answer = scene.ask_for(scene.client(), request, 3)
    assert (answer.error_code, answer.principal_name, answer.issue_timestamp_ms) == (61, "alice", 0)


@pytest.mark.parametrize(
    ("path", "index", "code"), [("/memory", 0, 0), ("/memory", 9, 3), ("/x", 0, 57)]
)
def test_replicas_lie_in_the_one_directory(path, index, code):
    scene = Scene()
    scene.broker.create_topic("t", 1)
    wanted = AlterReplicaLogDir(
        path=path, topics=[AlterReplicaLogDirTopic(name="t", partitions=[index])]
    )
    (topic,) = scene.call(AlterReplicaLogDirsRequest(dirs=[wanted]), 2).results
    assert [one.error_code for one in topic.partitions] == [code]
