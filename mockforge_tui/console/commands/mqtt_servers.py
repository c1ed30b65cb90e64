"""`auth`, `redirect` and `listener set`: how MQTT clients prove who they are, where else they are
sent, and what is otherwise where they come in."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.mqtt.authentication import scripted

from ...config.mqtt import listener
from ..lookup import BadArgument, known, mqtt
from ..registry import Arg, Opt, command
from ..results import Column, Result, done, plain, table
from ..types import COUNT, text

if TYPE_CHECKING:
    from ..session import Session

_METHOD = text("method", "auth-methods")
_SCRIPT = text("method")
_CLIENTS = text("clients", "sessions")
_SERVER = text("server")
_SETTINGS = text("listener")


@command("auth ls", group="mqtt", aliases=("auths",), examples=("auth ls",))
def auth_ls(session: "Session") -> Result:
    """List the methods of enhanced authentication (MQTT 5) that clients may use."""
    methods = mqtt(session).methods
    rows = [
        {
            "method": name,
            "challenges": [each.decode() for each in script.challenges] if script else [],
            "outcome": "" if script is None else f"0x{script.code:02X}" if script.code else "ok",
            "by": "the user's password" if script is None else "script",
        }
        for name in methods.names()
        for script in (methods.scripted.get(name),)
    ]
    return table(
        rows,
        Column("method", "method"),
        Column("by", "decided by"),
        Column("challenges", "challenges", plain),
        Column("outcome", "outcome"),
        empty="no methods: SCRAM needs a user (user add), auth add makes a scripted one",
    )


@command(
    "auth add",
    group="mqtt",
    examples=("auth add KERBEROS hello again", "auth add DENIED refuse=NOT_AUTHORIZED"),
)
def auth_add(
    session: "Session",
    method: Annotated[
        str, Arg(_SCRIPT, "METHOD [CHALLENGE ...] [refuse=CODE]", "METHOD", tail=True)
    ],
) -> Result:
    """Serve a method whose course is written down: these challenges, then the outcome.

    What the client sends is not looked at. Without refuse=CODE it is let in after the last one.
    """
    made = scripted(method)
    mqtt(session).methods.scripted[made.name] = made
    outcome = f"then refused with 0x{made.code:02X}" if made.code else "then let in"
    return done(
        f"method {made.name}: {len(made.challenges)} challenges, {outcome}", {"method": made.name}
    )


@command("auth rm", group="mqtt", examples=("auth rm KERBEROS",))
def auth_rm(
    session: "Session", method: Annotated[str, Arg(_METHOD, "a scripted method")]
) -> Result:
    """Serve a scripted method no longer."""
    methods = mqtt(session).methods
    del methods.scripted[known("method", method, methods.scripted, "scripted method")]
    return done(f"method {method} is gone", {"method": method})


@command("redirect ls", group="mqtt", aliases=("redirects",), examples=("redirect ls",))
def redirect_ls(session: "Session") -> Result:
    """List which MQTT clients are sent to another server."""
    rows = [
        {
            "id": each.number,
            "clients": each.clients,
            "server": each.server,
            "code": f"0x{each.code:02X}",
        }
        for each in mqtt(session).redirects.active.values()
    ]
    return table(
        rows,
        Column("id", "id", right=True),
        Column("clients", "clients"),
        Column("server", "server"),
        Column("code", "code"),
        empty="no redirects",
    )


@command(
    "redirect add",
    group="mqtt",
    examples=("redirect add dev-* b.example:1883", "redirect add * b.example --moved"),
)
def redirect_add(
    session: "Session",
    clients: Annotated[str, Arg(_CLIENTS, "a glob of client ids")],
    server: Annotated[str, Arg(_SERVER, "where they are to go: HOST:PORT")],
    *,
    moved: Annotated[bool, Opt(("--moved",), None, "for good: 0x9D in place of 0x9C")] = False,
) -> Result:
    """Send MQTT clients to another server: those who are here, and whoever comes.

    MQTT 5 has DISCONNECT and CONNACK with 0x9C or 0x9D and a Server Reference for it. Before MQTT 5
    connections are closed, and new ones refused as unavailable.
    """
    if any(each.isspace() for each in server):
        raise BadArgument("server", f"{server!r} is no HOST:PORT")
    redirect, gone = mqtt(session).redirect(clients, server, moved=moved)
    return done(
        f"redirect {redirect.number}: {clients} to {server}, {gone} disconnected",
        {"id": redirect.number, "disconnected": gone},
    )


@command("redirect rm", group="mqtt", examples=("redirect rm 1",))
def redirect_rm(
    session: "Session", number: Annotated[int, Arg(COUNT, "a redirect's number", "ID")]
) -> Result:
    """Take a redirect back."""
    if mqtt(session).redirects.active.pop(number, None) is None:
        raise InvalidInput(f"no redirect {number}; redirect ls lists them")
    return done(f"redirect {number} is gone", {"id": number})


@command(
    "listener set",
    group="mqtt",
    examples=(
        "listener set tls anonymous=no users=alice,bob",
        "listener set ws maximum_qos=1 packet=64KiB",
        "listener set ws",
    ),
)
def listener_set(
    session: "Session",
    settings: Annotated[str, Arg(_SETTINGS, "LISTENER [KEY=VALUE ...]", "LISTENER", tail=True)],
) -> Result:
    """Let something else hold for who comes by one of MQTT's listeners from now on.

    anonymous=yes|no, users=NAME,..., maximum_qos=N and packet=SIZE take the place of all that was
    set before; without any it is as at all others. Who is connected keeps what it has.
    """
    try:
        name, made = listener(settings)
    except ValueError as error:
        raise BadArgument("settings", str(error)) from None
    broker = mqtt(session)
    broker.listeners[name] = made
    text = ", ".join(made.given) or "nothing"
    return done(f"listener {name}: {text} is otherwise there", {"name": name, **made.given})


COMMANDS = (auth_ls, auth_add, auth_rm, redirect_ls, redirect_add, redirect_rm, listener_set)
