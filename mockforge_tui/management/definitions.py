"""Definitions: all that is declared as one document, of the broker or of one virtual host."""

from typing import Any, Final

from mockforge_brokers.amqp.definitions import OF_A_VHOST

from .refusals import Refused, bad_request
from .request import NO_CONTENT, Asked, Lengthy

_NO_VHOST: Final = "vhost_not_found"


def get(asked: Asked) -> Any:
    return asked.broker.definitions()


def get_vhost(asked: Asked) -> Any:
    """Its items do not say again of which virtual host they are."""
    vhost = asked.names[0]
    if vhost not in asked.broker.vhosts:
        raise bad_request(_NO_VHOST)
    found = asked.broker.definitions()
    sections = {
        section: [
            {key: value for key, value in item.items() if key != "vhost"}
            for item in found[section]
            if item["vhost"] == vhost
        ]
        for section in OF_A_VHOST
    }
    return {"rabbit_version": found["rabbit_version"], **sections}


def post(asked: Asked) -> Any:
    return Lengthy(NO_CONTENT, asked.broker.loading_definitions(asked.body))


def post_vhost(asked: Asked) -> Any:
    vhost = asked.names[0]
    if vhost not in asked.broker.vhosts:
        raise Refused(404, "not_found", _NO_VHOST)
    return Lengthy(NO_CONTENT, asked.broker.loading_definitions(asked.body, vhost=vhost))
