"""`queue`: AMQP's queues."""

from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.snapshots import DestinationView

from ...units import counted
from ..lookup import BadArgument, amqp, known, matching, named, resolved
from ..registry import Arg, Opt, command
from ..results import Column, Result, count, done, facts_table, rate, table
from ..targets import QueueTarget, at_host, name_of
from ..types import COUNT, DURATION, EXCHANGE, GLOB, PAIR, QUEUE, TEXT, choice, text

if TYPE_CHECKING:
    from ..session import Session

_COLUMNS = (
    Column("name", "queue"),
    Column("depth", "ready", count, right=True),
    Column("unacked", "unacked", count, right=True),
    Column("messages_in", "in", count, right=True),
    Column("in_per_second", "in/s", rate, right=True),
    Column("messages_out", "out", count, right=True),
    Column("out_per_second", "out/s", rate, right=True),
    Column("note", "note"),
)


@command(
    "queue ls",
    group="queues",
    aliases=("queues", "list queues"),
    examples=("queue ls", "queue ls q.* | depth>0"),
)
def queue_ls(
    session: "Session", pattern: Annotated[str | None, Arg(GLOB, "a glob: q.*")] = None
) -> Result:
    """List AMQP's queues."""
    queues = [each for each in session.destinations() if each.kind == "queue"]
    shown = set(matching(map(name_of, queues), pattern))
    rows = [
        {
            "name": name_of(each),
            "depth": each.depth,
            "messages_in": each.messages_in,
            "messages_out": each.messages_out,
            **{name: each.detail[name] for name in ("unacked", "in_per_second", "out_per_second")},
            "note": each.note,
        }
        for each in queues
        if name_of(each) in shown
    ]
    return table(rows, *_COLUMNS, empty="no queues")


@command(
    "queue show",
    group="queues",
    aliases=("describe queue", "queue describe"),
    examples=("queue show q.mail",),
)
def queue_show(session: "Session", name: Annotated[str, Arg(QUEUE, "a queue")]) -> Result:
    """Show a queue: what is in it, what it is bound to, what it was declared with."""
    view = known_queue(session, name)
    bindings = [
        {"exchange": exchange, "binding_key": key}
        for exchange, queue, key in amqp(session).bindings(vhost=view.detail["vhost"])
        if queue == view.name and exchange
    ]
    facts = {
        "name": view.name,
        "ready": view.depth,
        "in": view.messages_in,
        "out": view.messages_out,
        **view.detail,
        "bindings": bindings,
    }
    return facts_table(facts)


@command(
    "queue add",
    group="queues",
    aliases=("queue declare", "declare queue", "create queue"),
    examples=("queue add q.new --durable --dlx dlx --ttl 30s --max 1000",),
)
def queue_add(
    session: "Session",
    name: Annotated[str, Arg(text("name"), "the new queue's name")],
    *,
    durable: Annotated[bool, Opt(("--durable",), None, "survives a restart")] = False,
    dlx: Annotated[str | None, Opt(("--dlx",), EXCHANGE, "dead letters go here")] = None,
    dlk: Annotated[str | None, Opt(("--dlk",), TEXT, "dead letters' routing key", "KEY")] = None,
    ttl: Annotated[float | None, Opt(("--ttl",), DURATION, "messages expire after this")] = None,
    most: Annotated[int | None, Opt(("--max",), COUNT, "most messages it holds")] = None,
    kind: Annotated[
        str | None, Opt(("--type",), choice("type", "classic", "quorum", "stream"), "queue type")
    ] = None,
    extra: Annotated[
        tuple[tuple[str, str], ...], Opt(("--arg",), PAIR, "any other x-argument", repeat=True)
    ] = (),
) -> Result:
    """Declare an AMQP queue."""
    target = _target("name", name)
    vhost = target.vhost or "/"
    arguments: dict[str, Any] = {
        "x-dead-letter-exchange": _dead_letter_exchange(dlx, vhost),
        "x-dead-letter-routing-key": dlk,
        "x-message-ttl": None if ttl is None else round(ttl * 1000),
        "x-max-length": most,
        "x-queue-type": kind,
        **{key: typed(value) for key, value in extra},
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    amqp(session).declare_queue(target.name, durable=durable, arguments=given, vhost=vhost)
    return done(f"queue {name} declared", {"name": name, "arguments": given})


@command(
    "queue rm",
    group="queues",
    aliases=("queue delete", "delete queue", "drop queue"),
    examples=("queue rm q.mail -y",),
    asks="Delete queue {name} with its messages?",
)
def queue_rm(session: "Session", name: Annotated[str, Arg(QUEUE, "a queue")]) -> Result:
    """Delete a queue with its messages."""
    view = known_queue(session, name)
    gone = amqp(session).delete_queue(view.name, vhost=view.detail["vhost"])
    return done(
        f"queue {name} deleted with {counted(gone, 'message')}", {"name": name, "messages": gone}
    )


@command(
    "queue purge",
    group="queues",
    aliases=("purge queue",),
    examples=("queue purge q.mail -y",),
    asks="Delete all ready messages of queue {name}?",
)
def queue_purge(session: "Session", name: Annotated[str, Arg(QUEUE, "a queue")]) -> Result:
    """Delete a queue's ready messages."""
    view = known_queue(session, name)
    gone = amqp(session).purge_queue(view.name, vhost=view.detail["vhost"])
    return done(f"{counted(gone, 'message')} of {name} deleted", {"name": name, "messages": gone})


def typed(value: str) -> Any:
    """An argument's value: a number or a truth where it looks like one."""
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.removeprefix("-").isdecimal() else value


def known_queue(session: "Session", name: str, argument: str = "name") -> DestinationView:
    """A queue by its name, or as `//VHOST/NAME`. Raises BadArgument with the nearest one."""
    views = [each for each in amqp(session).destinations() if each.kind == "queue"]
    found = resolved(session, _target(argument, name), argument)
    assert isinstance(found, QueueTarget)
    wanted = at_host(found.vhost, found.name)
    known(argument, wanted, map(name_of, views), "queue")
    return next(each for each in views if name_of(each) == wanted)


def _target(argument: str, name: str) -> QueueTarget:
    try:
        return QueueTarget.parse(name)
    except ValueError as error:
        raise BadArgument(argument, str(error)) from None


def _dead_letter_exchange(name: str | None, vhost: str) -> str | None:
    """Its bare name: dead letters stay in the virtual host of their queue."""
    host, bare = named("dlx", name) if name is not None else (None, None)
    if host not in (None, vhost):
        text = f"dead letters stay in their virtual host, {vhost}: {name} is in another"
        raise BadArgument("dlx", text)
    return bare


COMMANDS = (queue_ls, queue_show, queue_add, queue_rm, queue_purge)
