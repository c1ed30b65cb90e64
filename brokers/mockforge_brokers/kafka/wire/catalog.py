"""Which message belongs to which API."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from ..codes import ApiKey
from ..served import OnDemand, Served
from . import messages
from .schema import Kind, Message


def _of_kind(kind: Kind) -> Mapping[int, type[Message]]:
    def find(key: ApiKey, served: Served) -> type[Message]:
        family = import_module(f"{messages.__name__}.{served.messages}")
        return next(
            item
            for item in vars(family).values()
            if isinstance(item, type) and issubclass(item, Message) and item is not Message
            if item.kind == kind and item.api_key == key
        )

    return OnDemand(find)


REQUESTS: Final = _of_kind("request")
RESPONSES: Final = _of_kind("response")
