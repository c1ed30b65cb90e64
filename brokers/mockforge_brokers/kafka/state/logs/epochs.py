"""Where each leader of a partition began to write (KIP-101)."""

from bisect import bisect_right


class LeaderEpochs:
    """(epoch, first offset) of each epoch, ascending, from that of the log's first offset on."""

    __slots__ = ("_epochs", "_starts")

    def __init__(self) -> None:
        self._epochs = [0]
        self._starts = [0]

    def begin(self, epoch: int, offset: int) -> None:
        """`offset` is the first of an epoch; one that is not newer is ignored.

        As in Kafka, of leaders that wrote nothing in between nothing is remembered.
        """
        if epoch <= self._epochs[-1]:
            return
        while self._starts and self._starts[-1] >= offset:
            del self._epochs[-1], self._starts[-1]
        self._epochs.append(epoch)
        self._starts.append(offset)

    @property
    def first(self) -> int:
        return self._epochs[0]

    def truncate_before(self, offset: int) -> None:
        """Below this offset is nothing: epochs that ended there are forgotten, as in Kafka."""
        gone = bisect_right(self._starts, offset) - 1
        if gone > 0:
            del self._epochs[:gone], self._starts[:gone]
        self._starts[0] = max(self._starts[0], offset)

    def end_of(self, epoch: int, end: int) -> tuple[int, int]:
        """(epoch, end offset) of the greatest epoch up to `epoch`; `end` is that of the log.

        Of one below all that are known: itself, and where the first one begins.
        """
        place = bisect_right(self._epochs, epoch)
        if not place:
            return epoch, self._starts[0]
        return self._epochs[place - 1], self._starts[place] if place < len(self._starts) else end
