"""The broker's own assignors, and that members get to their targets without ever sharing."""

from hypothesis import given, settings
from hypothesis import strategies as st
from mockforge_brokers.fairness import finished
from mockforge_brokers.kafka.state.groups.consumer import uniform as uniformly
from mockforge_brokers.kafka.state.groups.consumer.assignors import spread_by_range as by_range

from .test_consumer_protocol import Members


def spread_by_range(subscriptions, counts, current):
    return finished(by_range(subscriptions, counts, current, True))


TOPICS = [bytes([number]) * 16 for number in range(4)]
counts = st.fixed_dictionaries({topic: st.integers(0, 9) for topic in TOPICS})
members = st.sampled_from([f"m{number}" for number in range(6)])
some_topics = st.frozensets(st.sampled_from(TOPICS))
subscriptions = st.dictionaries(members, some_topics, min_size=1)
alike = st.builds(dict.fromkeys, st.lists(members, min_size=1, unique=True), some_topics)


def uniform(subscriptions, counts, current):
    alike = len(set(subscriptions.values())) == 1
    assignment = finished(uniformly.uniform(subscriptions, counts, current, alike))
    assert all(len(set(keys)) == len(keys) for keys in assignment.values())
    return {member: frozenset(keys) for member, keys in assignment.items()}


def whole(counts, subscriptions):
    """All partitions that somebody reads."""
    read = {topic for topics in subscriptions.values() for topic in topics}
    return sorted((topic, number) for topic in read for number in range(counts[topic]))


def handed_out(assignment):
    return sorted(key for keys in assignment.values() for key in keys)


@given(counts, subscriptions | alike, subscriptions | alike)
def test_every_partition_has_one_reader_that_asked_for_it(counts, before, now):
    former = uniform(before, counts, {})
    for assignment in (uniform(now, counts, former), spread_by_range(now, counts, former)):
        assert set(assignment) == set(now)
        assert handed_out(assignment) == whole(counts, now)
        assert all(key[0] in now[member] for member, keys in assignment.items() for key in keys)


@given(counts, alike)
def test_members_that_read_the_same_differ_by_one_partition_at_most(counts, now):
    sizes = [len(keys) for keys in uniform(now, counts, {}).values()]
    assert max(sizes) - min(sizes) <= 1


@given(counts, subscriptions | alike)
def test_where_nothing_changed_nothing_moves(counts, now):
    former = uniform(now, counts, {})
    assert uniform(now, counts, former) == former


@given(counts, alike, members)
def test_a_newcomer_takes_no_more_than_its_share(counts, now, newcomer):
    former = uniform(now, counts, {})
    topics = next(iter(now.values()))
    later = uniform({**now, newcomer: topics}, counts, former)
    moved = sum(len(keys - later[member]) for member, keys in former.items() if member != newcomer)
    assert moved <= len(later[newcomer])


def test_members_of_two_topics_are_not_compared_each_with_each():
    asked = []

    class Topics(frozenset):
        def __contains__(self, topic):
            asked.append(topic)
            return super().__contains__(topic)

    few, many = TOPICS[:2]
    now = {f"m{number:03}": Topics([(few, many)[number % 2]]) for number in range(200)}
    assignment = uniform(now, {few: 100, many: 1000}, {})
    assert sorted(map(len, assignment.values())) == [1] * 100 + [10] * 100
    assert len(asked) < 20 * len(now)


def test_range_gives_neighbours_and_the_first_ones_get_the_odd_ones():
    topic, other = TOPICS[:2]
    both = frozenset([topic, other])
    given_out = spread_by_range(
        {"a": both, "b": both, "c": frozenset([topic])}, {topic: 5, other: 3}, {}
    )
    assert {member: sorted(keys) for member, keys in given_out.items()} == {
        "a": [(topic, 0), (topic, 1), (other, 0), (other, 1)],
        "b": [(topic, 2), (topic, 3), (other, 2)],
        "c": [(topic, 4)],
    }


class Consumer:
    """A member that does what it is told, in two steps: it reads, and says what it reads."""

    def __init__(self, name):
        self.name = name
        self.epoch = 0
        self.owned = {}

    def beat(self, scene):
        if self.epoch == 0:
            answer = scene.join(self.name)
            self.owned = {}
        else:
            answer = scene.heartbeat(self.name, self.epoch, self.owned)
        if answer[0] in (25, 110, 69):
            self.epoch, self.owned = 0, {}
            return
        self.epoch = answer[0]
        if answer[1] is not None:
            self.owned = answer[1]


names = st.sampled_from(["a", "b", "c", "d"])
steps = st.lists(
    st.tuples(st.sampled_from(["beat", "beat", "beat", "leave", "vanish", "grow"]), names),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_members_never_share_a_partition_and_end_with_all_of_them(steps):
    scene = Members()
    consumers = {}
    for what, name in steps:
        if what == "grow":
            scene.broker.grow_topic("t", len(scene.topics["t"].logs) + 1)
        elif what == "vanish":
            # It is put out later; until then nobody else has what it read.
            consumers.pop(name, None)
        elif what == "leave" and name in consumers:
            gone = consumers.pop(name)
            if gone.epoch:
                scene.heartbeat(name, -1)
        else:
            consumers.setdefault(name, Consumer(name)).beat(scene)
        reads = [number for one in consumers.values() for number in one.owned.get("t", [])]
        assert len(reads) == len(set(reads))
    for _ in range(20):
        scene.clock.advance(3)
        for one in consumers.values():
            one.beat(scene)
    if consumers:
        reads = sorted(number for one in consumers.values() for number in one.owned.get("t", []))
        assert reads == list(range(len(scene.topics["t"].logs)))
        assert scene.describe()[0] == "Stable"
