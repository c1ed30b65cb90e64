"""Facts become groups: what is written when, and who waits for it."""

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import DataWritable, DataWriteFailed
from mockforge_brokers.storage.facts import row_number
from mockforge_brokers.storage.runs import run_of

from .memory_disk import MemoryDisk


def store(*, at_once=False, prompt=False):
    disk = MemoryDisk(at_once=at_once)
    environment = Environment.create(ManualClock(1.0), seed=1)
    return disk.store_for(environment, prompt=prompt), disk, environment


def test_facts_of_some_milliseconds_are_one_group():
    kept, disk, environment = store()
    log = kept.new_log()
    kept.append(log, 0, b"a")
    environment.clock.advance(0.004)
    kept.append(log, 1, b"b")
    assert disk.waiting is None
    environment.clock.advance(0.001)
    assert list(disk.waiting.rows.values()) == [b"a", b"b"]


def test_what_waits_for_a_group_is_called_when_it_is_on_disk_and_not_before():
    kept, disk, environment = store()
    called = []
    kept.append(kept.new_log(), 0, b"a")
    kept.when(kept.group, lambda: called.append("a"))
    environment.clock.advance(0.005)
    kept.append(kept.new_log(), 0, b"b")
    kept.when(kept.group, lambda: called.append("b"))
    assert called == []
    disk.commit()
    assert called == ["a"]
    environment.clock.advance(0.005)
    disk.commit()
    assert called == ["a", "b"]
    kept.when(kept.committed, lambda: called.append("at once"))
    assert called[-1] == "at once"


def test_what_waits_for_a_group_is_called_also_where_the_next_one_cannot_be_made():
    def fail():
        raise ValueError("not now")

    kept, disk, environment = store()
    called = []
    log = kept.new_log()
    kept.append(log, 0, b"a")
    kept.when(kept.group, lambda: called.append("a"))
    environment.clock.advance(0.005)
    kept.append_late(log, 1, (fail, ()))
    kept.when(kept.group, lambda: called.append("b"))
    environment.clock.advance(0.005)
    with pytest.raises(ValueError, match="not now"):
        disk.commit()
    assert called == ["a"]


def test_a_group_grows_until_the_one_before_is_on_disk():
    kept, disk, environment = store()
    log = kept.new_log()
    kept.append(log, 0, b"a")
    environment.clock.advance(0.005)
    for position in range(1, 4):
        kept.append(log, position, b"b")
        environment.clock.advance(1)
    assert len(disk.waiting.rows) == 1
    disk.commit()
    assert len(disk.waiting.rows) == 3


def test_what_goes_in_the_group_in_which_it_came_is_never_written():
    kept, disk, environment = store()
    log = kept.new_log()
    for number, value in enumerate((b"a", b"b", b"c", b"d")):
        kept.append(log, number, value)
    kept.remove(log, 0)
    kept.remove_all(log, [1, 2])
    kept.trim(log, 4)
    environment.clock.advance(0.005)
    assert disk.waiting.rows == {}


def test_many_rows_go_at_once_whether_they_are_on_disk_or_not():
    kept, disk, environment = store(at_once=True)
    log = kept.new_log()
    for number in range(4):
        kept.append(log, number, b"old")
    environment.clock.advance(0.005)
    kept.remove_all(log, [])
    kept.remove_all(log, [0, 1])
    environment.clock.advance(0.005)
    assert [number & 0xFF for number in disk.rows] == [2, 3]
    kept.append(log, 4, b"new")
    kept.remove_all(log, [3, 4])
    environment.clock.advance(0.005)
    assert [number & 0xFF for number in disk.rows] == [2]


def test_a_row_that_is_replaced_and_removed_in_one_group_is_gone_from_disk():
    kept, disk, environment = store(at_once=True)
    log = kept.new_log()
    kept.append(log, 0, b"old")
    environment.clock.advance(0.005)
    kept.replace(log, 0, (bytes, (b"new",)))
    kept.remove(log, 0)
    environment.clock.advance(0.005)
    assert disk.rows == {}


