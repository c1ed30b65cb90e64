"""Fixture files for tests: read whole or refused, and read once as long as they do not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..config import Config

if TYPE_CHECKING:
    from ..fixtures.loader import Stamp
    from ..fixtures.model import FixtureSet

_MOST: Final = 100
"""Sets of files that are kept: a test may write its own."""


def read_all(paths: Sequence[Path], config: Config) -> FixtureSet:
    """The fixtures of files and folders. Raises FixtureError."""
    from ..fixtures.source.problems import FixtureError
    from ..rehearsal import read_fixtures

    report = read_fixtures(list(paths), config)
    if report.errors:
        raise FixtureError(report.errors)
    return report.fixtures


class Readings:
    """What was read last. A suite resets to the same few files before each of its tests."""

    def __init__(self) -> None:
        self._read: dict[tuple[Path, ...], tuple[FixtureSet, Mapping[str, Stamp]]] = {}

    def of(self, paths: Sequence[Path], config: Config) -> FixtureSet:
        """Raises FixtureError."""
        from ..fixtures.loader import stamps_of

        key = tuple(paths)
        known = self._read.pop(key, None)
        if known is None or known[1] != stamps_of(paths, known[0].assets):
            found = read_all(paths, config)
            known = found, stamps_of(paths, found.assets)
        self._read[key] = known
        if len(self._read) > _MOST:
            del self._read[next(iter(self._read))]
        return known[0]
