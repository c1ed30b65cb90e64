"""Which partitions the broker's assignors give to members of the consumer protocol (KIP-848).

Members give back what they are no longer assigned and ask again, until nobody is told anything new;
then it is noted who has what. Their ids are chosen here, so that two brokers can choose alike.
`python -m tests.brokers.kafka.balancing HOST:PORT` keeps what Apache Kafka answers (started with
`group.consumer.assignment.interval.ms=0`) in `recorded/balancing.json`.
"""

import json
import sys
import time
from pathlib import Path

from mockforge_brokers.kafka.wire.messages import consumer_groups

from .asked import created, found_coordinator, until
from .asking import Asking
from .internal_topics import shown
from .transacting import write_recorded

RECORDED = Path(__file__).parent / "recorded" / "balancing.json"
TOPICS = {"balancing.seven": 7, "balancing.four": 4, "balancing.many": 29}
SEVEN, FOUR, MANY = TOPICS
_ROUNDS = 100


class Fleet:
    """One group. `waits` between two rounds: Kafka assigns in the background."""

    def __init__(self, call, group, waits=0.0):
        self.call = call
        self.group = group
        self.said = []
        self._waits = waits
        self._ids = {call(shown(name), 12).topics[0].topic_id: name for name in TOPICS}
        self._members = {}
        """By id: what it says when it asks, its epoch, and its partitions by topic id."""

    def join(self, who, *topics, **more):
        values = {"subscribed_topic_names": list(topics), "rebalance_timeout_ms": 60_000} | more
        self._members[who] = [values, 0, {}]
        self._note(f"{who} joins for {' and '.join(topics)}")

    def subscribe(self, who, *topics):
        values, _, _ = self._members[who]
        values["subscribed_topic_names"] = list(topics)
        self._note(f"{who} reads {' and '.join(topics)}")

    def leave(self, who, epoch=-1):
        values, _, _ = self._members.pop(who)
        self._ask(who, epoch, {"instance_id": values.get("instance_id")})
        self._note(f"{who} leaves")

    def _ask(self, who, epoch, values, owned=None):
        partitions = None
        if owned is not None:
            partitions = [
                consumer_groups.OwnedTopicPartitions(topic_id=topic, partitions=sorted(numbers))
                for topic, numbers in owned.items()
                if numbers
            ]
        request = consumer_groups.ConsumerGroupHeartbeatRequest(
            group_id=self.group,
            member_id=who,
            member_epoch=epoch,
            topic_partitions=partitions,
            **values,
        )
        return self.call(request, 1)

    def _round(self):
        """Whether anybody was told something new."""
        changed = False
        for who, member in self._members.items():
            values, epoch, owned = member
            answer = self._ask(who, epoch, values, owned)
            assert not answer.error_code, (who, answer.error_code, answer.error_message)
            now = owned
            if answer.assignment is not None:
                now = {
                    one.topic_id: set(one.partitions) for one in answer.assignment.topic_partitions
                }
            changed |= (answer.member_epoch, now) != (epoch, owned)
            member[1:] = answer.member_epoch, now
        return changed

    def _note(self, step):
        quiet = 0
        for _ in range(_ROUNDS):
            quiet = 0 if self._round() else quiet + 1
            if quiet > 3:
                break
            time.sleep(self._waits)
        else:
            raise AssertionError("it did not settle")
        epochs = {epoch for _, epoch, _ in self._members.values()}
        assert len(epochs) <= 1
        found = {
            who: {self._ids[topic]: sorted(numbers) for topic, numbers in sorted(owned.items())}
            for who, (_, _, owned) in self._members.items()
        }
        self.said.append([step, {who: dict(sorted(one.items())) for who, one in found.items()}])


def _come_and_go(fleet, **more):
    fleet.join("b", SEVEN, **more)
    fleet.join("a", SEVEN, **more)
    fleet.join("c", SEVEN, **more)
    fleet.leave("a")
    fleet.join("d", SEVEN, **more)
    fleet.join("e", SEVEN, **more)
    fleet.leave("b")
    fleet.leave("c")
    fleet.leave("e")
    for who in "fghijkl":
        fleet.join(who, SEVEN, **more)
    fleet.join("m", SEVEN, **more)
    fleet.leave("g")


def uniform(fleet):
    _come_and_go(fleet)


def by_range(fleet):
    _come_and_go(fleet, server_assignor="range")


def ranges_of_two_topics(fleet):
    more = {"server_assignor": "range"}
    fleet.join("b", SEVEN, FOUR, **more)
    fleet.join("a", SEVEN, **more)
    fleet.join("c", FOUR, **more)
    fleet.subscribe("a", SEVEN, FOUR)
    fleet.join("d", SEVEN, FOUR, **more)
    fleet.leave("b")
    fleet.subscribe("c", SEVEN, FOUR)
    fleet.subscribe("d", SEVEN)