def test_a_row_that_comes_anew_in_place_of_one_that_went_can_go_too():
    kept, disk, environment = store(at_once=True)
    log = kept.new_log()
    kept.append(log, 0, b"on disk")
    environment.clock.advance(0.005)
    kept.remove(log, 0)
    kept.append(log, 0, b"anew")
    kept.remove(log, 0)
    environment.clock.advance(0.005)
    assert disk.rows == {}


def test_an_entity_is_encoded_as_it_is_when_its_group_is_written():
    kept, disk, environment = store(at_once=True)
    value = [b"old"]
    kept.changed("thing", b"one", lambda: value[0])
    value[0] = b"new"
    environment.clock.advance(0.005)
    assert disk.entities == {"thing": {b"one": b"new"}}
    kept.changed("thing", b"one", lambda: None)
    environment.clock.advance(0.005)
    assert disk.entities == {"thing": {}}


def test_what_is_put_up_as_it_was_is_no_news():
    kept, disk, environment = store()
    with kept.still():
        kept.append(kept.new_log(), 0, b"a")
        kept.changed("thing", b"one", lambda: b"x")
    environment.clock.advance(1)
    assert (disk.waiting, kept.facts) == (None, 0)


def test_removing_is_written_and_nobody_waits_for_it():
    kept, disk, environment = store(at_once=True)
    log = kept.new_log()
    kept.append(log, 0, b"a")
    environment.clock.advance(0.005)
    before = kept.facts
    kept.remove(log, 0)
    environment.clock.advance(0.005)
    assert (kept.facts, disk.rows) == (before, {})


def test_failing_is_reported_once_and_ends_with_the_next_group():
    kept, disk, environment = store()
    emitted, told = [], []
    environment.spine.watch(emitted.append, DataWriteFailed, DataWritable)
    kept.on_failing(lambda: told.append(bool(kept.failing)))
    kept.append(kept.new_log(), 0, b"a")
    environment.clock.advance(0.005)
    kept.failed("the disk is full")
    kept.failed("the disk is full")
    assert emitted == [DataWriteFailed("data", "the disk is full")]
    disk.commit()
    assert (kept.failing, emitted[1:], told) == ("", [DataWritable("data")], [True, True, False])


def test_a_reason_that_becomes_another_one_is_reported_too():
    kept, _, environment = store()
    emitted = []
    environment.spine.watch(emitted.append, DataWriteFailed, DataWritable)
    for reason in ("is written anew", "the disk is full", "the disk is full", "in memory alone"):
        kept.failed(reason)
        assert kept.failing == reason
    assert [each.reason for each in emitted] == [
        "is written anew",
        "the disk is full",
        "in memory alone",
    ]


def test_the_end_writes_what_was_gathered():
    kept, disk, _ = store()
    kept.append(kept.new_log(), 0, b"a")
    kept.close()
    assert (disk.closed, list(disk.rows.values())) == (True, [b"a"])


def test_whatever_a_step_of_the_end_raises_the_disk_lets_go_and_has_all_else():
    kept, disk, _ = store()
    called, log = [], kept.new_log()

    def fails():
        raise RuntimeError("a bug")

    kept.on_close(fails)
    kept.on_close(lambda: called.append("behind it"))
    kept.append(log, 0, b"a")
    with pytest.raises(RuntimeError, match="a bug"):
        kept.close()
    assert (called, disk.closed, list(disk.rows.values())) == (["behind it"], True, [b"a"])


