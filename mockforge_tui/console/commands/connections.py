"""`conn`: who is connected."""

import re
from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.ended import EndedConnection
from mockforge_brokers.snapshots import ConnectionView

from ...filters import Filter, compile_filter, records
from ..language import Token
from ..lookup import BadArgument, known
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, count, done, duration, facts_table, plain, size, table
from ..types import CODE, TEXT, filter_of
from .holds import codes_of

if TYPE_CHECKING:
    from ..session import Session

_FIELDS = (
    "id",
    "proto",
    "client",
    "user",
    "ip",
    "state",
    "listener",
    "software",
    "in",
    "out",
    "age",
)
_SUBJECT = records("connections", (*_FIELDS, "reason"))
_NUMBER = re.compile(r"[c#]?(\d+)")


Which = int | str | Filter


def _which(token: Token) -> Which:
    """A connection's number (`c7`), a client's name, or a filter in parentheses."""
    number = _NUMBER.fullmatch(token.text)
    if number is not None:
        return int(number[1])
    if token.text.startswith("("):
        return compile_filter(token.text, _SUBJECT)
    return token.value


CONNECTION = Type("id", _which, "connections")


@command(
    "conn ls",
    group="connections",
    aliases=("conns", "connections", "list connections"),
    examples=("conn ls", "conn ls (proto:mqtt)", "conns client:dev-*", "conns --ended"),
)
def conn_ls(
    session: "Session",
    where: Annotated[Filter | None, Arg(filter_of(_SUBJECT), "a filter", tail=True)] = None,
    *,
    ended: Annotated[bool, Opt(("--ended",), None, "those that ended, with their reason")] = False,
) -> Result:
    """List connections: the open ones, or the last that ended and why."""
    if ended:
        return _ended_table(session, where)
    rows = [_record(session, each) for each in session.connections()]
    return table(
        [row for row in rows if where is None or where(row)],
        Column("id", "id", lambda number: f"c{number}", right=True),
        Column("proto", "broker"),
        Column("client", "client"),
        Column("user", "user"),
        Column("ip", "address"),
        Column("state", "state"),
        Column("in", "in", count, right=True),
        Column("out", "out", count, right=True),
        Column("age", "age", duration, right=True),
        empty="no connections",
        fields=_FIELDS,
    )


@command(
    "conn show",
    group="connections",
    aliases=("describe connection",),
    examples=("conn show dev-7", "conn show c7"),
)
def conn_show(
    session: "Session",
    which: Annotated[Which, Arg(CONNECTION, "a connection (c7) or a client's name")],
) -> Result:
    """Show all that is known of a connection, also of one that is over."""
    one = _over(session, which)
    if one is not None:
        record = _ended_record(session, one)
        record["ended"] = f"{duration(record.pop('ago'))} ago"
        record["lasted"] = duration(record["lasted"])
        return _facts(one.view, record)
    view = _one(session, which)
    return _facts(view, _record(session, view))


def _facts(view: ConnectionView, record: dict[str, Any]) -> Result:
    facts: dict[str, Any] = {
        **record,
        "bytes_in": size(view.bytes_in),
        "bytes_out": size(view.bytes_out),
        **_security(view),
        **view.detail,
    }
    facts["age"] = duration(facts["age"])
    return facts_table(facts)


@command(
    "conn kill",
    group="connections",
    aliases=("close connection", "kill"),
    examples=(
        "conn kill c7 -y",
        "conn kill (client:dev-*) --rst -y",
        "conn kill (proto:mqtt) --code SESSION_TAKEN_OVER -y",
        "conn kill (proto:amqp) --code 506 --text maintenance -y",
    ),
    asks="Close {which}?",
)
def conn_kill(
    session: "Session",
    which: Annotated[Which, Arg(CONNECTION, "a connection (c7), a client's name or a (filter)")],
    *,
    reset: Annotated[bool, Opt(("--rst",), None, "with a TCP reset and no closing frame")] = False,
    code: Annotated[
        str | None, Opt(("--code",), CODE, "what DISCONNECT or connection.close says")
    ] = None,
    text: Annotated[str, Opt(("--text",), TEXT, "the words that go with it")] = "",
) -> Result:
    """End connections as the protocol closes them, or with a reset.

    MQTT 5 and AMQP give the code of --code as the reason; Kafka and MQTT 3.1.1 have none.
    """
    if isinstance(which, int):
        chosen = [_one(session, which)]
    elif isinstance(which, str):
        chosen = _named(session, which)
    else:
        chosen = [each for each in session.connections() if which(_record(session, each))]
    if not chosen:
        raise BadArgument("which", "no connection matches")
    if reset and code is not None:
        raise BadArgument("code", "a reset says nothing: --rst or --code")
    codes = {} if code is None else codes_of(session, code, "code")
    for each in chosen:
        if code is not None and each.protocol not in codes:
            raise BadArgument("code", f"c{each.id} speaks {each.protocol}, which has no {code}")
    ended = [
        each.id
        for each in chosen
        if session.runtime.brokers[each.protocol].disconnect(
            each.id,
            text or "closed at the console",
            reset=reset,
            code=codes.get(each.protocol),
        )
    ]
    return done(f"{len(ended)} ended: {', '.join(f'c{n}' for n in ended)}", {"ended": ended})


