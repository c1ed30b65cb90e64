"""Regular expressions of subscriptions (KIP-848): the same ones for our broker and Apache Kafka.

`python -m tests.brokers.kafka.patterning HOST:PORT` keeps what Apache Kafka answers (started with
`group.consumer.assignment.interval.ms=0`) in `recorded/patterns.json`: by expression the code, and
the topics that it matches.
"""

import json
import sys
import time
from pathlib import Path

from mockforge_brokers.kafka.wire.messages import cluster, consumer_groups, groups, topics

from .asking import Asking

RECORDED = Path(__file__).parent / "recorded" / "patterns.json"
TOPICS = ("a1", "a2", "ab", "A1", "b1", "a.1", "a-1", "x_y", "aaa", "Q")
PATTERNS = (
    "a1", "a.*", ".*", "a+", "[ab]1", "a(1|2)", "a1|b1", "a.1", r"a\.1", "^a1$", "a", "1",
    r"a\d", r"\w+", r"\W", "[^a]*", "[[:digit:]a]+", "[[:^alpha:]]+", r"\pL1", r"\p{Greek}",
    r"\PL", "(?i)A1", "a(?i:B)", "(?s).*", "(?U)a+", "(?m)^a1$", "(?x)a 1", "(?u)a1", "(?-i)a1",
    "(?a)a1", "(?:a)1", "(?P<n>a)1", "(?<n>a)1", "(?P=n)1", "(?=a)a1", "(?!b)a1", "(?<=a)1",
    "(?>a)1", r"(a)\1", "a*+", "a++", "a?+1", "a**", "a+*", "a{1,3}1", "a{1001}", "a{2,1}",
    "a{,2}", "a{1", "a{2}{3}", "(?#c)a1", "[", "(", "a)", ")", "*a", "+", "?", "\\", "[a-",
    "[b-a]", "a[]1]", "[]", r"\Aa1", r"a1\z", r"a1\Z", r"\ba1\b", r"a\B1", r"\Qa.1\E", r"\Qa.1",
    r"\C1", r"\x{61}1", r"\x611", r"\0611", r"\141", r"\a", r"\h1", r"\R", r"\X", r"\G", r"\cA",
    r"\y", r"\_", r"x\_y", r"\u00611", r"\N{LATIN SMALL LETTER A}1", "a1||", "|", "()", "(|a)1",
    "(?i", "(?z)a", "a1 ", " ",
)  # fmt: skip


def play(call, looks=0):
    """By expression (code, topics). Apache Kafka finds topics in the background: it is asked again,
    `looks` times where none come.
    """
    return {pattern: _ask(call, number, pattern, looks) for number, pattern in enumerate(PATTERNS)}


def furnish(call):
    wanted = [
        topics.CreatableTopic(name=name, num_partitions=1, replication_factor=1) for name in TOPICS
    ]
    made = call(topics.CreateTopicsRequest(topics=wanted, timeout_ms=10_000), 7)
    assert {one.error_code for one in made.topics} <= {0, 36}
    # Apache Kafka has no coordinator of groups before somebody looks for one.
    asked = groups.FindCoordinatorRequest(key_type=0, coordinator_keys=["pattern-0"])
    for _ in range(600):
        if not call(asked, 4).coordinators[0].error_code:
            break
        time.sleep(0.1)


def _ask(call, number, pattern, looks):
    names = {one.topic_id: one.name for one in call(metadata_request(), 12).topics}
    member = {"group_id": f"pattern-{number}", "member_id": "m"}
    first = consumer_groups.ConsumerGroupHeartbeatRequest(
        **member,
        member_epoch=0,
        rebalance_timeout_ms=60_000,
        subscribed_topic_regex=pattern,
        topic_partitions=[],
    )
    answer = call(first, 1)
    for _ in range(100):
        if answer.error_code not in (14, 15, 16):
            break
        time.sleep(0.1)
        answer = call(first, 1)
    if answer.error_code:
        return [answer.error_code, []]
    given = _given(answer, names)
    for _ in range(looks):
        if given:
            break
        time.sleep(0.05)
        asked = consumer_groups.ConsumerGroupHeartbeatRequest(
            **member, member_epoch=answer.member_epoch
        )
        answer = call(asked, 1)
        given = _given(answer, names)
    left = consumer_groups.ConsumerGroupHeartbeatRequest(**member, member_epoch=-1)
    call(left, 1)
    return [0, given]


def metadata_request():
    return cluster.MetadataRequest(topics=None)


def _given(answer, names):
    found = answer.assignment.topic_partitions if answer.assignment is not None else ()
    return sorted(names[one.topic_id] for one in found if names[one.topic_id] in TOPICS)


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    with Asking(host, int(port)) as asking:
        furnish(asking.call)
        said = play(asking.call, looks=20)
    lines = [f"  {json.dumps(pattern)}: {json.dumps(one)}" for pattern, one in said.items()]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