def test_what_cannot_be_encoded_at_the_end_leaves_no_folder_locked():
    kept, disk, _ = store()
    kept.changed("thing", b"one", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        kept.close()
    assert disk.closed


def test_the_lag_is_the_age_of_the_oldest_fact_that_is_not_on_disk():
    kept, disk, environment = store()
    assert kept.lag == 0
    kept.append(kept.new_log(), 0, b"a")
    environment.clock.advance(0.005)
    environment.clock.advance(2)
    assert kept.lag == 2.005
    disk.commit()
    assert kept.lag == 0


def eager_store():
    disk = MemoryDisk(at_once=False)
    environment = Environment.create(ManualClock(1.0), seed=1)
    return disk.store_for(environment, eager=True), disk, environment.clock


def test_an_eager_store_waits_for_nobody_who_does_not_speak():
    kept, disk, clock = eager_store()
    kept.append(kept.new_log(), 0, b"a")
    assert disk.waiting is None, "not in the midst of what caused it"
    clock.advance(0)
    assert list(disk.waiting.rows.values()) == [b"a"]
    disk.commit()
    clock.advance(1)
    assert disk.waiting is None, "no group of nothing when its time would have come"


def test_an_eager_store_s_group_grows_while_each_turn_brings_facts():
    kept, disk, clock = eager_store()
    log = kept.new_log()

    def turn(number):
        kept.append(log, number, b"a")
        if number < 9:
            clock.call_later(0, turn, number + 1)

    turn(0)
    clock.advance(0)
    assert len(disk.waiting.rows) == 10


def test_an_eager_store_closes_a_group_behind_another_when_that_one_is_on_disk():
    kept, disk, clock = eager_store()
    log = kept.new_log()
    kept.append(log, 0, b"a")
    clock.advance(0)
    for position in range(1, 4):
        kept.append(log, position, b"b")
        clock.advance(0)
    assert len(disk.waiting.rows) == 1
    disk.commit()
    assert len(disk.waiting.rows) == 3
    disk.commit()
    assert disk.waiting is None


def test_an_eager_store_takes_its_time_for_what_nobody_waits_for():
    kept, disk, clock = eager_store()
    log = kept.new_log()
    kept.append(log, 0, b"a")
    clock.advance(0)
    disk.commit()
    kept.remove(log, 0)
    clock.advance(0.004)
    assert disk.waiting is None
    clock.advance(0.001)
    assert disk.waiting.gone


def test_a_late_row_is_encoded_with_its_group_and_not_at_all_where_it_is_gone_by_then():
    kept, disk, environment = store()
    log, encoded = kept.new_log(), []

    def encode(value):
        encoded.append(value)
        return value

    kept.append_late(log, 0, (encode, (b"goes",)))
    kept.append_late(log, 1, (encode, (b"stays",)))
    kept.append(log, 2, b"plain")
    kept.remove(log, 0)
    assert encoded == []
    environment.clock.advance(0.005)
    assert (encoded, list(disk.waiting.rows.values())) == ([b"stays"], [b"stays", b"plain"])
    disk.commit()
    kept.append(log, 3, b"next")
    environment.clock.advance(0.005)
    assert list(disk.waiting.rows.values()) == [b"next"]


def test_a_prompt_store_writes_what_was_gathered_when_it_is_asked_to():
    kept, disk, _ = store(at_once=True, prompt=True)
    log, called = kept.new_log(), []
    kept.append(log, 0, b"a")
    kept.append(log, 1, b"b")
    kept.when(kept.group, lambda: called.append("there"))
    assert (disk.rows, called) == ({}, [])
    kept.commit()
    assert (list(disk.rows.values()), called, kept.committed) == ([b"a", b"b"], ["there"], 1)
    kept.commit()
    assert kept.group == 2, "there was nothing to write"


def test_a_group_of_one_row_has_a_way_of_its_own():
    kept, disk, environment = store(at_once=True, prompt=True)
    log, called, by_late = kept.new_log(), [], []
    late = (lambda: by_late.append(1) or b"late", ())
    for position, value in enumerate((b"a", late, b"c")):
        kept.when(kept.group, lambda: called.append(kept.committed))
        add = kept.append if isinstance(value, bytes) else kept.append_late
        add(log, position, value)
        environment.clock.advance(0.001)
        kept.commit()
        assert (kept.committed, kept.group) == (position + 1, position + 2)
    assert (list(disk.rows.values()), called, by_late) == ([b"a", b"late", b"c"], [1, 2, 3], [1])
    assert (disk.alone(), kept.commits, kept.rows_written, kept.bytes_written) == ((3, 6), 3, 3, 6)
    assert (kept.lag, kept.last_commit) == (0, environment.clock.wall())
    assert kept.longest == pytest.approx(0.001)
    kept.remove(log, 0)
    kept.replace(log, 1, (bytes, (b"new",)))
    kept.commit()
    assert (list(disk.rows.values()), kept.commits) == ([b"new", b"c"], 4)
    kept.remove(log, 1)
    kept.append(log, 3, b"d")
    kept.commit()
    kept.commit()
    assert (list(disk.rows.values()), disk.alone()[0], kept.commits) == ([b"c", b"d"], 5, 5)


def _two(kept, log):
    kept.append(log, 2, b"more")


def _entity(kept, log):
    kept.changed("thing", b"one", lambda: b"x")


def _range(kept, log):
    kept.trim(log, 1)


@pytest.mark.parametrize("more", [_two, _entity, _range])
def test_a_group_of_more_than_one_row_is_written_as_a_whole(more):
    kept, disk, _ = store(at_once=True, prompt=True)
    log = kept.new_log()
    kept.append(log, 1, b"a")
    more(kept, log)
    kept.commit()
    assert (disk.alone(), kept.committed, next(iter(disk.rows.values()))) == ((0, 0), 1, b"a")


def test_one_row_that_cannot_be_encoded_is_there_for_the_next_try():
    kept, disk, _ = store(at_once=True, prompt=True)
    values = [b"good"]
    kept.append_late(kept.new_log(), 1, (lambda: values.pop(), ()))
    good = values.pop()
    with pytest.raises(IndexError):
        kept.commit()
    assert (disk.rows, kept.committed) == ({}, 0)
    values.append(good)
    kept.commit()
    assert (list(disk.rows.values()), kept.committed) == ([b"good"], 1)


def test_what_nobody_asks_a_prompt_store_to_write_is_written_in_time():
    kept, disk, environment = store(at_once=True, prompt=True)
    log = kept.new_log()
    for position in range(3):
        kept.append(log, position, b"a")
        environment.clock.advance(0.005)
        assert len(disk.rows) == position + 1
    kept.append(log, 3, b"a")
    kept.commit()
    environment.clock.advance(0.004)
    kept.append(log, 4, b"a")
    assert len(disk.rows) == 4
    environment.clock.advance(0.005)
    assert len(disk.rows) == 5


def test_a_prompt_store_whose_disk_takes_its_time_gathers_meanwhile():
    kept, disk, _ = store(prompt=True)
    log = kept.new_log()
    for position in range(3):
        kept.append(log, position, b"a")
        kept.commit()
    assert len(disk.waiting.rows) == 1
    disk.commit()
    kept.commit()
    assert len(disk.waiting.rows) == 2


def test_a_store_that_waits_for_its_disk_is_not_asked():
    kept, disk, _ = store(at_once=True)
    kept.append(kept.new_log(), 0, b"a")
    kept.commit()
    assert disk.rows == {}


def test_the_figures_say_what_is_confirmed():
    assert [store(prompt=each)[0].figures()["sync"] for each in (True, False)] == ["os", "commit"]


class Passing:
    """A source of a log whose rows may be gone before they are asked for."""

    def __init__(self, kept, owner=""):
        self.kept, self.number, self.last = kept, kept.new_log(owner), 0
        self.there = {}

    def add(self, count=1, *, passing=True):
        for _ in range(count):
            self.last += 1
            self.there[row_number(self.number, self.last)] = b"%d" % self.last
        self.kept.touch(self, count, passing=passing)

    def catch_up(self):
        there, self.there = self.there, {}
        self.kept.fill(there)


def test_a_source_is_asked_when_its_group_is_written_and_what_went_before_is_not():
    kept, disk, environment = store(at_once=True)
    source, called = Passing(kept), []
    before = kept.facts
    source.add(3)
    assert kept.facts > before, "whoever brought it waits"
    kept.when(kept.group, lambda: called.append("there"))
    del source.there[row_number(source.number, 2)]
    environment.clock.advance(0.005)
    assert (sorted(disk.rows.values()), called) == ([b"1", b"3"], ["there"])
    seen = kept.facts
    source.add()
    environment.clock.advance(0.005)
    assert kept.facts == seen + 1, "to fill in a row is no fact: nobody waits for the next group"


def test_where_all_that_came_is_gone_nothing_is_written_and_nobody_waits():
    kept, disk, environment = store()
    source, called = Passing(kept), []
    source.add(3)
    kept.when(kept.group, lambda: called.append("there"))
    source.there.clear()
    environment.clock.advance(0.005)
    assert (disk.waiting, kept.commits, called) == (None, 0, ["there"])
    kept.append(kept.new_log(), 0, b"a")
    environment.clock.advance(0.005)
    assert list(disk.waiting.rows.values()) == [b"a"], "and the store goes on"


def test_a_prompt_store_waits_for_many_that_may_soon_be_done_with():
    kept, disk, environment = store(at_once=True, prompt=True)
    source, clock = Passing(kept), environment.clock
    source.add(20)
    kept.commit()
    source.add(20, passing=False)
    kept.commit()
    assert disk.rows == {}
    clock.advance(0.001)
    assert len(disk.rows) == 40, "a millisecond brought nothing"


class Bursts(Passing):
    """One whose rows are a run."""

    def catch_up(self):
        there, self.there = self.there, {}
        numbers = range(min(there), max(there) + 1)
        self.kept.fill_run(run_of(numbers, list(there.values()), b"<", b">"))


def test_a_run_is_written_as_it_is():
    kept, disk, environment = store(prompt=True)
    source = Bursts(kept)
    source.add(3)
    environment.clock.advance(0.005)
    assert (disk.waiting.rows, len(disk.waiting.runs)) == ({}, 1)
    disk.commit()
    assert list(disk.rows.values()) == [b"<1>", b"<2>", b"<3>"]
    assert (kept.rows_written, kept.bytes_written) == (3, 9)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda kept, log: kept.remove(log, 2), [b"<1>", b"<3>"]),
        (lambda kept, log: kept.remove_all(log, [1, 3]), [b"<2>"]),
        (lambda kept, log: kept.trim(log, 3), [b"<3>"]),
        (lambda kept, log: kept.append(log, 3, b"other"), [b"<1>", b"<2>", b"other"]),
        (lambda kept, log: kept.lose("owner"), []),
    ],
)
def test_what_happens_to_a_row_of_a_run_before_it_is_written_counts(change, left):
    kept, disk, environment = store()
    source = Bursts(kept)
    kept.known_log(source.number, "owner")
    source.add(3)
    kept.catch_up()
    disk.at_once = True
    change(kept, source.number)
    environment.clock.advance(0.005)
    assert list(disk.rows.values()) == left


