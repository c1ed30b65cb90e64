"""Which message belongs to which API."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from . import messages
from .schema import Kind, Message

FAMILIES = tuple(
    import_module(each.name) for each in iter_modules(messages.__path__, f"{messages.__name__}.")
)
"""Modules of messages: one that lies there is served."""


def _messages(kind: Kind) -> Mapping[int, type[Message]]:
    return MappingProxyType(
        {
            item.api_key: item
            for family in FAMILIES
            for item in vars(family).values()
            if isinstance(item, type) and issubclass(item, Message) and item is not Message
            if item.kind == kind and item.api_key is not None
        }
    )


REQUESTS = _messages("request")
RESPONSES = _messages("response")
