"""ACLs: what each right opens, as in Apache Kafka, and how they are kept."""

import json
from functools import partial

import pytest
from mockforge_brokers.access import Access, Guard
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.fairness import finished
from mockforge_brokers.kafka.acls import AclFilter, allows_some, covers, delete, listed, missing
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.configs.broker import started_with
from mockforge_brokers.kafka.wire.messages.acls import (
    AclCreation,
    CreateAclsRequest,
    DeleteAclsFilter,
    DeleteAclsRequest,
    DescribeAclsRequest,
)
from mockforge_brokers.kafka.wire.messages.consumer_groups import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest,
)
from mockforge_brokers.kafka.wire.messages.transactions import DescribeTransactionsRequest
from mockforge_brokers.permissions import acl_of, rule_of
from msgspec.structs import replace

from ..calls import calls_of
from .authorizing import OPEN_GRANTS, RECORDED, RECORDED_OPEN, REQUESTS, grid
from .scene import produce
from .test_access import Guarded, error_of_produce

EXPECTED = json.loads(RECORDED.read_text())


class Authorized(Guarded):
    """Alice, and admin who is a super user."""

    def __init__(self, *rules, **options):
        super().__init__(*rules, **options)
        self.access.add_user("admin", "admin")
        self.access.restrict("kafka", ["admin"])

    def by(self, user, password="secret"):
        """Asks as a user, on a connection each."""

        def call(message, version):
            client = self.client(f"\0{user}\0{password}".encode())
            return self.ask_for(client, message, version)

        return call


@pytest.fixture(scope="module")
def said():
    scene = Authorized()
    return grid(scene.by("admin", "admin"), scene.by("alice"))


@pytest.mark.table
@pytest.mark.parametrize("name", REQUESTS)
def test_each_right_opens_what_it_opens_in_apache_kafka(said, name):
    assert said[name] == EXPECTED[name]


def test_what_no_acl_speaks_of_is_open_where_the_broker_is_started_so():
    options = started_with(KafkaOptions(), {"allow.everyone.if.no.acl.found": "true"})
    scene = Authorized(allow_everyone=options.allow_everyone)
    said = grid(scene.by("admin", "admin"), scene.by("alice"), OPEN_GRANTS, "bob")
    kafkas = json.loads(RECORDED_OPEN.read_text())
    # There Kafka shows its internal topics, too.
    del said["Metadata of all"], kafkas["Metadata of all"]
    assert said == kafkas


def entry(kind=2, name="x", pattern=3, principal="User:x", host="*", operation=3, permission=3):
    return AclCreation(
        resource_type=kind,
        resource_name=name,
        resource_pattern_type=pattern,
        principal=principal,
        host=host,
        operation=operation,
        permission_type=permission,
    )


def wanted(of=DescribeAclsRequest, kind=1, name=None, pattern=1, principal=None, host=None,
           operation=1, permission=1):  # fmt: skip
    return of(
        resource_type_filter=kind,
        resource_name_filter=name,
        pattern_type_filter=pattern,
        principal_filter=principal,
        host_filter=host,
        operation=operation,
        permission_type=permission,
    )


