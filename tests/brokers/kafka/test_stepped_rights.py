"""Requests about many ACLs, quotas and credentials: in steps, between which much may happen."""

import hashlib

import pytest
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.wire.messages.acls import (
    AclCreation,
    CreateAclsRequest,
    DeleteAclsFilter,
    DeleteAclsRequest,
    DescribeAclsRequest,
)
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.quotas import (
    AlterClientQuotasRequest,
    AlteredQuota,
    DescribeClientQuotasRequest,
    QuotaComponent,
    QuotaEntity,
    QuotaOperation,
)
from mockforge_brokers.kafka.wire.messages.scram import (
    AlterUserScramCredentialsRequest,
    DescribeUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from mockforge_brokers.permissions import KAFKA_ANONYMOUS, Rule

from .scene import Scene, Turning

NAMES = [f"n{number}" for number in range(40)]
TOPIC, LITERAL, READ, ALLOW, ANY = 2, 3, 3, 3, 1


def acls_made(names=NAMES):
    return CreateAclsRequest(
        creations=[
            AclCreation(
                resource_type=TOPIC,
                resource_name=name,
                resource_pattern_type=LITERAL,
                principal="User:alice",
                host="*",
                operation=READ,
                permission_type=ALLOW,
            )
            for name in names
        ]
    )


def acls_deleted(names=NAMES, *, operation=READ):
    return DeleteAclsRequest(
        filters=[
            DeleteAclsFilter(
                resource_type_filter=TOPIC,
                resource_name_filter=name,
                pattern_type_filter=LITERAL,
                principal_filter="User:alice",
                host_filter="*",
                operation=operation,
                permission_type=ALLOW,
            )
            for name in names
        ]
    )


def acls_described():
    return DescribeAclsRequest(
        resource_type_filter=TOPIC,
        resource_name_filter=None,
        pattern_type_filter=ANY,
        principal_filter="User:alice",
        host_filter=None,
        operation=ANY,
        permission_type=ANY,
    )


def quotas_set():
    return AlterClientQuotasRequest(
        entries=[
            AlteredQuota(
                entity=[QuotaEntity(entity_type="client-id", entity_name=name)],
                ops=[QuotaOperation(key="producer_byte_rate", value=1e6, remove=False)],
            )
            for name in NAMES
        ],
        validate_only=False,
    )


def quotas_described():
    component = QuotaComponent(entity_type="client-id", match_type=2, match=None)
    return DescribeClientQuotasRequest(components=[component], strict=False)


SALTED = hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 4096)


def credentials_made():
    return AlterUserScramCredentialsRequest(
        deletions=[],
        upsertions=[
            ScramCredentialUpsertion(
                name=name, mechanism=1, iterations=4096, salt=b"salt", salted_password=SALTED
            )
            for name in NAMES
        ],
    )


def credentials_deleted():
    return AlterUserScramCredentialsRequest(
        deletions=[ScramCredentialDeletion(name=name, mechanism=1) for name in NAMES],
        upsertions=[],
    )


def credentials_described():
    return DescribeUserScramCredentialsRequest(users=None)


@pytest.fixture
def scene():
    """In which each step takes a turn of the loop."""
    scene = Scene(clock=Turning())
    access = scene.environment.access
    access.restrict("kafka", {KAFKA_ANONYMOUS})
    scene.environment.turn.length = -1.0
    return scene


def later(scene):
    scene.clock.advance(0)
    scene.network.settle()
    assert not scene.environment.chores.waiting


def done(scene, request, version):
    client = scene.network.connect()
    scene.ask(client, request, version)
    later(scene)
    return scene.answer(client, request.api_key, version)


@pytest.mark.parametrize(
    ("before", "request_", "version", "about"),
    [
        (None, acls_made(), 3, lambda answer: answer.results),
        ((acls_made(), 3), acls_described(), 3, lambda answer: answer.resources),
        ((acls_made(), 3), acls_deleted(), 3, lambda answer: answer.filter_results),
        ((acls_made(), 3), acls_deleted(operation=ANY), 3, lambda answer: answer.filter_results),
        (None, quotas_set(), 1, lambda answer: answer.entries),
        ((quotas_set(), 1), quotas_described(), 1, lambda answer: answer.entries),
        (None, credentials_made(), 0, lambda answer: answer.results),
        ((credentials_made(), 0), credentials_deleted(), 0, lambda answer: answer.results),
        ((credentials_made(), 0), credentials_described(), 0, lambda answer: answer.results),
    ],
    ids=lambda of: type(of).__name__ if hasattr(of, "api_key") else "",
)
def test_others_are_answered_while_much_is_done(scene, before, request_, version, about):
    if before is not None:
        done(scene, *before)
    client, other = scene.network.connect(), scene.network.connect()
    scene.ask(client, request_, version)
    scene.ask(other, MetadataRequest(topics=[]), 12)
    assert not client.peek()
    assert scene.answer(other, ApiKey.METADATA, 12).topics == []
    later(scene)
    answer = scene.answer(client, request_.api_key, version)
    assert len(about(answer)) == len(NAMES)
    assert not any(getattr(one, "error_code", 0) for one in about(answer))


