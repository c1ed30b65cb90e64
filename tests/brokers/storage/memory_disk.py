"""A disk in a test's hands: groups are there when it says so, and it can be full."""

from mockforge_brokers.storage.facts import POSITION_BITS, Group, Kept
from mockforge_brokers.storage.parts import Parts
from mockforge_brokers.storage.segments import checksum
from mockforge_brokers.storage.store import Store


class MemoryDisk:
    """`Disk` without files. `commit` lets the group that waits be on disk."""

    def __init__(self, *, at_once=True):
        self.rows = {}
        self.entities = {}
        self.at_once = at_once
        self.waiting = None
        self.store = None
        self.closed = False
        self.full = False
        self.rows_alone = []
        """Values of the rows that were written by the way for these."""
        self.in_parts = 0
        """Rows whose values came so."""

    def store_for(self, environment, interval=0.005, *, eager=False, prompt=False):
        self.store = environment.store = Store(
            environment.clock, environment.spine, self, interval, eager=eager, prompt=prompt
        )
        return self.store

    def write(self, group):
        assert self.waiting is None, "a group is handed over before the last one is on disk"
        self.waiting = group
        if self.at_once:
            self.commit()

    def write_row(self, group, row, value, gone):
        if not self.at_once or self.full:
            return False
        self.rows_alone.append(value)
        self._apply(Group(group, {row: value}, list(gone)))
        return True

    def alone(self):
        return len(self.rows_alone), sum(map(len, self.rows_alone))

    def commit(self):
        group, self.waiting = self.waiting, None
        self._apply(group)
        self.store.written(group.number)

    def _apply(self, group):
        for number, value in group.rows.items():
            self.rows[number] = bytes(value)
            if isinstance(value, Parts):
                self.in_parts += 1
                assert value.checksum == checksum(self.rows[number])
                assert len(value) == len(self.rows[number])
        for run in group.runs:
            self.rows |= run.rows()
        for number in group.gone:
            self.rows.pop(number, None)
        for first, end in group.ranges:
            self.rows = {at: row for at, row in self.rows.items() if not first <= at < end}
        for kind, name, value in group.entities:
            if value is None:
                self.entities.get(kind, {}).pop(name, None)
            else:
                self.entities.setdefault(kind, {})[name] = value

    def close(self, last):
        if last is not None:
            self._apply(last)
        self.closed = True

    def read(self):
        if self.full:
            return None
        if self.waiting is not None:
            self._apply(self.waiting)
        return self.kept(clean=False)

    def wait(self):
        if self.waiting is not None and not self.full:
            self._apply(self.waiting)
            self.waiting = None
        return not self.full

    def sizes(self):
        return {}

    def kept(self, *, clean=True):
        """What a start would find."""
        found = Kept({kind: dict(sorted(names.items())) for kind, names in self.entities.items()})
        for number, value in sorted(self.rows.items()):
            log, position = number >> POSITION_BITS, number & ((1 << POSITION_BITS) - 1)
            found.logs.setdefault(log, []).append((position, value))
        found.clean = clean
        return found
