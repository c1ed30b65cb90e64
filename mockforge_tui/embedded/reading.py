"""Fixture files for tests: read whole or refused, and read once as long as they do not change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Config

if TYPE_CHECKING:
    from ..fixtures.model import FixtureSet


def read_all(paths: Sequence[Path], config: Config) -> FixtureSet:
    """The fixtures of files and folders. Raises FixtureError."""
    from ..fixtures.source.problems import FixtureError
    from ..rehearsal import read_fixtures

    report = read_fixtures(list(paths), config)
    if report.errors:
        raise FixtureError(report.errors)
    return report.fixtures


class Readings:
    """What was read before. A suite resets to the same few files before each of its tests."""

    def __init__(self) -> None:
        self._read: dict[object, FixtureSet] = {}

    def of(self, paths: Sequence[Path], config: Config) -> FixtureSet:
        """Raises FixtureError."""
        files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
        times = tuple(sorted((str(f), f.stat().st_mtime_ns) for f in files if f.is_file()))
        key = (tuple(paths), times)
        if key not in self._read:
            self._read[key] = read_all(paths, config)
        return self._read[key]
