"""What is of the whole cluster: its name, global parameters, and who tried to log in."""

from __future__ import annotations

from typing import Any, Final

from mockforge_brokers.amqp.connection.ends import NODE

from .refusals import bad_request, not_found
from .request import CREATED, NO_CONTENT, Asked

_NAME: Final = "cluster_name"
"""RabbitMQ keeps it among the global parameters, too."""


def name(asked: Asked) -> Any:
    return {"name": cluster_name(asked)}


def cluster_name(asked: Asked) -> str:
    return str(asked.broker.global_parameters.get(_NAME, NODE))


def put_name(asked: Asked) -> Any:
    asked.broker.set_global_parameter(_NAME, asked.text("name"))
    return NO_CONTENT, None


def global_parameters(asked: Asked) -> Any:
    return [_parameter(asked, each) for each in sorted(asked.broker.global_parameters)]


def global_parameter(asked: Asked) -> Any:
    return _parameter(asked, _known(asked))


def put_global_parameter(asked: Asked) -> Any:
    """Any JSON will do: it is kept and exported, as those are that plugins of RabbitMQ read."""
    if "value" not in asked.body:
        raise bad_request("[{key_missing,value}]")
    new = asked.broker.set_global_parameter(asked.names[0], asked.body["value"])
    return CREATED if new else NO_CONTENT, None


def delete_global_parameter(asked: Asked) -> Any:
    asked.broker.remove_global_parameter(_known(asked))
    return NO_CONTENT, None


def _known(asked: Asked) -> str:
    if asked.names[0] not in asked.broker.global_parameters:
        raise not_found()
    return asked.names[0]


def _parameter(asked: Asked, wanted: str) -> dict[str, Any]:
    return {"name": wanted, "value": asked.broker.global_parameters[wanted]}


def attempts(asked: Asked) -> Any:
    _check_node(asked)
    return asked.broker.quotas.attempts.by_protocol()


def attempts_by_source(asked: Asked) -> Any:
    _check_node(asked)
    return asked.broker.quotas.attempts.by_source()


def forget_attempts(asked: Asked) -> Any:
    _check_node(asked)
    asked.broker.quotas.attempts.clear()
    return NO_CONTENT, None


def forget_attempts_by_source(asked: Asked) -> Any:
    _check_node(asked)
    asked.broker.quotas.attempts.clear_sources()
    return NO_CONTENT, None


def _check_node(asked: Asked) -> None:
    if asked.names[0] != NODE:
        raise not_found()
