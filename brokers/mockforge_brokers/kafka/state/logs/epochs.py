"""Where each leader of a partition began to write (KIP-101)."""

from bisect import bisect_right


class LeaderEpochs:
    """(epoch, first offset) of each epoch, ascending; the first one is 0."""

    __slots__ = ("_epochs", "_starts")

    def __init__(self) -> None:
        self._epochs = [0]
        self._starts = [0]

    def begin(self, epoch: int, offset: int) -> None:
        """`offset` is the first of an epoch; one that is not newer is ignored."""
        if epoch > self._epochs[-1]:
            self._epochs.append(epoch)
            self._starts.append(offset)

    def end_of(self, epoch: int, end: int) -> tuple[int, int]:
        """(epoch, end offset) of the greatest epoch up to `epoch`; `end` is that of the log."""
        place = bisect_right(self._epochs, epoch)
        return self._epochs[place - 1], self._starts[place] if place < len(self._starts) else end
