"""The APIs that are served, a file each in a folder of its family, and what answers them."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Final

from ..served import ADVERTISED, SERVED, OnDemand
from .handler import Handler
from .logs.produce import answer_on_path as answer_on_path
from .offer import Offer

HANDLERS: Final[Mapping[int, Handler]] = OnDemand(
    lambda key, served: import_module(f"{__name__}.{served.family}.{key.name.lower()}").API
)


@lru_cache(maxsize=16)
def offer_of(as_version: str, overrides: tuple[str, ...]) -> Offer:
    """What a broker that is like this release serves and shows; raises InvalidInput."""
    return Offer(SERVED, ADVERTISED, as_version, overrides)
