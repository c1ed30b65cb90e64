"""Definitions: all that is declared as one document, of the broker or of one virtual host."""

from typing import Any, Final

from .reading import vhost_name
from .request import NO_CONTENT, Asked

_OF_A_VHOST: Final = ("parameters", "policies", "queues", "exchanges", "bindings")


def get(asked: Asked) -> Any:
    return asked.broker.definitions()


def get_vhost(asked: Asked) -> Any:
    """Its items do not say again of which virtual host they are."""
    vhost = vhost_name(asked, asked.names[0])
    found = asked.broker.definitions()
    sections = {
        section: [
            {key: value for key, value in item.items() if key != "vhost"}
            for item in found[section]
            if item["vhost"] == vhost
        ]
        for section in _OF_A_VHOST
    }
    return {"rabbit_version": found["rabbit_version"], **sections}


def post(asked: Asked) -> Any:
    asked.broker.load_definitions(asked.body)
    return NO_CONTENT, None


def post_vhost(asked: Asked) -> Any:
    asked.broker.load_definitions(asked.body, vhost=vhost_name(asked, asked.names[0]))
    return NO_CONTENT, None