def test_what_changes_state_lets_all_sources_catch_up_first():
    kept, disk, environment = store(at_once=True)
    source = Passing(kept)
    source.add(2)
    kept.catch_up()
    assert source.there == {}
    kept.remove(source.number, 1)
    environment.clock.advance(0.005)
    assert list(disk.rows.values()) == [b"2"]


def test_what_waits_for_acknowledgements_waits_some_times_as_long_as_others():
    kept, disk, environment = store(at_once=True, prompt=True)
    source, written = Passing(kept), []
    for _ in range(30):
        source.add(20)
        kept.commit()
        environment.clock.advance(0.0009)
        written.append(len(disk.rows))
    first = next(index for index, count in enumerate(written) if count)
    assert 0.015 < first * 0.0009 <= 0.02


def _come(kept, log):
    kept.append(log, 9, b"more")


def _come_late(kept, log):
    kept.append_late(log, 9, (bytes.upper, (b"more",)))


def _are_replaced(kept, log):
    kept.replace(log, 1, (bytes.upper, (b"more",)))


def _come_anew(kept, log):
    kept.remove(log, 1)
    kept.append(log, 1, b"more")


def _go(kept, log):
    kept.remove(log, 1)


def _come_from_a_source(kept, log):
    Passing(kept).add()


def _are_filled_in(kept, log):
    kept.fill({row_number(log, 9): b"more"})


