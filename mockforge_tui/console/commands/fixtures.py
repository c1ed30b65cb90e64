"""`fixture`, `play` and `auto`: messages that fixtures make."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.errors import BrokerError

from ..generators import generator_of
from ..lookup import BadArgument, known, matching, resolved
from ..payloads import Payload
from ..registry import Arg, Opt, command
from ..results import Column, Notice, Result, count, done, on_off, table
from ..targets import Target
from ..types import COUNT, FIXTURE, GLOB, PAYLOAD, RATE, TARGET, TEXT, text

if TYPE_CHECKING:
    from ...fixtures.running import GeneratorStatus
    from ..session import Session

_SWITCHED = text("name", "fixtures-or-all")
_COLUMNS = (
    Column("on", "on", on_off),
    Column("id", "fixture"),
    Column("targets", "to"),
    Column("rate", "rate", right=True),
    Column("sent", "sent", count, right=True),
    Column("errors", "errors", count, right=True),
    Column("note", "note"),
)
_FIELDS = ("name", "per_second", "missed")


@command(
    "fixture ls",
    group="fixtures",
    aliases=("fixtures", "list fixtures"),
    examples=("fixture ls", "fixture ls checkout*"),
)
def fixture_ls(
    session: "Session", pattern: Annotated[str | None, Arg(GLOB, "a glob: checkout*")] = None
) -> Result:
    """List fixtures: where their messages go, how fast, how many so far."""
    every = session.runtime.production.engine.status()
    shown = set(matching((each.id for each in every), pattern))
    rows = [_record(each) for each in every if each.id in shown]
    return table(rows, *_COLUMNS, empty="no fixtures are loaded", fields=_FIELDS)


@command("fixture show", group="fixtures", examples=("fixture show order-created",))
def fixture_show(session: "Session", name: Annotated[str, Arg(FIXTURE, "a fixture")]) -> Result:
    """Show a fixture as its file has it."""
    fixtures = session.runtime.production.engine
    status = _status(session, name)
    source = fixtures.source(name).rstrip()
    return Result(text=source, data={**_record(status), "source": source})


@command("play", group="fixtures", examples=("play order-created", "play order-created -n 10"))
def play(
    session: "Session",
    name: Annotated[str, Arg(FIXTURE, "a fixture")],
    *,
    times: Annotated[int, Opt(("-n", "--count"), COUNT, "how often")] = 1,
    rate: Annotated[float, Opt(("--rate",), RATE, "how fast: 10/s, max")] = float("inf"),
) -> Result:
    """Make and publish a fixture's messages now."""
    fixtures = session.runtime.production.engine
    _status(session, name)
    places: list[str] = []

    def step() -> bool:
        try:
            sent = fixtures.emit(name)
        except BrokerError as error:
            if not places:
                raise

            session.report(Notice("problem", f"play stopped: {error}"))
            return False
        places[:] = [f"{each.protocol}:{each.destination}" for each in sent]
        return True

    job = session.jobs.run("play", name, step, count=times, per_second=rate)
    where = ", ".join(places)
    data = {"fixture": name, "times": job.steps, "targets": list(places)}
    if job.stopped:
        return done(f"{name} played {job.steps} times to {where}" if times > 1
                    else f"{name} played to {where}", data)  # fmt: skip
    return done(f"job {job.id} plays {name} {times} times", {**data, "job": job.id})


@command("play stop", group="fixtures", examples=("play stop",))
def play_stop(session: "Session") -> Result:
    """Stop everything that is being played."""
    return done(f"{session.jobs.stop_all('play')} stopped")


@command("auto ls", group="fixtures", aliases=("auto",), examples=("auto ls",))
def auto_ls(session: "Session") -> Result:
    """List fixtures that produce by themselves, running or not."""
    rows = [
        _record(each)
        for each in session.runtime.production.engine.status()
        if each.on or each.rate.per_second > 0
    ]
    return table(rows, *_COLUMNS, empty="no fixture produces by itself", fields=_FIELDS)


