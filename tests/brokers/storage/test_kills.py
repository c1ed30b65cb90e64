"""Any groups, in tiny segments that roll and are cleaned, and kills: all confirmed is there."""

import random

import pytest
from mockforge_brokers.storage.facts import POSITION_BITS, Group, row_number
from mockforge_brokers.storage.runs import Run, run_of

from .memory_disk import MemoryDisk
from .test_disk import killed, read, write, writer

LOGS = 4


class Dice:
    """Groups as stores make them: rows of a log ascend, what was trimmed never comes again."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.next = dict.fromkeys(range(1, LOGS + 1), 0)
        self.there = {log: set() for log in self.next}
        self.number = 0

    def group(self):
        dice = self.dice
        self.number += 1
        rows, gone, ranges, entities = {}, [], [], []
        for _ in range(dice.randrange(12)):
            log = dice.choice(list(self.next))
            there = self.there[log]
            match dice.randrange(9):
                case 0 | 1 | 2 | 3:
                    # Kafka's base offsets have gaps.
                    self.next[log] += dice.choice((1, 1, 50))
                    rows[row_number(log, self.next[log])] = dice.randbytes(dice.randrange(200))
                    there.add(self.next[log])
                case 4 if there:
                    rows[row_number(log, dice.choice(sorted(there)))] = b"replaced"
                case 5 | 6 if there:
                    self.remove(log, dice.choice(sorted(there)), rows, gone)
                case 7:
                    end = dice.randrange(self.next[log] + 1)
                    self.trim(log, row_number(log, end), end, rows, ranges)
                case 8:
                    value = None if dice.random() < 0.3 else dice.randbytes(dice.randrange(90))
                    entities.append(("kind", b"%d" % dice.randrange(5), value))
        if dice.random() < 0.03:
            log = dice.choice(list(self.next))
            self.trim(log, row_number(log + 1, 0), self.next[log] + 1, rows, ranges)
            fresh = max(self.next) + 1
            del self.next[log]
            self.next[fresh], self.there[fresh] = 0, set()
        runs = [self.run() for _ in range(dice.choice((0, 0, 0, 1, 2)))]
        return Group(self.number, rows, gone, ranges, entities, runs)

    def run(self):
        dice = self.dice
        log, size = dice.choice(list(self.next)), dice.randrange(1, 60)
        count, first = dice.randrange(1, 9), self.next[log] + 1
        self.next[log] += count
        self.there[log].update(range(first, first + count))
        contents = [dice.randbytes(size) for _ in range(count)]
        numbers = range(row_number(log, first), row_number(log, first + count))
        if dice.random() < 0.5:
            return run_of(numbers, contents, b"before", b"after")
        # As they lie in what a client sent, in two reads.
        some = dice.randrange(1, count + 1)
        pieces = [b"-head-".join(part) for part in (contents[:some], contents[some:]) if part]
        return Run(numbers, b"before", b"after", size, size + len(b"-head-"), pieces)

    def begin_with(self, rows):
        """These are there, and no others."""
        self.there = {log: set() for log in self.next}
        for number in rows:
            log, position = number >> POSITION_BITS, number & ((1 << POSITION_BITS) - 1)
            # That a log is gone may be lost, too.
            self.next[log] = max(position, self.next.get(log, 0))
            self.there.setdefault(log, set()).add(position)

    def remove(self, log, position, rows, gone):
        self.there[log].discard(position)
        number = row_number(log, position)
        rows.pop(number, None)
        gone.append(number)

    def trim(self, log, last, end, rows, ranges):
        first = row_number(log, 0)
        ranges.append((first, last))
        self.there[log] = {each for each in self.there[log] if each >= end}
        for number in [each for each in rows if first <= each < last]:
            del rows[number]


def keep(made, group):
    """As a store does it; returns whether it took the way for one row."""
    if one_row(made, group):
        return True
    write(made, group)
    return False


def one_row(made, group):
    """Whether it is a group of one row, and is there."""
    if len(group.rows) != 1 or group.ranges or group.entities or group.runs or made.through:
        return False
    ((row, value),) = group.rows.items()
    return made.write_row(group.number, row, value, group.gone)


def contents(kept):
    rows = {log << POSITION_BITS | at: value for log in kept.logs for at, value in kept.logs[log]}
    return rows, {kind: names for kind, names in kept.entities.items() if names}


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("through", [True, False])
def test_after_any_kill_all_that_was_confirmed_is_there_and_nothing_else(
    tmp_path, monkeypatch, seed, through
):
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 3_000)
    monkeypatch.setattr("mockforge_brokers.storage.cleaner._FLOOR", 2_000)
    monkeypatch.setattr("mockforge_brokers.storage.cleaner._PIECE", 500)
    dice, model, emptied, alone = Dice(seed), MemoryDisk(), set(), 0
    for _ in range(12):
        made = writer(tmp_path, through=through)
        for _ in range(dice.dice.randrange(40)):
            group = dice.group()
            model._apply(group)
            alone += keep(made, group)
        assert made.sizes()["live"] == made._live.size
        live = made._live
        assert live.size >= sum(map(len, model.rows.values()))
        emptied |= set(range(1, min(live.segments)))
        killed(made)
        assert contents(read(tmp_path)[0]) == contents(model.kept())
    assert emptied, "nothing was cleaned"
    assert bool(alone) != through, "none was written by the way for one row"