def _come_in_a_run(kept, log):
    kept.fill_run(run_of(range(row_number(log, 9), row_number(log, 11)), [b"x", b"y"], b"<", b">"))


def _are_trimmed(kept, log):
    kept.trim(log, 3)


def _are_dropped(kept, log):
    kept.drop(log)


def _change(kept, log):
    kept.changed("kind", b"name", lambda: b"more")


_FACTS = [
    _come, _come_late, _are_replaced, _come_anew, _go, _come_from_a_source, _are_filled_in,
    _come_in_a_run, _are_trimmed, _are_dropped, _change,
]  # fmt: skip


@pytest.mark.parametrize("before", [False, True], ids=["behind a row", "before it"])
@pytest.mark.parametrize("fact", [*_FACTS, None], ids=lambda fact: fact and fact.__name__)
def test_with_whatever_a_row_comes_all_of_it_is_written_and_once(fact, before):
    """A row alone has a way of its own; what comes with it is not to be forgotten there."""
    found = []
    for alone in (True, False):
        kept, disk, _ = store(at_once=True, prompt=True)
        if not alone:
            disk.write_row = lambda *_: False
        log, other = kept.new_log(), kept.new_log()
        for position in range(1, 4):
            kept.append(log, position, b"there")
        kept.commit()
        if fact is not None and before:
            fact(kept, log)
        kept.append(other, 1, b"row")
        if fact is not None and not before:
            fact(kept, log)
        kept.commit()
        kept.append(other, 2, b"next")
        kept.commit()
        assert kept.newest == kept.committed
        if alone:
            assert disk.rows_alone[-1] == b"next"
        found.append((disk.rows, disk.entities))
    assert found[0] == found[1]
    assert row_number(other, 1) in found[0][0]


