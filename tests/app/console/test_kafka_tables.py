"""A Kafka group and topic as people read them: who has what, and how far behind."""

import re
from math import inf

from mockforge_brokers.kafka.wire.messages.groups import LeaveGroupRequest
from mockforge_brokers.kafka.wire.messages.producers import InitProducerIdRequest
from mockforge_brokers.permissions import acl_of

from mockforge_tui.console.kafka_tables import of_group, of_topic, rights, rights_of
from mockforge_tui.feed import Feed
from mockforge_tui.filters import compile_filter
from mockforge_tui.tui.subjects import Sheet

from .scene import Scene


def shown(sheet: Sheet, width: int = 60) -> list[str]:
    return ["".join(part for part, _ in line) for line in sheet.lines(0, width, 20, "", 0)]


def test_a_group_shows_its_members_and_how_far_each_partition_is_behind() -> None:
    made = Scene()
    made.join("mine", "order-svc", {"orders": [0]})
    made.advance(4)
    (group,) = [each for each in made.kafka.groups() if each.name == "mine"]
    text = made.run("group show mine").text
    assert "member     speaks   lag  reads" in text
    assert "order-svc  classic" in text
    assert "partition  committed  end  lag  read by" in text
    assert [line.split()[:2] for line in text.splitlines() if line.startswith("orders p0")] == [
        ["orders", "p0"]
    ]
    lines = shown(Sheet(group))
    assert any("order-svc  classic" in line for line in lines)
    assert not any("MemberView" in line or "[0]" in line for line in lines)


def test_a_group_shows_its_last_rebalances_newest_first() -> None:
    made = Scene()
    client, member = made.join("mine", "order-svc", {"orders": [0]})
    made.advance(4)
    made.ask(client, LeaveGroupRequest(group_id="mine", member_id=member), 1, "order-svc")
    result = made.run("group show mine")
    heading, left, joined = result.text.splitlines()[-3:]
    assert heading.split() == ["rebalanced", "generation", "members", "took", "because"]
    assert re.fullmatch(r"[\d:.]{12} +2 +0 +0ms +member order-svc left", left.rstrip()), left
    assert re.fullmatch(r"[\d:.]{12} +1 +1 +0ms +member order-svc joined", joined.rstrip()), joined
    assert [each.generation for each in result.data["rebalances"]] == [1, 2]
    (group,) = [each for each in made.kafka.groups() if each.name == "mine"]
    assert any("order-svc left" in line for line in shown(Sheet(group), 80)[-3:])


def test_a_rebalance_without_an_end_says_whether_it_goes_on() -> None:
    made = Scene()
    made.join("mine", "order-svc", {"orders": [0]})
    made.run("group rebalance mine")
    made.kafka.cluster.groups.by_id["mine"].rebalance("once more")
    (group,) = [each for each in made.kafka.groups() if each.name == "mine"]
    _, rows = of_group(group)["rebalances"]
    assert [row["reason"].partition(" (")[2] for row in rows][:2] == [
        "goes on)",
        "the next one came before its end)",
    ]


def test_the_flow_shows_what_a_group_went_through() -> None:
    made = Scene()
    feed = Feed(made.environment.journal, made.environment.spine, made.environment.holds)
    made.join("mine", "order-svc", {"orders": [0]})
    made.join("other", "stock-svc", {"orders": [0]})
    feed.tick(inf)
    of_mine = compile_filter("kind:event group:mine")
    assert [row.operation for row in feed.since(0) if of_mine(row)] == [
        "rebalance started",
        "group rebalanced",
    ]


def test_a_topic_shows_each_partition_and_who_holds_it_open() -> None:
    made = Scene()
    made.kafka.create_topic("open", 1)
    made.ask(
        made.kafka_client(),
        InitProducerIdRequest(transactional_id="pay", transaction_timeout_ms=60_000),
        4,
    )
    (topic,) = [each for each in made.kafka.destinations() if each.name == "open"]
    columns, rows = of_topic(topic)["partitions"]
    assert [column.title for column in columns][:4] == ["partition", "start", "end", "stable"]
    assert [(row["partition"], row["end"], row["open"]) for row in rows] == [(0, 0, "")]


def test_a_topic_and_a_group_show_the_acls_that_are_about_them() -> None:
    made = Scene()
    for text in (
        "allow User:alice read topic:ord prefixed",
        "deny User:* write topic:orders",
        "allow User:bob all group:*",
        "allow User:carol read topic:other",
    ):
        made.access.add_rule(acl_of(text))
    (_, rows) = rights(made.access, "topic", "orders")["rights"]
    found = {
        (row["principal"], row["permission"], row["operation"], row["pattern"]) for row in rows
    }
    assert {("User:alice", "allow", "read", "ord*"), ("User:*", "deny", "write", "orders")} <= found
    assert not any(one[0] == "User:carol" for one in found)
    (group,) = [each for each in made.kafka.groups() if each.name == "billing"]
    assert rights_of(made.access, group) == rights(made.access, "group", "billing")
    (queue,) = [each for each in made.amqp.destinations() if each.name == "q.mail"]
    assert rights_of(made.access, queue) == {}
    lines = shown(Sheet(group, tables=rights_of(made.access, group)))
    assert any("User:bob" in line and "all" in line for line in lines)
