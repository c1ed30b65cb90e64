"""Consumer groups that fixture files simulate: they commit, and lag, without a client."""

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING

from mockforge_brokers.clock import Clock, Timer
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import Warned
from mockforge_brokers.spine import Spine

from ..fixtures.model import Group
from ..fixtures.rates import Range

if TYPE_CHECKING:
    from mockforge_brokers.kafka.broker import KafkaBroker

_CONSTANT = 0.5
"""Seconds between commits of a group that stays so far behind."""
_EARLY = 1e-9
"""Sums of times are not exact."""
_MOST_PICKED = 1_000
"""Records whose time is drawn one by one for a commit; beyond, each takes the mean."""


class SimulatedGroup:
    """A consumer group without a client: its commits are true, and so is its lag."""

    def __init__(
        self, group: Group, kafka: "KafkaBroker", clock: Clock, spine: Spine, random: Random
    ) -> None:
        self._group = group
        self._kafka = kafka
        self._clock = clock
        self._spine = spine
        self._random = random
        self._at: dict[tuple[str, int], int] = {}
        self._committed: dict[tuple[str, int], int] = {}
        self._working = False
        """It has been so far behind as it was to begin with."""
        self._spare = 0.0
        """Seconds that it had and did not need."""
        self._every = _CONSTANT if group.seconds is None else group.commit
        self._timer: Timer | None = None

    def start(self) -> None:
        for topic in self._group.topics:
            if self._kafka.has_topic(topic):
                for partition, (first, _) in enumerate(self._kafka.offsets(topic)):
                    self._at[topic, partition] = first
        self._commit()
        self._timer = self._clock.call_later(self._every, self._work)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _work(self) -> None:
        self._timer = self._clock.call_later(self._every, self._work)
        behind = self._behind()
        total = sum(behind.values())
        group = self._group
        if group.seconds is None:
            self._advance(behind, max(0, total - group.lag))
            return
        self._working = self._working or total >= group.lag
        if self._working:
            self._advance(behind, self._done(group.seconds, total))

    def _behind(self) -> dict[tuple[str, int], int]:
        """Records that are not yet read, by partition; topics may come and grow meanwhile."""
        behind: dict[tuple[str, int], int] = {}
        for topic in self._group.topics:
            if not self._kafka.has_topic(topic):
                continue
            for partition, (first, end) in enumerate(self._kafka.offsets(topic)):
                at = max(self._at.get((topic, partition), first), first)
                # A topic that was deleted and made again begins anew.
                at = self._at[topic, partition] = at if at <= end else first
                behind[topic, partition] = end - at
        return behind

    def _done(self, seconds: Range, total: int) -> int:
        """How many of so many records it gets through until now."""
        left = self._spare + self._every
        done = 0
        while done < min(total, _MOST_PICKED):
            cost = seconds.pick(self._random)
            if cost > left + _EARLY:
                self._spare = left
                return done
            left = max(0.0, left - cost)
            done += 1
        mean = (seconds.low + seconds.high) / 2
        more = total - done if mean == 0 else min(total - done, int(left / mean))
        # With nothing to do, time does not save up.
        self._spare = 0.0 if done + more == total else left - more * mean
        return done + more

    def _advance(self, behind: Mapping[tuple[str, int], int], count: int) -> None:
        """So many records further, of each partition its share."""
        total = sum(behind.values())
        if not count:
            self._commit()
            return
        shares = {each: backlog * count // total for each, backlog in behind.items()}
        rest = count - sum(shares.values())
        for each in sorted(behind, key=lambda one: shares[one] - behind[one])[:rest]:
            shares[each] += 1
        for each, share in shares.items():
            self._at[each] += share
        self._commit()

    def _commit(self) -> None:
        """What is not committed yet of where it is: by reading, or since the log begins later."""
        committed = self._committed
        offsets = {at: offset for at, offset in self._at.items() if committed.get(at) != offset}
        committed.update(offsets)
        try:
            self._kafka.commit(self._group.group, offsets)
        except InvalidInput as error:
            # Real members came: it is theirs.
            self.stop()
            about = f"group {self._group.group}"
            self._spine.emit(Warned("kafka", about, f"is simulated no more: {error}"))