def test_what_a_broker_loses_is_its_own_and_what_others_gathered_stays():
    kept, disk, environment = store(at_once=True)
    ours, theirs = kept.new_log("kafka"), kept.new_log("mqtt")
    for log in (ours, theirs):
        kept.append(log, 0, b"there")
        kept.append(log, 1, b"goes")
    for kind in ("kafka.topic", "mqtt.session"):
        kept.changed(kind, b"there", lambda: b"one")
    environment.clock.advance(0.01)
    source, other = Passing(kept, "kafka"), Passing(kept, "mqtt")
    for log in (ours, theirs):
        kept.append(log, 2, b"came")
        kept.remove(log, 1)
        kept.trim(log, 1)
    for kind in ("kafka.topic", "mqtt.session"):
        kept.changed(kind, b"there", lambda: None)
    source.add()
    other.add()
    found = kept.lose("kafka")
    assert found.log(ours) == [(0, b"there"), (1, b"goes")]
    assert found.of_kind("kafka.topic") == {b"there": b"one"}
    environment.clock.advance(0.01)
    left = disk.kept()
    assert left.log(ours) == [(0, b"there"), (1, b"goes")]
    assert left.log(theirs) == [(2, b"came")]
    assert not left.log(source.number)
    assert len(left.log(other.number)) == 1
    assert left.entities == {"kafka.topic": {b"there": b"one"}, "mqtt.session": {}}
    assert kept.lose("kafka") is None, "all that it knows is there"