UNPARSED = (
    "Could not parse principal from `x` (no colon is present separating the principal type from"
    " the principal name)"
)
CREATED = [
    ({"name": ""}, 42, "Invalid empty resource name"),
    ({"kind": 4}, 42, "The only valid name for the CLUSTER resource is kafka-cluster"),
    ({"kind": 1}, -1, None),
    ({"kind": 9}, 42, "Invalid resourceType UNKNOWN"),
    ({"pattern": 1}, -1, None),
    ({"pattern": 2}, -1, None),
    ({"pattern": 9}, 42, "Invalid patternType UNKNOWN"),
    ({"principal": "x"}, 42, UNPARSED),
    ({"principal": "User:"}, 0, ""),
    ({"principal": ":a"}, 0, ""),
    ({"principal": "Group:g"}, 0, ""),
    ({"host": ""}, 42, "Host pattern cannot be null or empty"),
    ({"operation": 1}, -1, None),
    ({"operation": 2}, 0, ""),
    ({"operation": 9}, 0, ""),
    ({"operation": 16}, 42, "Invalid operation UNKNOWN"),
    ({"operation": 15}, 0, ""),
    ({"permission": 1}, -1, None),
    ({"permission": 7}, 42, "Invalid permissionType UNKNOWN"),
    ({"kind": 4, "name": "kafka-cluster"}, 0, ""),
    ({"kind": 7, "name": "u", "operation": 13}, 0, ""),
    ({"kind": 6, "name": "t"}, 0, ""),
    ({"kind": 3, "name": "g", "operation": 10}, 0, ""),
    ({"name": "a b"}, 0, ""),
    ({"name": "*", "pattern": 4}, 0, ""),
]
"""What Apache Kafka 4.4 says to an ACL that a super user adds."""


@pytest.mark.parametrize(("values", "code", "text"), CREATED)
def test_an_acl_is_added_or_refused_with_kafkas_words(values, code, text):
    call = Authorized().by("admin", "admin")
    (result,) = call(CreateAclsRequest(creations=[entry(**values)]), 3).results
    assert (result.error_code, result.error_message) == (code, text)
    found = call(wanted(), 3).resources
    assert len(found) == (code == 0)
    if found:
        (acl,) = found[0].acls
        made = entry(**values)
        assert (found[0].resource_type, found[0].resource_name, found[0].pattern_type) == (
            made.resource_type,
            made.resource_name,
            made.resource_pattern_type,
        )
        assert (acl.principal, acl.host, acl.operation, acl.permission_type) == (
            made.principal,
            made.host,
            made.operation,
            made.permission_type,
        )


@pytest.mark.parametrize(
    "message",
    [
        CreateAclsRequest(creations=[entry(kind=0)]),
        CreateAclsRequest(creations=[entry(permission=0)]),
        wanted(operation=0),
        DeleteAclsRequest(filters=[wanted(DeleteAclsFilter, pattern=0)]),
    ],
)
def test_kafkas_number_for_unknown_ends_the_connection(message):
    scene = Authorized()
    client = scene.client(b"\0admin\0admin")
    scene.ask(client, message, 3)
    assert client.take() == b""
    assert client.peer.ended == "closed"
    # Kafka sees it as it reads the request, so also where there is no authorizer to ask.
    scene = Guarded()
    client = scene.client()
    scene.ask(client, message, 3)
    assert client.take() == b""
    assert client.peer.ended == "closed"


ACLS = [
    entry(name="orders"),
    entry(name="orders", operation=4, permission=2, host="10.0.0.7"),
    entry(name="ord", pattern=4, principal="User:y"),
    entry(name="*"),
    entry(kind=3, name="orders"),
]


