"""`alarm`, `trace`, `vhost limits`, `user limits`: what an operator of RabbitMQ does to it."""

from typing import TYPE_CHECKING, Annotated

from ..lookup import amqp, known
from ..registry import Arg, Opt, command
from ..results import Result, done
from ..types import choice, integer, text

if TYPE_CHECKING:
    from ..session import Session

_MOST = integer("n", -1)
_VHOST = text("vhost")
_USER = text("user", "users")
_RESOURCE = choice("resource", "memory", "disk")


@command("alarm set", group="control", examples=("alarm set", "alarm set disk"))
def alarm_set(
    session: "Session", resource: Annotated[str, Arg(_RESOURCE, "what is low")] = "memory"
) -> Result:
    """Let AMQP publishers wait as when RabbitMQ is low on memory: connection.blocked.

    Who publishes is told so, and read no more, until alarm clear. Consumers go on.
    """
    memory = amqp(session).memory
    memory.raise_alarm(resource)
    text = f"AMQP is low on {' & '.join(memory.low)}: who publishes is blocked"
    return done(text, {"alarm": resource, "alarms": memory.low})


@command("alarm clear", group="control", examples=("alarm clear", "alarm clear disk"))
def alarm_clear(
    session: "Session", resource: Annotated[str, Arg(_RESOURCE, "what is low no more")] = ""
) -> Result:
    """Let AMQP publishers go on, if no other alarm is set: connection.unblocked.

    Without a resource all alarms are cleared.
    """
    memory = amqp(session).memory
    for each in (resource,) if resource else tuple(memory.alarms):
        memory.clear_alarm(each)
    low = memory.low
    text = f"AMQP is still low on {' & '.join(low)}" if low else "no alarm: publishers go on"
    return done(text, {"alarm": low[0] if low else None, "alarms": low})


@command(
    "vhost limits",
    group="access",
    aliases=("set_vhost_limits",),
    examples=("vhost limits / --max-connections 100 --max-queues 50", "vhost limits /"),
)
def vhost_limits(
    session: "Session",
    name: Annotated[str, Arg(_VHOST, "a virtual host")],
    *,
    connections: Annotated[int, Opt(("--max-connections",), _MOST, "-1: any number")] = -1,
    queues: Annotated[int, Opt(("--max-queues",), _MOST, "-1: any number")] = -1,
) -> Result:
    """Limit how many connections and queues a virtual host has; what is there stays."""
    admin = amqp(session)
    known("name", name, admin.vhosts, "virtual host")
    limits = _given({"max-connections": connections, "max-queues": queues})
    admin.limit_vhost(name, limits)
    return done(f"virtual host {name}: {_in_words(limits)}", {"vhost": name, "limits": limits})


@command(
    "user limits",
    group="access",
    aliases=("set_user_limits",),
    examples=("user limits guest --max-connections 5 --max-channels 100", "user limits guest"),
)
def user_limits(
    session: "Session",
    name: Annotated[str, Arg(_USER, "a user")],
    *,
    connections: Annotated[int, Opt(("--max-connections",), _MOST, "-1: any number")] = -1,
    channels: Annotated[int, Opt(("--max-channels",), _MOST, "-1: any number")] = -1,
) -> Result:
    """Limit how many AMQP connections and channels a user has; what is open stays."""
    known("name", name, session.runtime.access.users, "user")
    limits = _given({"max-connections": connections, "max-channels": channels})
    amqp(session).limit_user(name, limits)
    return done(f"user {name}: {_in_words(limits)}", {"user": name, "limits": limits})


_VHOST_OPTION = Opt(("-p", "--vhost"), _VHOST, "the virtual host (/)")


@command("trace on", group="control", aliases=("trace_on",), examples=("trace on",))
def trace_on(session: "Session", *, vhost: Annotated[str, _VHOST_OPTION] = "/") -> Result:
    """Let amq.rabbitmq.trace have each AMQP message too: bind a queue to it.

    Keys are publish.EXCHANGE and deliver.QUEUE, as with rabbitmqctl trace_on.
    """
    known("vhost", vhost, amqp(session).vhosts, "virtual host")
    amqp(session).trace(True, vhost=vhost)
    return done(f"virtual host {vhost} is traced: bind amq.rabbitmq.trace QUEUE '#'")


@command("trace off", group="control", aliases=("trace_off",), examples=("trace off",))
def trace_off(session: "Session", *, vhost: Annotated[str, _VHOST_OPTION] = "/") -> Result:
    """Trace no more."""
    known("vhost", vhost, amqp(session).vhosts, "virtual host")
    amqp(session).trace(False, vhost=vhost)
    return done(f"virtual host {vhost} is not traced")


def _given(limits: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in limits.items() if value >= 0}


def _in_words(limits: dict[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in limits.items()) or "no limits"


COMMANDS = (alarm_set, alarm_clear, vhost_limits, user_limits, trace_on, trace_off)