@command(
    "auto on",
    group="fixtures",
    examples=("auto on sensors --rate 10/s", "auto on all"),
)
def auto_on(
    session: "Session",
    name: Annotated[str, Arg(_SWITCHED, "a fixture, or all")],
    *,
    rate: Annotated[float | None, Opt(("--rate",), RATE, "a new rate: 10/s")] = None,
) -> Result:
    """Let a fixture produce by itself."""
    fixtures = session.runtime.production.engine
    names = _names(session, name)
    started, refused = [], []
    for each in names:
        if rate is not None:
            fixtures.set_rate(each, _finite(rate))
        try:
            fixtures.start(each)
        except BrokerError as error:
            if name != "all":
                raise BadArgument("name", str(error)) from None
            refused.append(each)
        else:
            started.append(each)
    rest = f" ({len(refused)} cannot run by themselves)" if refused else ""
    return done(f"{', '.join(started) or 'nothing'} on{rest}", {"on": started, "refused": refused})


@command("auto off", group="fixtures", examples=("auto off sensors", "auto off all"))
def auto_off(
    session: "Session", name: Annotated[str, Arg(_SWITCHED, "a fixture, or all")]
) -> Result:
    """Stop a fixture's own production; play still works."""
    names = _names(session, name)
    for each in names:
        session.runtime.production.engine.stop(each)
    return done(f"{', '.join(names) or 'nothing'} off", {"off": names})


@command("auto rate", group="fixtures", examples=("auto rate sensors 50/s",))
def auto_rate(
    session: "Session",
    name: Annotated[str, Arg(FIXTURE, "a fixture")],
    rate: Annotated[float, Arg(RATE, "messages: 50/s, 600/m")],
) -> Result:
    """Change how fast a fixture produces, while it runs."""
    _status(session, name)
    session.runtime.production.engine.set_rate(name, _finite(rate))
    return done(f"{name}: {_status(session, name).rate}", {"fixture": name, "rate": rate})


@command(
    "auto add",
    group="fixtures",
    examples=(
        'auto add temps mqtt:sensors/room{{choice 1 2 3}}/temp {"t": {{int 18 24}}} --rate 5/s',
    ),
)
def auto_add(
    session: "Session",
    name: Annotated[str, Arg(text("name"), "the new fixture's name")],
    target: Annotated[Target, Arg(TARGET, "where to")],
    payload: Annotated[Payload, Arg(PAYLOAD, "JSON, word or string, with templates")],
    *,
    key: Annotated[str | None, Opt(("-k", "--key"), TEXT, "record key", "KEY")] = None,
    rate: Annotated[float, Opt(("--rate",), RATE, "how fast")] = 1.0,
) -> Result:
    """Add a fixture that produces from now on, until it is switched off."""
    generator = generator_of(
        name,
        resolved(session, target),
        payload,
        key=key,
        per_second=_finite(rate),
        files=session.files,
    )
    session.runtime.production.engine.add(generator)
    session.runtime.production.engine.start(name)
    return done(f"{name} on: {_status(session, name).rate}", {"fixture": name, "rate": rate})


@command("auto rm", group="fixtures", examples=("auto rm temps -y",), asks="Forget fixture {name}?")
def auto_rm(session: "Session", name: Annotated[str, Arg(FIXTURE, "a fixture")]) -> Result:
    """Forget a fixture; its file stays as it is."""
    _status(session, name)
    session.runtime.production.engine.remove(name)
    return done(f"{name} is gone", {"fixture": name})


def _record(status: "GeneratorStatus") -> dict[str, object]:
    return {
        "id": status.id,
        "name": status.name,
        "on": status.on,
        "targets": list(status.targets),
        "rate": str(status.rate) if status.rate.per_second else None,
        "per_second": status.rate.per_second,
        "sent": status.sent,
        "missed": status.missed,
        "errors": status.errors,
        "note": status.last_error or status.idle,
    }


def _status(session: "Session", name: str) -> "GeneratorStatus":
    every = {each.id: each for each in session.runtime.production.engine.status()}
    return every[known("name", name, every, "fixture")]


def _names(session: "Session", name: str) -> list[str]:
    if name == "all":
        return [each.id for each in session.runtime.production.engine.status()]
    return [_status(session, name).id]


def _finite(rate: float) -> float:
    if rate == float("inf"):
        raise BadArgument("rate", "a fixture needs a rate that ends (1000/s)")
    return rate


COMMANDS = (
    fixture_ls,
    fixture_show,
    play,
    play_stop,
    auto_ls,
    auto_on,
    auto_off,
    auto_rate,
    auto_add,
    auto_rm,
)
