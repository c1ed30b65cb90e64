"""The APIs that are served, a file each in a folder of its family, and the registry of them.

A file of a family that has an `API` is served, and shown in ApiVersions, by being there. Left out:
share and streams groups.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Final

from ..codes import ApiKey, VersionRange
from ..wire.messages.cluster import ApiVersionsRequest
from .cluster.api_versions import ApiVersionsHandler
from .handler import Handler
from .logs.produce import answer_on_path as answer_on_path
from .offer import Offer


def _found() -> Iterator[Handler]:
    for family in iter_modules(__path__, f"{__name__}."):
        if family.ispkg:
            for info in iter_modules(import_module(family.name).__path__, f"{family.name}."):
                api = getattr(import_module(info.name), "API", None)
                if api is not None:
                    yield api


_ALL_BUT_API_VERSIONS: Final = tuple(_found())

_SHOWN: Final = {api.api_key: api.shown for api in _ALL_BUT_API_VERSIONS} | {
    ApiKey.API_VERSIONS: ApiVersionsRequest.versions
}
ADVERTISED: Final[Mapping[ApiKey, VersionRange]] = MappingProxyType(dict(sorted(_SHOWN.items())))
"""What clients are shown, in the order of API keys; telemetry only where somebody wants it."""

HANDLERS: Final[Mapping[int, Handler]] = MappingProxyType(
    {api.api_key: api for api in (*_ALL_BUT_API_VERSIONS, ApiVersionsHandler())}
)
_SERVED: Final = {ApiKey(key): handler.served for key, handler in HANDLERS.items()}


@lru_cache(maxsize=16)
def offer_of(as_version: str, overrides: tuple[str, ...]) -> Offer:
    """What a broker that is like this release serves and shows; raises InvalidInput."""
    return Offer(_SERVED, ADVERTISED, as_version, overrides)