def listed(scene):
    return [one.resource_name for one in done(scene, acls_described(), 3).resources]


@pytest.mark.parametrize("turns", [1, 20, 60, 75])
def test_acls_that_are_made_twice_at_once_are_there_once(scene, turns):
    client, other = scene.network.connect(), scene.network.connect()
    scene.ask(client, acls_made(), 3)
    for _ in range(turns):
        scene.clock.turn()
    scene.ask(other, acls_made(NAMES[:20]), 3)
    later(scene)
    assert sorted(listed(scene)) == sorted(NAMES)


@pytest.mark.parametrize("operation", [READ, ANY])
@pytest.mark.parametrize("turns", [1, 50, 100, 150])
def test_acls_that_are_deleted_twice_at_once_are_gone_and_the_others_stay(scene, turns, operation):
    done(scene, acls_made(), 3)
    client, other = scene.network.connect(), scene.network.connect()
    scene.ask(client, acls_deleted(NAMES[:20], operation=operation), 3)
    for _ in range(turns):
        scene.clock.turn()
    scene.ask(other, acls_deleted(NAMES[10:30], operation=operation), 3)
    later(scene)
    assert sorted(listed(scene)) == sorted(NAMES[30:])
    answers = [
        [
            acl.resource_name
            for one in scene.answer(each, ApiKey.DELETE_ACLS, 3).filter_results
            for acl in one.matching_acls
        ]
        for each in (client, other)
    ]
    # Each was deleted by one of them.
    assert sorted(answers[0] + answers[1]) == sorted(NAMES[:30])


@pytest.mark.parametrize("protocol", ["kafka", "amqp"])
@pytest.mark.parametrize(
    ("before", "request_", "left"),
    [(None, acls_made(), NAMES), (acls_made(), acls_deleted(), [])],
    ids=["made", "deleted"],
)
def test_acls_change_though_others_change_rules_all_the_time(
    scene, before, request_, left, protocol
):
    if before is not None:
        done(scene, before, 3)
    access, client = scene.environment.access, scene.network.connect()
    scene.ask(client, request_, 3)
    turns = 0
    while not client.peek():
        turns += 1
        assert turns < 2000
        access.add_rule(Rule(True, "bob", frozenset(("read",)), protocol, f"t{turns}"))
        scene.clock.turn()
        scene.network.settle()
    assert sorted(listed(scene)) == sorted(left)
    assert len(access.rules) == len(left) + turns


@pytest.mark.parametrize("turns", range(0, 160, 7))
def test_acls_that_go_while_they_are_made_are_there(scene, turns):
    done(scene, acls_made(), 3)
    client = scene.network.connect()
    scene.ask(client, acls_made(), 3)
    for _ in range(turns):
        scene.clock.turn()
    if client.peek():
        return
    access = scene.environment.access
    for number in list(access.rules):
        access.remove_rule(number)
    later(scene)
    assert sorted(listed(scene)) == sorted(NAMES)


@pytest.mark.parametrize(
    ("request_", "version", "count"),
    [
        (quotas_set(), 1, lambda scene: len(scene.broker.cluster.quotas.by_entity)),
        (credentials_made(), 0, lambda scene: len(scene.environment.access.users)),
    ],
    ids=["quotas", "credentials"],
)
def test_nobody_sees_half_of_what_is_altered(scene, request_, version, count):
    client, seen = scene.network.connect(), []
    scene.ask(client, request_, version)
    while not client.peek():
        seen.append(count(scene))
        scene.clock.turn()
        scene.network.settle()
    assert len(seen) > len(NAMES)
    assert {*seen, count(scene)} == {0, len(NAMES)}


def test_who_hears_of_quotas_hears_once_of_all_in_a_request(scene):
    heard = []
    scene.broker.cluster.quotas.on_change(lambda: heard.append(1))
    done(scene, quotas_set(), 1)
    assert heard == [1]


def test_of_a_user_who_goes_meanwhile_no_credential_is_deleted(scene):
    done(scene, credentials_made(), 0)
    client = scene.network.connect()
    scene.ask(client, credentials_deleted(), 0)
    for _ in range(10):
        scene.clock.turn()
    scene.environment.access.remove_user(NAMES[-1])
    later(scene)
    answer = scene.answer(client, ApiKey.ALTER_USER_SCRAM_CREDENTIALS, 0)
    codes = {one.user: one.error_code for one in answer.results}
    assert codes == dict.fromkeys(NAMES, 0) | {NAMES[-1]: ErrorCode.RESOURCE_NOT_FOUND}
    assert scene.environment.access.users == {}
