"""Whether a group waits for acknowledgements, and for how long; on a manual clock."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.storage.patience import Patience

MANY = 100


class Groups:
    """A store's part: it closes a group when it is asked to, and counts facts."""

    def __init__(self):
        self.clock = ManualClock(1.0)
        self.facts = 0
        self.closed = 0
        self.patience = Patience(self.clock, lambda: self.facts, self.close)

    def close(self):
        self.closed += 1
        self.patience.closed()

    def sent(self, count=MANY):
        self.facts += count
        self.patience.sent(count)

    def commit(self):
        """Whether it was written."""
        if self.patience.waits():
            return False
        self.close()
        return True


def test_few_are_written_at_once():
    groups = Groups()
    groups.sent(15)
    assert groups.commit()
    groups.sent(15)
    assert groups.commit(), "each group counts anew"


def test_many_wait_until_all_are_acknowledged_and_not_in_the_midst_of_that():
    groups = Groups()
    groups.sent()
    assert not groups.commit()
    groups.patience.done(MANY - 1)
    groups.clock.advance(0)
    assert groups.closed == 0
    groups.patience.done(1)
    assert groups.closed == 0
    groups.clock.advance(0)
    assert groups.closed == 1
    groups.clock.advance(1)
    assert groups.closed == 1, "what watched it has ended"


def test_what_comes_before_the_end_is_known_waits_on():
    groups = Groups()
    groups.sent()
    groups.commit()
    groups.patience.done(MANY)
    groups.sent()
    groups.clock.advance(0)
    assert groups.closed == 0


def test_as_long_as_any_come_or_are_acknowledged_it_waits():
    groups = Groups()
    groups.sent(1000)
    groups.commit()
    for number in range(6):
        groups.clock.advance(0.0009)
        if number % 2:
            groups.sent(1)
        else:
            groups.patience.done(200)
    assert groups.closed == 0
    groups.clock.advance(0.003)
    assert groups.closed == 1


def test_a_group_that_somebody_else_closes_is_watched_no_more():
    groups = Groups()
    groups.sent()
    groups.commit()
    groups.patience.done(MANY)
    groups.close()
    groups.sent()
    groups.commit()
    groups.clock.advance(0)
    assert groups.closed == 1
    groups.clock.advance(0.001)
    assert groups.closed == 2


@pytest.mark.parametrize(("done", "wait"), [(0, False), (40, False), (60, True)])
def test_after_a_wait_in_vain_the_next_ones_do_not_wait(done, wait):
    groups = Groups()
    groups.sent()
    groups.commit()
    groups.patience.done(done)
    groups.clock.advance(0.01)
    assert groups.closed == 1
    groups.sent()
    assert groups.commit() is not wait


def test_each_wait_in_vain_lets_twice_as_many_go_at_once_up_to_a_bound():
    groups = Groups()
    found = []
    for _ in range(9):
        at_once = 0
        while True:
            groups.sent()
            if not groups.commit():
                break
            at_once += 1
        found.append(at_once)
        groups.clock.advance(0.001)
    assert found == [0, 4, 8, 16, 32, 64, 128, 256, 256]
    while True:
        groups.sent()
        if not groups.commit():
            break
    groups.patience.done(MANY)
    groups.clock.advance(0)
    groups.sent()
    assert not groups.commit(), "one that was worth it"


@example(
    [
        *(("sent", MANY), ("commit", 0)),
        *[("wait", 0)] * 3,
        *[("commit", 0)] * 4,
        *(("sent", MANY), ("commit", 0)),
    ]
)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["sent", "done"]), st.sampled_from([1, 15, 16, MANY])),
            st.tuples(st.sampled_from(["commit", "turn", "wait"]), st.just(0)),
        ),
        max_size=60,
    )
)
def test_whoever_neither_asks_nor_tells_it_while_it_is_idle_misses_nothing(steps):
    always, seldom = Groups(), Groups()
    for what, count in steps:
        seen = []
        for each in (always, seldom):
            patience = each.patience
            match what:
                case "sent":
                    each.sent(count)
                case "done":
                    patience.done(count)
                case "commit" if each is seldom and patience.idle:
                    each.closed += 1
                case "commit":
                    each.commit()
                case "turn" | "wait":
                    each.clock.advance(0.002 * (what == "wait"))
            seen.append((each.closed, patience.waiting))
        assert seen[0] == seen[1]
