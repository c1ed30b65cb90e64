"""Transactions by chance against a model: what read_committed consumers see, and what is committed.

Two producers of transactions V2 and one without write into two partitions and commit offsets of one
group; transactions end by their producers, by a person, by their timeouts and by a new producer;
the broker is restarted. After each step consumers see what the model says.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from .scene import Scene
from .transacting import Player

PARTITIONS = (0, 1)
TIMEOUT = 60.0
NAMES = ("p", "q")
ABORTED, OPEN, COMMITTED = "aborted", "open", "committed"


class Transaction:
    def __init__(self, begun):
        self.begun = begun
        self.state = OPEN
        self.offset = None
        """(order, offset) that it would commit."""


class Producer:
    """One transactional id, and who has it."""

    def __init__(self, scene, name):
        self.player = Player(scene.call)
        self.player.id = name
        self.who = None
        self.fenced = False
        self.sequences = {}
        self.transaction = None

    def begin_anew(self, who):
        self.who, self.fenced, self.sequences = who, False, {}


class Transactions(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.scene = Scene()
        self.reader = Player(self.scene.call)
        self.reader.create(len(PARTITIONS))
        self.producers = {name: Producer(self.scene, name) for name in NAMES}
        self.logs = {partition: [] for partition in PARTITIONS}
        """Values in order, each with its transaction or None."""
        self.written = 0
        self.order = 0
        self.committed = (0, -1)
        """Order and offset of the last commit that counts."""

    def open_one(self, one):
        if one.transaction is None:
            one.transaction = Transaction(self.scene.clock.now())
        return one.transaction

    def settle(self, one, state):
        ended, one.transaction = one.transaction, None
        ended.state = state
        if state == COMMITTED and ended.offset is not None and ended.offset > self.committed:
            self.committed = ended.offset

    def value(self):
        self.written += 1
        return b"%d" % self.written

    @rule(name=st.sampled_from(NAMES))
    def take(self, name):
        one = self.producers[name]
        who = one.player.init()
        if one.player.said[-1][1][0]:
            # The transaction of the producer before was open, and is aborted by this.
            assert one.transaction is not None
            self.settle(one, ABORTED)
            who = one.player.init()
        else:
            assert one.transaction is None
        assert one.player.said[-1][1][0] == 0
        one.begin_anew(who)

    @rule(name=st.sampled_from(NAMES), partition=st.sampled_from(PARTITIONS))
    def write(self, name, partition):
        one = self.producers[name]
        if one.who is None:
            return
        sequence, value = one.sequences.get(partition, 0), self.value()
        code, _ = one.player.produce(one.who, sequence, value, partition=partition)
        assert (code != 0) == one.fenced
        if not code:
            self.logs[partition].append((value, self.open_one(one)))
            one.sequences[partition] = sequence + 1

    @rule(partition=st.sampled_from(PARTITIONS))
    def write_plainly(self, partition):
        value = self.value()
        self.scene.broker.publish("t", value, partition=partition)
        self.logs[partition].append((value, None))

    @rule(name=st.sampled_from(NAMES), offset=st.integers(0, 99))
    def commit_offset(self, name, offset):
        one = self.producers[name]
        if one.who is None:
            return
        code = one.player.commit_offset(one.who, offset, 5)
        assert (code != 0) == one.fenced
        if not code:
            self.order += 1
            self.open_one(one).offset = (self.order, offset)

    @rule(offset=st.integers(0, 99))
    def commit_plainly(self, offset):
        assert self.reader.plain_commit(offset) == 0
        self.order += 1
        self.committed = (self.order, offset)

    @rule(name=st.sampled_from(NAMES), committed=st.booleans())
    def end(self, name, committed):
        one = self.producers[name]
        if one.who is None or (one.transaction is None and not one.fenced):
            return
        who = one.player.end(one.who, committed)
        code = one.player.said[-1][1][0]
        # An abort of what was aborted meanwhile is taken for one that is said again, and answered
        # with the epoch that goes on (KIP-890).
        again = one.fenced and not committed
        assert (code != 0) == (one.fenced and committed)
        if not (code or again):
            self.settle(one, COMMITTED if committed else ABORTED)
        if not code:
            one.begin_anew(who)

    @rule(seconds=st.sampled_from((10.0, 35.0, 70.0)))
    def wait(self, seconds):
        self.scene.clock.advance(seconds)
        now = self.scene.clock.now()
        for one in self.producers.values():
            if one.transaction is not None and now - one.transaction.begun >= TIMEOUT:
                self.settle(one, ABORTED)
                one.fenced = True

    @rule(name=st.sampled_from(NAMES))
    def end_by_hand(self, name):
        one = self.producers[name]
        if one.transaction is not None:
            self.scene.broker.abort_transaction(name)
            self.settle(one, ABORTED)
            one.fenced = True

    @precondition(lambda self: self.written)
    @rule()
    def restart(self):
        self.scene.broker.restart()

    @invariant()
    def consumers_see_what_was_committed(self):
        for partition, log in self.logs.items():
            stable = []
            for value, transaction in log:
                if transaction is not None and transaction.state == OPEN:
                    break
                if transaction is None or transaction.state == COMMITTED:
                    stable.append(value)
            _, aborted, found = self.reader.fetch(partition=partition)
            assert read_committed(aborted, found) == stable
            *_, everything = self.reader.fetch(partition=partition, isolation=0)
            assert [bytes.fromhex(one[5]) for one in everything if one[4] == "data"] == [
                value for value, _ in log
            ]

    @invariant()
    def groups_are_where_they_were_committed(self):
        assert self.reader.committed(stable=False)[1] == self.committed[1]
        code = self.reader.committed()[0]
        unstable = any(
            one.transaction is not None and one.transaction.offset is not None
            for one in self.producers.values()
        )
        assert (code == 88) == unstable


def read_committed(aborted, found):
    """What a consumer hands out: it leaves out what was aborted, from its first offset on."""
    waiting = sorted(aborted, key=lambda pair: pair[1])
    skipped = set()
    values = []
    for offset, producer, _, _, kind, value in found:
        while waiting and waiting[0][1] <= offset:
            skipped.add(waiting.pop(0)[0])
        if kind != "data":
            skipped.discard(producer)
        elif producer not in skipped:
            values.append(bytes.fromhex(value))
    return values


Transactions.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestTransactions = Transactions.TestCase
