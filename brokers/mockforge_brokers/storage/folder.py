"""A data folder from its opening to its end: the file, its writer and the store that feeds it."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from ..contract import Broker
from ..environment import Environment
from ..events import Warned
from ..protocols import PROTOCOLS
from .accounts import StoredAccess
from .disk import Files
from .missing import Missing, described
from .refused import DataError
from .store import Store
from .writer import Writer


class DataFolder:
    """What `--data-dir` names. Raises DataError.

    `call` runs a function in the loop's thread, `interval` is the time in seconds in which facts
    are gathered for one group at most. `through`: what is confirmed is on disk, and not only in the
    system's hands, where it outlives this program and not the machine.
    """

    def __init__(
        self,
        path: Path,
        environment: Environment,
        call: Callable[..., Any],
        interval: float,
        *,
        through: bool = False,
    ) -> None:
        self.path = path
        self._environment = environment
        self._files = Files(path)
        self._writer = Writer(self._files, call, through=through)
        self.store = Store(
            environment.clock,
            environment.spine,
            self._writer,
            interval,
            str(path),
            eager=True,
            prompt=not through,
        )
        self._writer.store = environment.store = self.store

    def take_up(self, brokers: Iterable[Broker], users: Collection[str]) -> list[str]:
        """Let brokers begin with what is there; returns what people should hear of it.

        `users` are those that the config names.
        """
        brokers = tuple(brokers)
        try:
            kept = self._files.read()
        except Missing as error:
            logs = [log for broker in brokers for log in broker.logs_in(error.kept)]
            raise DataError(f"{error}{described(error, logs)}") from None
        self._writer.begin()
        StoredAccess(self.store, self._environment.access, users).take_up(kept)
        for number in kept.logs:
            self.store.known_log(number)
        served = set()
        for broker in brokers:
            broker.take_up(kept)
            served.add(broker.protocol)
        if served.issuperset(PROTOCOLS):
            # Of a protocol that is not served now nothing was asked for.
            for number in kept.logs:
                self.store.drop(number)
            if (rows := sum(map(len, kept.logs.values()))) and self._files.unsure:
                self._files.notes.append(f"{rows:,} rows of which nothing says whose they are go")
        notes = self._files.notes
        for note in notes:
            self._environment.spine.emit(Warned("data", str(self.path), note))
        return notes

    def close(self) -> None:
        self.store.close()