@pytest.mark.parametrize(
    ("values", "which"),
    [
        ({}, {0, 1, 2, 3, 4}),
        ({"kind": 2}, {0, 1, 2, 3}),
        ({"kind": 2, "name": "orders"}, {0, 1}),
        ({"kind": 2, "name": "orders", "pattern": 2}, {0, 1, 2, 3}),
        ({"kind": 2, "name": "ordered", "pattern": 2}, {2, 3}),
        ({"kind": 2, "name": "x", "pattern": 2}, {3}),
        ({"name": "orders", "pattern": 3}, {0, 1, 4}),
        ({"pattern": 4}, {2}),
        ({"principal": "User:y"}, {2}),
        ({"principal": "y"}, set()),
        ({"host": "10.0.0.7"}, {1}),
        ({"operation": 4}, {1}),
        ({"permission": 2}, {1}),
        ({"kind": 9}, set()),
        ({"pattern": 9}, set()),
    ],
)
def test_filters_find_and_delete_the_same(values, which):
    call = Authorized().by("admin", "admin")
    # Added twice: what is there already is kept as it is.
    for _ in range(2):
        call(CreateAclsRequest(creations=ACLS), 3)

    def all_of(resources):
        return {
            (one.resource_type, one.resource_name, one.pattern_type, *key(acl))
            for one in resources
            for acl in one.acls
        }

    def key(acl):
        return acl.principal, acl.host, acl.operation, acl.permission_type

    expected = {
        (a.resource_type, a.resource_name, a.resource_pattern_type, *key(a))
        for number, a in enumerate(ACLS)
        if number in which
    }
    assert all_of(call(wanted(**values), 3).resources) == expected
    filters = [wanted(DeleteAclsFilter, **values)]
    (result,) = call(DeleteAclsRequest(filters=filters), 3).filter_results
    assert {
        (a.resource_type, a.resource_name, a.pattern_type, *key(a)) for a in result.matching_acls
    } == expected
    assert len(all_of(call(wanted(), 3).resources)) == len(ACLS) - len(expected)


def allowed(*rules, user="alice", host="127.0.0.1"):
    """Asks a guard: `read topic:orders`."""
    access = Access()
    access.restrict("kafka", ["root"])
    for rule in rules:
        access.add_rule(acl_of(rule))
    guard = access.guard("kafka", user, lambda *_: None, covers, missing=missing, host=host)
    return lambda text: guard is None or guard.allows(*text.split())


def test_literal_prefixed_and_wildcard_names():
    may = allowed(
        "allow User:alice read topic:orders",
        "allow User:alice write topic:log- prefixed",
        "allow User:* describe group:*",
    )
    assert may("read topic:orders")
    assert not may("read topic:orders2")
    assert may("write topic:log-1")
    assert not may("write topic:lo")
    assert may("describe group:anything")
    assert not may("read group:anything")


def test_deny_wins_over_allow_and_a_denied_right_implies_no_other():
    may = allowed("allow User:alice all topic:*", "deny User:* read topic:secret- prefixed")
    assert not may("read topic:secret-1")
    assert may("describe topic:secret-1")
    assert may("read topic:open")
    assert not allowed("allow User:alice read topic:a", "deny User:alice all topic:a")(
        "describe topic:a"
    )


def test_an_acl_holds_for_its_host_alone():
    rule = "allow User:alice read topic:a from 10.0.0.7"
    assert allowed(rule, host="10.0.0.7")("read topic:a")
    assert not allowed(rule, host="10.0.0.8")("read topic:a")


def test_super_users_may_do_all_and_others_nothing_before_the_first_acl():
    assert allowed(user="root")("delete topic:a")
    assert not allowed(user="alice")("describe topic:a")


@pytest.mark.parametrize(
    ("rules", "answer"),
    [
        ([], False),
        (["allow User:alice write topic:a"], True),
        (["allow User:alice write topic:a", "deny User:alice write topic:a"], False),
        (["allow User:alice write topic:a- prefixed", "deny User:alice write topic:a-"], True),
        (["allow User:alice write topic:ab prefixed", "deny User:* write topic:a prefixed"], False),
        (["allow User:alice write topic:*", "deny User:alice all topic:*"], False),
        (["allow User:alice write group:a"], False),
        (["allow User:alice all topic:a"], True),
    ],
)
def test_who_may_write_some_topic_gets_a_producer_id(rules, answer):
    access = Access()
    access.restrict("kafka")
    for rule in rules:
        access.add_rule(acl_of(rule))
    guard = access.guard("kafka", "alice", lambda *_: None, covers, missing=missing)
    assert allows_some(guard, "write", "topic") is answer


