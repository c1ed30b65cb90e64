"""Which schema the payloads of a destination are read by."""

from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final
from weakref import WeakKeyDictionary

from ..loops import LOOPS
from .avro import Schema

_Given = tuple[str, Schema]
"""A pattern and its schema; each time that it is given it is another one."""


class Schemas:
    """By patterns of destinations.

    Several may give a schema for the same pattern. The newest is in force while it is there, and
    nobody takes away another's.
    """

    def __init__(self) -> None:
        self._use(())

    def give(self, pattern: str, schema: Schema) -> Callable[[], None]:
        """Destinations that match the pattern (`*`, `?`) are read so from now on.

        Returns what takes this one back.
        """
        given = (pattern, schema)
        self._use((*self._given, given))

        def forget() -> None:
            self._use(tuple(each for each in self._given if each is not given))

        return forget

    def of(self, destination: str) -> Schema | None:
        """That of the pattern that was given first of those that match."""
        return self._found(destination) if self._given else None

    def _use(self, given: tuple[_Given, ...]) -> None:
        self._given = given
        # The first of each pattern says where it stands, the last what it is read by.
        by_pattern = dict(given)

        def find(destination: str) -> Schema | None:
            for pattern, schema in by_pattern.items():
                if fnmatchcase(destination, pattern):
                    return schema
            return None

        # With a cache of its own: who asks meanwhile, in another thread, leaves nothing old in it.
        self._found = lru_cache(1024)(find)


class OfInstances:
    """Those of all instances in this process, each of which has a loop of its own.

    Payloads are read wherever they are met, by filters within brokers as by what shows them, and
    none of these knows whose they are: the loop that runs there says it. Elsewhere (in a test's own
    thread, with or without a loop) all count.
    """

    def __init__(self) -> None:
        self._all = Schemas()
        self._by_loop: WeakKeyDictionary[AbstractEventLoop, Schemas] = WeakKeyDictionary()

    def give(self, pattern: str, schema: Schema) -> Callable[[], None]:
        """As `Schemas.give`, of the instance whose loop runs."""
        places = [self._all]
        loop = _running()
        if loop is not None:
            places.append(self._by_loop.setdefault(loop, Schemas()))
        given = [each.give(pattern, schema) for each in places]

        def forget() -> None:
            for each in given:
                each()

        return forget

    def of(self, destination: str) -> Schema | None:
        loop = _running()
        own = None if loop is None else self._by_loop.get(loop)
        if own is not None:
            return own.of(destination)
        return None if loop in LOOPS else self._all.of(destination)


def _running() -> AbstractEventLoop | None:
    try:
        return get_running_loop()
    except RuntimeError:
        return None


SCHEMAS: Final = OfInstances()
