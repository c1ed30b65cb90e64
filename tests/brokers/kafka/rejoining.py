"""Members of consumer groups (KIP-848) that join again, read something else, or go amid a change.

`python -m tests.brokers.kafka.rejoining HOST:PORT` keeps what Apache Kafka answers (started as for
`migrating`) in `recorded/rejoining.json`. `o` is a topic that is not there.
"""

from pathlib import Path

from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.messages import consumer_groups, groups

from .migrating import ALL, Mover
from .transacting import record

RECORDED = Path(__file__).parent / "recorded" / "rejoining.json"


class Rejoiner(Mover):
    def reads(self, member_id, epoch, *topics, owned=None, instance=None, **more):
        """A heartbeat that names topics."""
        named = [self.topic if one == "t" else f"{self.prefix}{one}" for one in topics]
        if not epoch:
            more["rebalance_timeout_ms"] = 20_000
            owned = owned or []
        return self.heartbeat(
            member_id, epoch, owned, instance, subscribed_topic_names=named, **more
        )

    def join_to(self, *topics, instance):
        """A classic member joins for these."""
        named = [self.topic if one == "t" else f"{self.prefix}{one}" for one in topics]
        raw = bytes(2) + encode(groups.ConsumerProtocolSubscription(topics=named), 0)
        return self.join(instance=instance, raw=raw)

    def is_given(self):
        """Whether a member of another group gets the partitions."""
        group, self.group = self.group, f"{self.group}0"
        self.heartbeat("p", 0, [])
        (_, (_, _, _, given)) = self.said[-1]
        self.heartbeat("p", -1)
        self.group = group
        return bool(given)

    def assignor(self):
        asked = consumer_groups.ConsumerGroupDescribeRequest(group_ids=[self.group])
        (found,) = self.call(asked, 1).groups
        self.note("assignor", [found.assignor_name, found.group_epoch, found.assignment_epoch])


def a_static_member_joins_again(at):
    at.heartbeat("s", 0, [], instance="i")
    at.heartbeat("s", 0, [], instance="i")
    at.heartbeat("r", 0, [], instance="i")
    at.heartbeat("s", -2, instance="i")
    at.heartbeat("s", 0, [], instance="i")
    at.describe()


def epochs_before(at):
    at.heartbeat("a", 0, [])
    at.reads("a", 2, "t", "o")
    at.reads("a", 0, "t", "o")
    at.heartbeat("a", 2, [])
    at.heartbeat("a", 3, [0])
    at.reads("a", 0, "t")
    at.heartbeat("a", 3, [])
    at.heartbeat("a", 2, [])
    at.heartbeat("b", 0, [])
    at.heartbeat("a", 4, ALL)
    at.heartbeat("a", 3, [0])
    at.heartbeat("a", 4, [0, 1])
    at.heartbeat("a", 4, [0])
    at.heartbeat("b", 5, [])
    at.heartbeat("b", 0, [])
    at.heartbeat("b", 4, [])


def topics_that_are_not_there(at):
    at.reads("a", 0, "o")
    at.describe()
    at.reads("b", 0, "o")
    at.reads("b", 3, "o", "t")
    at.reads("b", 4, "t", "o")
    at.reads("b", 4, "t")
    at.reads("a", 2, "p")
    at.describe()


def assignors(at):
    at.heartbeat("a", 0, [])
    at.assignor()
    at.heartbeat("b", 0, [], server_assignor="uniform")
    at.assignor()
    at.heartbeat("b", 3, server_assignor="range")
    at.assignor()
    at.heartbeat("a", 2, server_assignor="range")
    at.assignor()
    at.heartbeat("b", -1)
    at.assignor()
    at.heartbeat("a", -1)
    at.assignor()
    at.reads("a", 0)
    at.reads("a", 0, server_assignor="range")
    at.assignor()


def one_reads_something_else_amid_giving_up(at):
    at.heartbeat("a", 0, [])
    at.heartbeat("b", 0, [])
    at.heartbeat("a", 2, ALL)
    at.reads("a", 2, "o", owned=[0])
    at.describe()
    at.heartbeat("b", 3, [])
    at.heartbeat("a", 2, [0])
    at.heartbeat("a", 2, [])
    at.heartbeat("b", 4, [2, 3])
    at.describe()


def one_reads_something_else_before_it_gave_up(at):
    at.heartbeat("a", 0, [])
    at.heartbeat("b", 0, [])
    at.heartbeat("a", 2, ALL)
    at.reads("a", 2, "o", owned=[0, 3])
    at.describe()
    at.heartbeat("a", 2, [0])
    at.describe()
    at.heartbeat("a", 2, [])
    at.heartbeat("b", 3, [])
    at.describe()


def a_static_member_goes_amid_giving_up(at):
    at.heartbeat("s", 0, [], instance="i")
    at.heartbeat("b", 0, [])
    at.heartbeat("s", 2, ALL, instance="i")
    at.heartbeat("s", -2, instance="i")
    at.describe()
    at.heartbeat("b", 3, [])
    at.heartbeat("r", 0, [], instance="i")
    at.describe()


def a_classic_member_waits_for_a_target(at):
    at.heartbeat("a", 0, [])
    one = at.join()
    at.heartbeat("b", -1)
    at.heartbeat("b", 0, [], subscribed_topic_names=[])
    at.heartbeat("b", -1)
    at.describe()
    at.beat(one)
    at.sync(one)
    at.heartbeat("a", 2, [0, 1])
    at.describe()
    at.beat(one)
    at.sync(one)


def a_classic_member_takes_the_last_place_for_more(at):
    at.heartbeat("s", 0, [], instance="i")
    one = at.join_to("t", "o", instance="i")
    at.describe()
    at.beat(one, instance="i")
    one = at.join(one[0], instance="i")
    at.describe()


def a_classic_member_takes_the_last_place_behind_others(at):
    at.heartbeat("s", 0, [], instance="i")
    at.heartbeat("b", 0, [])
    at.heartbeat("b", -1)
    one = at.join(instance="i")
    at.describe()
    at.beat(one, instance="i")
    one = at.join(one[0], instance="i")
    at.describe()


SCENARIOS = {
    one.__name__.replace("_", " "): one
    for one in (
        a_static_member_joins_again,
        epochs_before,
        topics_that_are_not_there,
        assignors,
        one_reads_something_else_amid_giving_up,
        one_reads_something_else_before_it_gave_up,
        a_static_member_goes_amid_giving_up,
        a_classic_member_waits_for_a_target,
        a_classic_member_takes_the_last_place_for_more,
        a_classic_member_takes_the_last_place_behind_others,
    )
}


def play(call, name, prefix):
    at = Rejoiner(call, prefix)
    at.create(4)
    # The coordinator of Apache Kafka hears of a topic a little later than whoever shows it.
    at.until(at.is_given)
    at.forget()
    SCENARIOS[name](at)
    return at.said


if __name__ == "__main__":
    record(RECORDED, SCENARIOS, play)