def test_a_log_that_is_gone_for_good_has_no_owner_any_more():
    kept, _, environment = store(at_once=True)
    log = kept.new_log("kafka")
    kept.append(log, 0, b"a")
    environment.clock.advance(0.01)
    kept.drop(log)
    assert kept.lose("kafka").log(log) == [(0, b"a")]
    kept.drop(log)
    environment.clock.advance(0.01)
    kept.drop(log)
    assert kept.lose("kafka") is None


def test_a_store_that_waits_for_no_disk_loses_nothing_that_it_can_write():
    kept, disk, _ = store(at_once=True, prompt=True)
    log = kept.new_log("amqp")
    kept.append(log, 0, b"by hand")
    assert kept.lose("amqp") is None
    assert list(disk.rows.values()) == [b"by hand"]
    source = Passing(kept, "amqp")
    source.add(20)
    kept.append(log, 1, b"beside them")
    kept.commit()
    assert len(disk.rows) == 1, "it waits for acknowledgements"
    assert kept.lose("amqp") is None
    assert len(disk.rows) == 22


def test_what_came_while_the_thread_writes_a_group_is_not_lost_behind_it():
    kept, disk, _ = store(prompt=True)
    log, called = kept.new_log("amqp"), []
    for position in range(2):
        kept.append(log, position, b"by hand")
        kept.when(kept.group, lambda: called.append(len(disk.rows)))
        kept.commit()
    assert kept.lose("amqp") is None
    assert (len(disk.rows), len(disk.waiting.rows), called) == (1, 1, [1])
    kept.written(1)
    assert called == [1], "what the thread has to say of the first says nothing of the second"
    disk.commit()
    assert (called, kept.committed) == ([1, 2], 2)


def test_while_nothing_can_be_written_a_kill_loses_nothing_and_waits_for_nobody():
    kept, disk, _ = store(prompt=True)
    log = kept.new_log("amqp")
    for position in range(2):
        kept.append(log, position, b"by hand")
        kept.commit()
    disk.full = True
    assert kept.lose("amqp") is None
    disk.full = False
    disk.commit()
    kept.commit()
    disk.commit()
    assert len(disk.rows) == 2


@pytest.mark.parametrize("prompt", [False, True])
def test_what_cannot_be_encoded_leaves_all_of_its_group_for_the_next_try(prompt):
    kept, disk, environment = store(at_once=True, prompt=prompt)
    log, broken, called = kept.new_log(), [True], []

    def encode(value=b"one"):
        if broken:
            raise ValueError("not now")
        return value

    for late in (False, True):
        broken[:] = [True]
        kept.append(log, 0, b"a")
        kept.append(log, 2, b"b")
        if late:
            kept.append_late(log, 1, (encode, (b"late",)))
        else:
            kept.changed("thing", b"one", encode)
        number = kept.group
        kept.when(number, lambda: called.append(dict(disk.rows)))
        with pytest.raises(ValueError, match="not now"):
            environment.clock.advance(0.005)
        assert (kept.group, kept.committed) == (number, number - 1)
        broken.clear()
        environment.clock.advance(0.005)
        assert kept.committed == number, "without another fact"
    first, second = called
    assert sorted(first.values()) == [b"a", b"b"]
    assert sorted(second.values()) == [b"a", b"b", b"late"]
    assert disk.entities == {"thing": {b"one": b"one"}}


def test_a_source_that_fails_is_asked_again_and_so_are_those_behind_it():
    kept, disk, environment = store(at_once=True)

    class Rows:
        def __init__(self, number):
            self.number, self.broken = number, True

        def catch_up(self):
            if self.broken:
                raise ValueError("not now")
            kept.fill({row_number(self.number, 0): b"row"})

    sources = [Rows(kept.new_log()) for _ in range(3)]
    sources[0].broken = False
    for each in sources:
        kept.touch(each)
    for each in sources[1:]:
        with pytest.raises(ValueError, match="not now"):
            environment.clock.advance(0.005)
        assert (kept.committed, disk.rows) == (0, {})
        each.broken = False
    environment.clock.advance(0.005)
    assert (kept.committed, len(disk.rows)) == (1, 3)
