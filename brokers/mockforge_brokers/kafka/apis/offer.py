"""What one broker offers: the APIs that are served, cut to a release and to what somebody wants."""

from __future__ import annotations

from collections.abc import Mapping

from ..codes import ApiKey, VersionRange
from ..releases import RELEASES, allowed
from .cluster.api_versions import ApiVersionsTable


class Offer:
    """`served` are the versions that are taken, `table` answers ApiVersions with what is shown."""

    def __init__(
        self,
        served: Mapping[ApiKey, VersionRange],
        shown: Mapping[ApiKey, VersionRange],
        as_version: str,
        overrides: tuple[str, ...] = (),
    ) -> None:
        release = RELEASES[as_version]
        cut = allowed(release, overrides)
        self.served: Mapping[int, VersionRange] = dict(_cut(served, cut).items())
        self.table = ApiVersionsTable(
            _cut(shown, cut), None if release is None else release.features
        )


def _cut(
    ranges: Mapping[ApiKey, VersionRange], cut: Mapping[int, VersionRange] | None
) -> dict[ApiKey, VersionRange]:
    if cut is None:
        return dict(ranges)
    found = {}
    for key, versions in ranges.items():
        other = cut.get(key)
        if other is not None:
            both = VersionRange(max(versions.first, other.first), min(versions.last, other.last))
            if both.first <= both.last:
                found[key] = both
    return found