def test_the_short_notation_is_listed_as_the_acls_that_say_the_same():
    scene = Guarded(
        "allow alice read,write kafka:orders.*",
        "allow bob all kafka:group:billing",
        "deny anonymous configure kafka:cluster",
        "allow carol all kafka:*",
        "allow alice read kafka:/^x/",
    )
    said = [
        f"{'allow' if acl.allow else 'deny'} {acl.principal} {acl.operation} {acl.kind}:{acl.name}"
        f" {acl.pattern_type}"
        for _, acl in listed(scene.access)
    ]
    assert said == [
        "allow User:alice read topic:orders. prefixed",
        "allow User:alice write topic:orders. prefixed",
        "allow User:alice describe_configs topic:orders. prefixed",
        "allow User:bob all group:billing literal",
        "deny User:ANONYMOUS create cluster:kafka-cluster literal",
        "deny User:ANONYMOUS alter cluster:kafka-cluster literal",
        "deny User:ANONYMOUS cluster_action cluster:kafka-cluster literal",
        "deny User:ANONYMOUS alter_configs cluster:kafka-cluster literal",
        "allow User:carol all topic:* literal",
        "allow User:carol all group:* literal",
        "allow User:carol all cluster:kafka-cluster literal",
        "allow User:carol all transactional_id:* literal",
        "allow User:carol all delegation_token:* literal",
        "allow User:carol all user:* literal",
    ]


def test_deleting_one_acl_of_a_short_rule_leaves_the_others():
    scene = Guarded("allow alice read,write kafka:orders.*")
    ((gone,),) = finished(delete(scene.access, [AclFilter(2, None, 1, None, None, 4, 1)]))
    assert gone.operation == "write"
    assert [rule.text for rule in scene.access.rules.values()] == [
        "allow alice read kafka:topic:orders. prefixed",
        "allow alice describe_configs kafka:topic:orders. prefixed",
    ]


def test_very_many_filters_that_name_one_acl_each_are_not_compared_with_all():
    def calls(count):
        scene = Guarded(*(f"allow alice read kafka:topic:t{n} literal" for n in range(count)))
        wanted = [AclFilter(2, f"t{n}", 3, "User:alice", "*", 3, 3) for n in range(count)]
        found = []
        counted = calls_of(lambda: found.extend(finished(delete(scene.access, wanted))))
        assert [[acl.name for acl in each] for each in found] == [[one.name] for one in wanted]
        assert not list(listed(scene.access))
        return counted

    assert calls(400) < 5 * calls(100)


@pytest.mark.parametrize(
    ("field", "value"),
    [("resource_type", 3), ("name", "u"), ("name", "*"), ("pattern_type", 4), ("host", "10.0.0.1"),
     ("principal", "User:bob"), ("operation", 4), ("permission", 2)],
)  # fmt: skip
def test_a_filter_that_names_one_acl_means_no_other(field, value):
    scene = Guarded("allow alice read kafka:topic:t literal")
    one = AclFilter(2, "t", 3, "User:alice", "*", 3, 3)
    wider = [replace(one, **{each: None}) for each in ("name", "principal", "host")]
    wider += [replace(one, **{each: 1}) for each in ("resource_type", "operation", "permission")]
    wider += [replace(one, pattern_type=each) for each in (1, 2)]
    found = finished(delete(scene.access, [replace(one, **{field: value}), one, *wider]))
    assert [len(each) for each in found] == [0, 1, *(1 for _ in wider)]


def test_the_acls_of_one_request_are_made_by_the_rights_before_it():
    """The first of them takes back the right to make any."""
    scene = Authorized("allow alice configure kafka:cluster")
    alice = scene.by("alice")
    renewed = []
    scene.access.on_change(lambda: renewed.append(len(scene.access.rules)))
    creations = [
        entry(4, "kafka-cluster", principal="User:alice", operation=7, permission=2),
        entry(name="a"),
        entry(name="a"),
        entry(name="b"),
    ]
    answer = alice(CreateAclsRequest(creations=creations), 3)
    assert [one.error_code for one in answer.results] == [0, 0, 0, 0]
    assert renewed == [4], "the rights of all are looked up once"
    refused = alice(CreateAclsRequest(creations=creations[:2]), 3)
    assert [one.error_code for one in refused.results] == [31, 31]
    delete_all = DeleteAclsRequest(filters=[wanted(DeleteAclsFilter), wanted(DeleteAclsFilter)])
    assert [one.error_code for one in alice(delete_all, 3).filter_results] == [31, 31]


