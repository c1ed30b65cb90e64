"""`broker`: what is done to a whole broker."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import InvalidInput

from ..registry import Arg, command
from ..results import Result, done
from ..types import choice

if TYPE_CHECKING:
    from ..session import Session

_PROTOCOL = choice("broker", "kafka", "mqtt", "amqp")


@command(
    "broker restart",
    group="control",
    examples=("broker restart mqtt -y",),
    asks="Restart {protocol} and end its connections?",
)
def broker_restart(
    session: "Session", protocol: Annotated[str, Arg(_PROTOCOL, "kafka, mqtt or amqp")]
) -> Result:
    """Restart a broker: what its protocol keeps is there again, all else is gone."""
    broker = session.runtime.brokers.get(protocol)
    if broker is None:
        raise InvalidInput(f"{protocol} does not run here")
    event = broker.restart()
    text = f"{protocol} restarted: {event.connections} connections ended; kept {event.kept}"
    data = {"protocol": protocol, "connections": event.connections, "kept": event.kept}
    return done(text, data)


@command(
    "reset",
    group="control",
    examples=("reset -y",),
    asks="End all connections and empty all brokers?",
)
def reset(session: "Session") -> Result:
    """Go back to the state right after loading.

    Connections end; what brokers hold, faults, holds and changed fixtures are gone, and fixtures
    begin anew with the same seed. Users, rules, limits and the clock stay.
    """
    session.runtime.reset()
    return done("back to the state right after loading")


COMMANDS = (broker_restart, reset)
