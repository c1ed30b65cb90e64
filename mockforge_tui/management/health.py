"""GET health/checks: whether all is well, or what is not."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from mockforge_brokers.amqp.connection.ends import NODE
from mockforge_brokers.amqp.state.memory import DISK
from mockforge_brokers.listener import Listener
from mockforge_brokers.tls import ServerContext, expiry

from .node import listeners
from .refusals import bad_request, not_found
from .request import Asked

_DAY: Final = 86_400
_SECONDS: Final = {
    "days": _DAY,
    "weeks": 7 * _DAY,
    "months": 365 * _DAY / 12,
    "years": 365 * _DAY,
}
OK: Final = {"status": "ok"}
_SEVERAL_SINCE: Final = (4, 1)
"""The first release that takes several protocols, and lists those that it lacks."""
_ALL_SINCE: Final = (4, 3)
"""The first release that names all protocols that are spoken."""
_OTHER_NAMES: Final = {
    **dict.fromkeys(("amqp091", "amqp0.9.1", "amqp0-9-1", "amqp0_9_1"), "amqp"),
    **dict.fromkeys(("amqp10", "amqp1.0", "amqp1-0", "amqp1_0"), "amqp"),
    "amqps": "amqp/ssl",
    **dict.fromkeys(("http1", "http1.1", "http_api", "management", "management_ui", "ui"), "http"),
}


def ok(asked: Asked) -> Any:
    return OK


def alone(asked: Asked) -> Any:
    """What would be lost without this node: there is no other that could have it."""
    return {**OK, "reason": "single node cluster"}


def alarms(asked: Asked) -> Any:
    return _alarms(asked, "in the cluster")


def node(asked: Asked) -> Any:
    """What was there before health/checks."""
    if asked.names and asked.names[0] != NODE:
        raise not_found()
    if not (low := asked.broker.memory.low):
        return OK
    alarms = ",".join(f"{{resource_limit,{each},{NODE}}}" for each in low)
    return _failed(f"resource alarm(s) in effect:[{alarms}]")


def local_alarms(asked: Asked) -> Any:
    return _alarms(asked, "on the node")


def _alarms(asked: Asked, where: str) -> Any:
    low = asked.broker.memory.low
    if not low:
        return OK
    words = {DISK: "disk space"}
    return _failed(
        f"There are alarms in effect {where}",
        alarms=[{"node": NODE, "resource": words.get(each, each)} for each in low],
    )


def port_listener(asked: Asked) -> Any:
    """Ports of the other brokers count, too: RabbitMQ has them as plugins."""
    if not re.fullmatch("[+-]?[0-9]{1,9}", asked.names[0]):
        raise bad_request("Invalid port")
    port = int(asked.names[0])
    others = [listener.port for listener in asked.runtime.environment.listeners]
    ports = list(dict.fromkeys([*(row["port"] for row in listeners(asked)), *others]))
    if port in ports:
        return {"status": "ok", "port": port}
    return _failed("No active listener", missing=port, ports=ports)


def protocol_listener(asked: Asked) -> Any:
    several = asked.broker.options.profile.release >= _SEVERAL_SINCE
    named = asked.names[0].lower()
    wanted = [_OTHER_NAMES.get(each, each) for each in (named.split(",") if several else [named])]
    protocols = list(dict.fromkeys(row["protocol"] for row in listeners(asked)))
    lacking = [each for each in wanted if each not in protocols]
    if not lacking and asked.broker.options.profile.release >= _ALL_SINCE:
        return {**OK, "protocols": protocols}
    if not lacking:
        return {"status": "ok", "protocol": ",".join(wanted)}
    missing = lacking if several else lacking[0]
    return _failed("No active listener", missing=missing, protocols=protocols)


def certificate_expiration(asked: Asked) -> Any:
    """Of the listeners of AMQP, those with a certificate that does not hold for so long."""
    within, unit = asked.names
    if not re.fullmatch("[+-]?[0-9]{1,99}", within):
        raise bad_request("Invalid expiration value.")
    seconds = _SECONDS.get(unit.lower())
    if seconds is None:
        raise bad_request(f"Time unit not recognised. Supported units: {', '.join(_SECONDS)}.")
    until = asked.runtime.environment.clock.wall() + int(within) * seconds
    expired = []
    for listener in asked.runtime.environment.listeners:
        if listener.protocol == "amqp" and isinstance(context := listener.tls, ServerContext):
            try:
                ends = expiry(context.certificate)
                of_ca = [] if context.client_ca is None else expiry(context.client_ca)
            except (OSError, ValueError) as error:
                return _failed(f"a certificate cannot be read any more: {error}")
            if any(each.timestamp() < until for each in (*ends, *of_ca)):
                expired.append(_expiring(listener, context, ends, of_ca))
    return _failed("Certificates expiring", expired=expired) if expired else OK


def _expiring(
    listener: Listener, context: ServerContext, ends: list[datetime], of_ca: list[datetime]
) -> dict[str, Any]:
    return {
        "node": NODE,
        "protocol": "amqp/ssl",
        "interface": listener.host,
        "port": listener.port,
        "cacertfile": context.client_ca or "",
        "cacertfile_expires_on": [_written(each) for each in of_ca],
        "certfile": context.certificate,
        "certfile_expires_on": [_written(each) for each in ends],
    }


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d} {moment.hour}:{moment:%M:%S}"


def _failed(reason: str, **more: Any) -> Any:
    return 503, {"status": "failed", "reason": reason, **more}