def test_each_filter_of_one_request_finds_what_was_there_before_it():
    scene = Authorized()
    admin = scene.by("admin", "admin")
    admin(CreateAclsRequest(creations=[entry(name="a"), entry(name="b")]), 3)
    filters = [wanted(DeleteAclsFilter, name=name) for name in ("a", "a", None)]
    answer = admin(DeleteAclsRequest(filters=filters), 3)
    names = [[acl.resource_name for acl in one.matching_acls] for one in answer.filter_results]
    assert names == [["a"], ["a"], ["a", "b"]]
    assert not scene.access.rules


@pytest.mark.parametrize(
    ("rules", "seen"),
    [
        ((), []),
        (("allow alice describe kafka:topic:t literal",), ["t"]),
        (("allow alice describe kafka:topic:__consumer_offsets literal",), ["__consumer_offsets"]),
    ],
)
def test_of_a_transaction_who_may_describe_it_sees_the_topics_that_it_may_describe(rules, seen):
    scene = Authorized("allow alice describe kafka:transactional_id:pay literal", *rules)
    scene.broker.create_topic("t", 1)
    transactions = scene.broker.cluster.transactions
    who = transactions.take("pay", 60.0)
    transactions.add_partitions("pay", who, [("t", 0)])
    transactions.add_group("pay", who, "g")
    answer = scene.by("alice")(DescribeTransactionsRequest(transactional_ids=["pay"]), 0)
    (state,) = answer.transaction_states
    assert (state.error_code, [one.topic for one in state.topics]) == (0, seen)


def test_without_an_authorizer_there_is_nothing_to_list():
    scene = Guarded()
    client = scene.client()
    answer = scene.ask_for(client, wanted(), 3)
    assert (answer.error_code, answer.error_message) == (
        54,
        "No Authorizer is configured on the broker",
    )
    (result,) = scene.ask_for(client, CreateAclsRequest(creations=[entry()]), 3).results
    assert (result.error_code, result.error_message) == (54, "No Authorizer is configured.")
    assert not scene.access.rules


def test_an_acl_that_is_added_holds_for_connections_that_are_open():
    scene = Authorized()
    scene.broker.create_topic("orders", 1)
    client = scene.client()
    assert error_of_produce(scene.ask_for(client, produce("orders", b"v"), 9)) == 29
    scene.by("admin", "admin")(
        CreateAclsRequest(creations=[entry(name="orders", principal="User:alice", operation=4)]), 3
    )
    assert error_of_produce(scene.ask_for(client, produce("orders", b"v"), 9)) == 0
    reason = scene.denied[0].reason
    assert reason == "no rule allows it: allow alice write kafka:orders"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("allow User:alice read,write topic:a", "allow alice read,write kafka:topic:a literal"),
        ("deny alice all group:a b prefixed", "deny alice all kafka:group:a b prefixed"),
        (
            "allow User:ANONYMOUS describe cluster",
            "allow anonymous describe kafka:cluster:kafka-cluster literal",
        ),
        (
            "allow Group:devs read topic:* from 10.0.0.7",
            "allow Group:devs read kafka:topic:* literal from 10.0.0.7",
        ),
    ],
)
def test_an_acl_is_a_rule_and_reads_its_own_text(text, kept):
    assert acl_of(text).text == kept
    assert rule_of(kept) == acl_of(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("allow alice read", "is no ACL"),
        ("allow alice steal topic:a", "'steal' is none of read, write, create"),
        ("allow alice read orders", "'orders' is no KIND:NAME with topic, group"),
        ("allow alice read topic:", "is no KIND:NAME"),
        ("allow alice describe cluster:other", "the only cluster is kafka-cluster"),
        ("allow : read topic:a", "is no principal"),
    ],
)
def test_a_wrong_acl_says_what_is_wrong(text, problem):
    with pytest.raises(InvalidInput, match=problem):
        acl_of(text)