def static_members(fleet):
    fleet.join("b", SEVEN, instance_id="2")
    fleet.join("a", SEVEN, instance_id="1")
    fleet.leave("b", -2)
    fleet.join("x", SEVEN, instance_id="2")
    fleet.join("c", SEVEN)
    fleet.leave("a", -2)
    fleet.join("y", SEVEN, instance_id="1")
    fleet.leave("c")


def static_members_by_range(fleet):
    more = {"server_assignor": "range"}
    fleet.join("z", SEVEN, instance_id="1", **more)
    fleet.join("a", SEVEN, instance_id="2", **more)
    fleet.join("b", SEVEN, **more)
    fleet.leave("z", -2)
    fleet.join("c", SEVEN, instance_id="1", **more)
    fleet.leave("b")


# As Java's clients call themselves: these stand in other orders in Kafka's maps than by name.
_IDS = (
    "NzdtCYiaHQDHmUQlNHquqQ",
    "Jiws9-y0fcLBOh68MXCHXw",
    "4ZGaBaSKz0WWsyR9V1VKzQ",
    "LqNc32BT_GnRShvp917OiQ",
    "CikeGP50ZzHJKjyQLLm5jQ",
    "AH-mlJztC3MbpHdpUkFqNQ",
)


def uniform_by_the_order_of_hashes(fleet):
    first, second, third, fourth, fifth, _ = _IDS
    for who in (first, second, third):
        fleet.join(who, SEVEN)
    fleet.leave(first)
    fleet.join(fourth, SEVEN)
    fleet.join(fifth, SEVEN)
    fleet.leave(third)
    fleet.leave(fifth)


def uniform_of_many_partitions(fleet):
    first, second, third, fourth, fifth, sixth = _IDS
    for who in (first, second, third, fourth, fifth):
        fleet.join(who, MANY)
    fleet.leave(second)
    fleet.join(sixth, MANY)
    fleet.leave(fourth)


def uniform_of_other_topics(fleet):
    first, second, third, fourth, fifth, sixth = _IDS
    fleet.join(first, SEVEN)
    fleet.join(second, SEVEN, FOUR)
    fleet.join(third, FOUR)
    fleet.join(fourth, SEVEN, FOUR)
    fleet.subscribe(third, MANY)
    fleet.subscribe(first, SEVEN, MANY)
    fleet.join(fifth, FOUR, MANY)
    fleet.leave(second)
    fleet.join(sixth, SEVEN, FOUR, MANY)
    fleet.subscribe(fourth, FOUR)
    fleet.leave(third)


def uniform_where_one_asks_for_a_topic_that_is_not_there(fleet):
    first, second, third, fourth, fifth, sixth = _IDS
    fleet.join(first, SEVEN)
    fleet.join(second, SEVEN, "balancing.none")
    fleet.join(third, SEVEN, "balancing.none")
    fleet.join(fourth, SEVEN)
    fleet.leave(second)
    fleet.join(fifth, SEVEN, "balancing.none")
    fleet.leave(third)
    fleet.leave(fifth)
    fleet.join(sixth, SEVEN)


def uniform_by_name_and_by_pattern(fleet):
    first, second, third, fourth, fifth, _ = _IDS
    for who, names, pattern in (
        (first, (), "balancing.seven"),
        (second, (), "balancing.seven"),
        (third, (SEVEN,), None),
        (fourth, (SEVEN,), "balancing.seven"),
        (fifth, (), "balancing.seven"),
    ):
        fleet.join(who, *names, subscribed_topic_regex=pattern)
    fleet.leave(second)
    fleet.leave(third)
    fleet.leave(fourth)
    fleet.leave(first)


SCENARIOS = {
    one.__name__.replace("_", " "): one
    for one in (
        uniform,
        by_range,
        ranges_of_two_topics,
        static_members,
        static_members_by_range,
        uniform_by_the_order_of_hashes,
        uniform_of_many_partitions,
        uniform_of_other_topics,
        uniform_where_one_asks_for_a_topic_that_is_not_there,
        uniform_by_name_and_by_pattern,
    )
}


def play(call, name, prefix="", waits=0.0):
    for topic, partitions in TOPICS.items():
        call(created(topic, partitions=partitions, dry=False), 7)
        until(lambda topic=topic: not call(shown(topic), 12).topics[0].error_code)
    group = prefix + name.replace(" ", ".")
    until(lambda: not call(found_coordinator(group), 4).coordinators[0].error_code)
    until(lambda: call(_probe(group), 1).error_code not in (14, 15, 16))
    fleet = Fleet(call, group, waits)
    SCENARIOS[name](fleet)
    return json.loads(json.dumps(fleet.said))


def _probe(group):
    """Of a member that is not there."""
    return consumer_groups.ConsumerGroupHeartbeatRequest(
        group_id=group, member_id="probe", member_epoch=7
    )


if __name__ == "__main__":
    host, port = sys.argv[1].rsplit(":", 1)
    with Asking(host, int(port)) as asking:
        kept = {name: play(asking.call, name, waits=0.1) for name in SCENARIOS}
    write_recorded(RECORDED, kept)
