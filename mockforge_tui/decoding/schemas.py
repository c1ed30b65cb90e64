"""Which schema the payloads of a destination are read by."""

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from .avro import Schema


class Schemas:
    """Of this process, as the forms that are known by their bytes are: rows are read anywhere."""

    def __init__(self) -> None:
        self._given: dict[str, Schema] = {}
        self._found = lru_cache(1024)(self._find)

    def give(self, pattern: str, schema: Schema) -> None:
        """Destinations that match the pattern (`*`, `?`) are read so from now on."""
        self._given[pattern] = schema
        self._found.cache_clear()

    def forget(self, pattern: str) -> None:
        self._given.pop(pattern, None)
        self._found.cache_clear()

    def of(self, destination: str) -> Schema | None:
        """The one that was given first of those whose pattern matches."""
        return self._found(destination) if self._given else None

    def _find(self, destination: str) -> Schema | None:
        for pattern, schema in self._given.items():
            if fnmatchcase(destination, pattern):
                return schema
        return None


SCHEMAS: Final = Schemas()