def test_a_pattern_reads_only_topics_that_its_user_may_describe():
    """As in Apache Kafka, which finds them by TopicRegexResolver."""
    scene = Authorized()
    for name in ("open.a", "closed.a"):
        scene.broker.create_topic(name, 1)
    for text in (
        "allow User:alice read group:g",
        "allow User:alice describe topic:open. prefixed",
    ):
        scene.access.add_rule(acl_of(text))
    client = scene.client()
    beat = partial(ConsumerGroupHeartbeatRequest, group_id="g", member_id="m")
    joined = beat(
        member_epoch=0,
        subscribed_topic_regex=".*",
        rebalance_timeout_ms=5000,
        topic_partitions=[],
    )
    answer = scene.ask_for(client, joined, 1)
    (found,) = answer.assignment.topic_partitions
    assert found.topic_id == scene.broker.cluster.topics["open.a"].topic_id
    # Other rules count from its next heartbeat on.
    scene.access.add_rule(acl_of("allow User:alice describe topic:closed. prefixed"))
    again = scene.ask_for(client, beat(member_epoch=answer.member_epoch), 1)
    assert len(again.assignment.topic_partitions) == 2


def test_members_of_one_user_and_pattern_ask_the_rules_once(monkeypatch):
    scene = Authorized()
    for number in range(20):
        scene.broker.create_topic(f"open.{number}", 1)
    for text in ("allow User:alice read group:g", "allow User:alice describe topic:open. prefixed"):
        scene.access.add_rule(acl_of(text))
    scene.access.add_user("bob", "secret")
    scene.access.add_rule(acl_of("allow User:bob read group:g"))
    asked = []
    allows = Guard.allows
    monkeypatch.setattr(
        Guard, "allows", lambda guard, *what: asked.append(what) or allows(guard, *what)
    )

    def join(by, name):
        request = ConsumerGroupHeartbeatRequest(
            group_id="g",
            member_id=name,
            member_epoch=0,
            subscribed_topic_regex="open.*",
            rebalance_timeout_ms=5000,
            topic_partitions=[],
        )
        assert by(request, 1).error_code == 0

    for number in range(5):
        join(scene.by("alice"), f"m{number}")
    assert len(asked) == 20
    # Another user is asked about by rules of its own.
    join(scene.by("bob"), "bob")
    assert len(asked) == 40
    group = scene.broker.cluster.groups.by_id["g"]
    assert len(group.topics.of(group.members["m0"])) == 20
    assert not group.topics.of(group.members["bob"])


def test_a_group_with_topics_that_its_asker_may_not_describe_is_not_described():
    scene = Authorized()
    scene.broker.create_topic("t", 1)
    scene.access.add_rule(acl_of("allow User:alice describe group:g"))
    admin = scene.by("admin", "admin")
    joined = ConsumerGroupHeartbeatRequest(
        group_id="g",
        member_id="m",
        member_epoch=0,
        subscribed_topic_names=["t"],
        rebalance_timeout_ms=5000,
        topic_partitions=[],
    )
    assert admin(joined, 1).error_code == 0
    asked = ConsumerGroupDescribeRequest(group_ids=["g"])
    (one,) = scene.by("alice")(asked, 1).groups
    assert (one.error_code, one.group_state, one.members) == (29, "", [])
    assert one.error_message == (
        "The group has described topic(s) that the client is not authorized to describe."
    )
    scene.access.add_rule(acl_of("allow User:alice describe topic:t"))
    (one,) = scene.by("alice")(asked, 1).groups
    assert (one.error_code, one.group_state) == (0, "Stable")