def _security(view: ConnectionView) -> dict[str, str]:
    """How the client proved who it is, and what it came over; what is not there is left out."""
    principal = view.principal
    found = {
        "mechanism": principal.mechanism,
        "tls": principal.tls,
        "certificate": principal.certificate,
        "server_name": principal.server_name,
    }
    return {name: value for name, value in found.items() if value}


def _record(session: "Session", view: ConnectionView) -> dict[str, Any]:
    return {
        "id": view.id,
        "proto": view.protocol,
        "client": view.client,
        "user": view.principal.name,
        "ip": view.address,
        "state": view.state,
        "listener": view.listener,
        "software": view.software,
        "in": view.messages_in,
        "out": view.messages_out,
        "age": max(0.0, session.runtime.clock.wall() - view.since),
    }


def connections_of(session: "Session", which: Which) -> list[ConnectionView]:
    """The connection of this number, open or over, or all that are open of a client; of one that
    is gone the last. Raises BadArgument."""
    over = _over(session, which)
    if over is not None:
        return [over.view]
    return _named(session, which) if isinstance(which, str) else [_one(session, which)]


def _one(session: "Session", which: Which) -> ConnectionView:
    if isinstance(which, Filter):
        raise BadArgument("which", "one connection is wanted: c7")
    if isinstance(which, str):
        found = _named(session, which)
        if len(found) > 1:
            ids = ", ".join(f"c{each.id}" for each in found)
            raise BadArgument("which", f"{which} has {len(found)} connections: {ids}")
        return found[0]
    for each in session.connections():
        if each.id == which:
            return each
    over = _over(session, which)
    if over is not None:
        ago = duration(max(0.0, session.runtime.clock.wall() - over.at))
        raise BadArgument("which", f"c{which} ended {ago} ago: {over.reason}")
    raise BadArgument("which", f"no connection c{which}; conn ls and conns --ended list them")


def _over(session: "Session", which: Which) -> EndedConnection | None:
    """A connection that is over, by its number or as the last one of a client that is gone."""
    ended = session.runtime.ended
    match which:
        case int():
            return ended.find(which)
        case str() if not any(each.client == which for each in session.connections()):
            return next(ended.of_client(which), None)
    return None


def _named(session: "Session", client: str) -> list[ConnectionView]:
    """The connections of a client; BadArgument if there is none."""
    views = session.connections()
    known("which", client, sorted({each.client for each in views}), "client")
    return [each for each in views if each.client == client]


def _ended_table(session: "Session", where: Filter | None) -> Result:
    """Connections that are over, the newest first."""
    rows = [_ended_record(session, one) for one in session.runtime.ended]
    return table(
        [row for row in rows if where is None or where(row)],
        Column("id", "id", lambda number: f"c{number}", right=True),
        Column("proto", "broker"),
        Column("client", "client"),
        Column("ip", "address"),
        Column("ago", "ended", lambda seconds: f"{duration(seconds)} ago", right=True),
        Column("lasted", "lasted", duration, right=True),
        Column("reason", "reason"),
        empty="no connection has ended",
        fields=_FIELDS,
    )


def _ended_record(session: "Session", one: EndedConnection) -> dict[str, Any]:
    ago = max(0.0, session.runtime.clock.wall() - one.at)
    lasted = max(0.0, one.at - one.view.since)
    record = _record(session, one.view)
    return {**record, "age": lasted, "ago": ago, "lasted": lasted, "reason": one.reason}


@command(
    "listener ls",
    group="connections",
    aliases=("listeners", "list listeners"),
    examples=("listener ls",),
)
def listener_ls(session: "Session") -> Result:
    """List where clients are accepted."""
    runtime = session.runtime
    rows = [
        {
            "proto": each.protocol,
            "name": each.name,
            "host": "" if each.path else each.host,
            "port": None if each.path else each.port,
            "address": runtime.brokers[each.protocol].address(each),
            "settings": dict(runtime.brokers[each.protocol].settings_at(each)),
        }
        for each in runtime.listeners
    ]
    return table(
        rows,
        Column("proto", "broker"),
        Column("name", "listener"),
        Column("host", "host"),
        Column("port", "port", plain, right=True),
        Column("address", "clients dial"),
        Column("settings", "otherwise there", _as_written),
        empty="nothing listens",
    )


def _as_written(settings: dict[str, object]) -> str:
    texts = {
        name: ",".join(value) if isinstance(value, tuple) else str(value).lower()
        for name, value in settings.items()
    }
    return " ".join(f"{name}={value}" for name, value in texts.items())


COMMANDS = (conn_ls, conn_show, conn_kill, listener_ls)
