"""`broker`: what is done to a whole broker."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.protocols import PROTOCOLS

from ... import units
from ...units import counted
from ..registry import Arg, Opt, Type, command
from ..results import Result, done
from ..types import DURATION, of_text, text

if TYPE_CHECKING:
    from ..session import Session


def _broker_name(text: str) -> str:
    """`mqtt`, or a node of a cluster: `kafka/2`."""
    if text.partition("/")[0] not in PROTOCOLS:
        raise ValueError(f"{text!r} is not one of {', '.join(PROTOCOLS)}, or a node: kafka/2")
    return text


_HELP = "kafka, mqtt, amqp, or a node: kafka/2"
_BROKER = Type("broker", of_text(_broker_name), "brokers")


@command(
    "broker restart",
    group="control",
    examples=("broker restart mqtt -y",),
    asks="Restart {protocol} and end its connections?",
)
def broker_restart(
    session: "Session",
    protocol: Annotated[str, Arg(_BROKER, _HELP)],
    *,
    hard: Annotated[bool, Opt(("--hard",), None, "as if it were killed")] = False,
) -> Result:
    """Restart a broker: what its protocol keeps is there again, all else is gone.

    One that is stopped accepts connections again; of a cluster all nodes do.
    """
    event = session.runtime.restart_broker(protocol, hard=hard)
    text = (
        f"{protocol} restarted: {counted(event.connections, 'connection')} ended; kept {event.kept}"
    )
    broker = session.runtime.brokers.get(protocol)
    if broker is not None and broker.nodes is not None:
        # Each of them was a warning.
        text += "".join(f"; {protocol}/{node} is still stopped" for node in broker.nodes.stopped)
    data = {"protocol": protocol, "connections": event.connections, "kept": event.kept}
    return done(text, data)


@command(
    "broker stop",
    group="control",
    examples=("broker stop amqp -y", "broker stop kafka --for 5s --hard -y"),
    asks="Stop {protocol} and end its connections?",
)
def broker_stop(
    session: "Session",
    protocol: Annotated[str, Arg(_BROKER, _HELP)],
    *,
    seconds: Annotated[
        float | None, Opt(("--for",), DURATION, "and start it again after this")
    ] = None,
    hard: Annotated[bool, Opt(("--hard",), None, "as if it were killed")] = False,
) -> Result:
    """Stop a broker: its connections end and new ones are refused, until it is started.

    What its protocol keeps is there again afterwards. With --hard no client gets a word, and what
    was not confirmed is lost.
    """
    event = session.runtime.stop_broker(protocol, hard=hard, seconds=seconds)
    ends = "" if seconds is None else f"; it starts again in {units.format_duration(seconds)}"
    gone = counted(event.connections, "connection")
    text = f"{protocol} stopped: {gone} ended{ends}; kept {event.kept}"
    data = {"protocol": protocol, "connections": event.connections, "kept": event.kept}
    return done(text, data)


@command("broker start", group="control", examples=("broker start amqp",))
def broker_start(
    session: "Session",
    protocol: Annotated[str, Arg(_BROKER, _HELP)],
) -> Result:
    """Let a broker that was stopped accept connections again, at the same ports.

    A cluster comes back with all its nodes, those that were stopped one by one among them.
    """
    session.runtime.start_broker(protocol)
    return done(f"{protocol} accepts connections again", {"protocol": protocol})


@command(
    "broker add",
    group="control",
    examples=("broker add kafka/4", "broker add kafka"),
)
def broker_add(
    session: "Session",
    node: Annotated[str, Arg(_BROKER, "a new node: kafka/4, or kafka: the next one")],
) -> Result:
    """Add a node to a cluster while it runs, with ports of its own.

    Clients find it when they next ask who is there. It leads nothing until a leader is moved or
    partitions are reassigned there.
    """
    name, listeners = session.runtime.add_node(node)
    places = {each.name: each.reachable for each in listeners}
    where = " and ".join(places.values())
    return done(f"{name} is there, at {where}", {"node": name, "listeners": places})


@command(
    "broker rm",
    group="control",
    examples=("broker rm kafka/4 -y",),
    asks="Remove {node} and end its connections?",
)
def broker_rm(
    session: "Session",
    node: Annotated[str, Arg(_BROKER, "a node: kafka/4")],
    *,
    hard: Annotated[bool, Opt(("--hard",), None, "as if it were killed")] = False,
) -> Result:
    """Remove a node of a cluster for good: other nodes lead, and take over its replicas."""
    ended = session.runtime.remove_node(node, hard=hard)
    text = f"{node} is removed: {counted(ended, 'connection')} ended; other nodes have its replicas"
    return done(text, {"node": node, "connections": ended})


@command("tls expire", group="faults", examples=("tls expire", "tls expire --for 30s"))
def tls_expire(
    session: "Session",
    *,
    seconds: Annotated[float | None, Opt(("--for",), DURATION, "and renew it after this")] = None,
) -> Result:
    """Show new TLS clients a certificate that expired yesterday; open connections stay."""
    runtime = session.runtime
    runtime.show_certificate(expired=True, seconds=seconds)
    ends = "" if seconds is None else f", for {units.format_duration(seconds)}"
    return done(f"the TLS certificate has expired{ends}", {"expired": True})


@command("tls renew", group="faults", examples=("tls renew",))
def tls_renew(session: "Session") -> Result:
    """Show new TLS clients the certificate that holds again."""
    session.runtime.show_certificate(expired=False)
    return done("the TLS certificate is renewed", {"expired": False})


@command(
    "reset",
    group="control",
    examples=("reset -y", "reset --to seeded -y"),
    asks="End all connections and empty all brokers?",
)
def reset(
    session: "Session",
    *,
    to: Annotated[
        str | None, Opt(("--to",), text("name", "snapshots"), "a snapshot to go back to", "NAME")
    ] = None,
) -> Result:
    """Go back to the state right after loading, or to a snapshot.

    Connections end; what brokers hold, faults, holds and changed fixtures are gone, and fixtures
    begin anew with the same seed (those of a snapshot that still produced when it was taken). What
    was stopped runs, and a certificate that expired holds. Users, rules, limits and the clock stay.
    """
    session.runtime.reset(to)
    return done(f"back to {'the state right after loading' if to is None else f'snapshot {to}'}")


COMMANDS = (
    broker_restart,
    broker_stop,
    broker_start,
    broker_add,
    broker_rm,
    tls_expire,
    tls_renew,
    reset,
)
