"""Earlier releases of Apache Kafka, as far as clients see them: versions of APIs, features.

The versions are those that each release's own library has for a broker (`ApiKeys`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from ..errors import InvalidInput
from .codes import ApiKey, VersionRange

NEWEST: Final = "4.4"
NOTHING: Final = VersionRange(0, -1)
"""No version at all."""


class Release(Struct, frozen=True):
    """`versions` are by API key, `features` (least, most, level of a new cluster) by name."""

    versions: Mapping[int, VersionRange]
    features: Mapping[str, tuple[int, int, int]]


def _versions(text: str) -> dict[int, VersionRange]:
    pairs = (each.partition(":") for each in text.split())
    return {int(key): VersionRange.parse(versions) for key, _, versions in pairs}


RELEASES: Final[Mapping[str, Release | None]] = {
    "2.8": Release(
        _versions("""
        0:0-9 1:0-12 2:0-6 3:0-11 4:0-5 5:0-3 6:0-7 7:0-3 8:0-8 9:0-7 10:0-3 11:0-7 12:0-4
        13:0-4 14:0-5 15:0-5 16:0-4 17:0-1 18:0-3 19:0-7 20:0-6 21:0-2 22:0-4 23:0-4 24:0-3
        25:0-3 26:0-3 27:0-1 28:0-3 29:0-2 30:0-2 31:0-2 32:0-4 33:0-2 34:0-2 35:0-2 36:0-2
        37:0-3 38:0-2 39:0-2 40:0-2 41:0-2 42:0-2 43:0-2 44:0-1 45:0-0 46:0-0 47:0-0 48:0-1
        49:0-1 50:0-0 51:0-0 56:0-0 57:0-0 60:0-0 61:0-0
        """),
        {},
    ),
    "3.9": Release(
        _versions("""
        0:0-11 1:0-17 2:0-9 3:0-12 8:0-9 9:0-9 10:0-6 11:0-9 12:0-4 13:0-5 14:0-5 15:0-5 16:0-5
        17:0-1 18:0-4 19:0-7 20:0-6 21:0-2 22:0-5 23:0-4 24:0-5 25:0-4 26:0-4 27:0-1 28:0-4
        29:0-3 30:0-3 31:0-3 32:0-4 33:0-2 34:0-2 35:0-4 36:0-2 37:0-3 38:0-3 39:0-2 40:0-2
        41:0-3 42:0-2 43:0-2 44:0-1 45:0-0 46:0-0 47:0-0 48:0-1 49:0-1 50:0-0 51:0-0 55:0-2
        57:0-1 60:0-1 61:0-0 64:0-0 65:0-0 66:0-1 68:0-0 69:0-0 71:0-0 72:0-0 74:0-0 75:0-0
        80:0-0 81:0-0
        """),
        {"kraft.version": (0, 1, 0), "metadata.version": (1, 21, 21)},
    ),
    "4.0": Release(
        _versions("""
        0:3-12 1:4-17 2:1-10 3:0-13 8:2-9 9:1-9 10:0-6 11:2-9 12:0-4 13:0-5 14:0-5 15:0-6 16:0-5
        17:0-1 18:0-4 19:2-7 20:1-6 21:0-2 22:0-5 23:2-4 24:0-5 25:0-4 26:0-5 27:1-1 28:0-5
        29:1-3 30:1-3 31:1-3 32:1-4 33:0-2 34:1-2 35:1-4 36:0-2 37:0-3 38:1-3 39:1-2 40:1-2
        41:1-3 42:0-2 43:0-2 44:0-1 45:0-0 46:0-0 47:0-0 48:0-1 49:0-1 50:0-0 51:0-0 55:0-2
        57:0-2 60:0-2 61:0-0 64:0-0 65:0-0 66:0-1 68:0-1 69:0-1 71:0-0 72:0-0 74:0-0 75:0-0
        80:0-0 81:0-0
        """),
        {
            "group.version": (0, 1, 1),
            "kraft.version": (0, 1, 0),
            "metadata.version": (7, 25, 25),
            "transaction.version": (0, 2, 2),
            "eligible.leader.replicas.version": (0, 1, 0),
        },
    ),
    NEWEST: None,
}
"""None: everything that is served."""

_BY_TITLE: Final = {key.title.lower(): key for key in ApiKey}


def override(text: str) -> tuple[ApiKey, VersionRange]:
    """`Fetch=4-12`, by name or number; `none` takes an API away. Raises InvalidInput."""
    name, equals, versions = text.partition("=")
    key = _BY_TITLE.get(name.strip().lower())
    if key is None and name.strip().isdigit() and int(name) in set(ApiKey):
        key = ApiKey(int(name))
    if key is None or not equals:
        raise InvalidInput(f"{text!r} is no API with its versions, such as Fetch=4-12 or 1=4-12")
    if versions.strip().lower() == "none":
        return key, NOTHING
    try:
        return key, VersionRange.parse(versions.strip())
    except ValueError:
        raise InvalidInput(f"{text!r}: {versions!r} are no versions: 4, 4-12 or none") from None


def allowed(release: Release | None, overrides: Iterable[str]) -> dict[int, VersionRange] | None:
    """The versions by API key that may be served; None: all. An API that is not there is not."""
    found = None if release is None else dict(release.versions)
    for text in overrides:
        key, versions = override(text)
        if found is None:
            found = {int(each): VersionRange(0, 32767) for each in ApiKey}
        found[key] = versions
    return found
