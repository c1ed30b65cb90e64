"""`topology`: who sends to whom, as a picture."""

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.fairness import Stepped

from ...text import clean
from ...units import counted
from ..lengthy import worked
from ..registry import Arg, Opt, command
from ..results import Result
from ..topology.building import Named, Views, build
from ..topology.drawing import as_text, draw
from ..topology.flows import WINDOW, Flows
from ..topology.graph import Graph
from ..topology.reading import read
from ..types import text

if TYPE_CHECKING:
    from ..session import Session

_NAME = text("name", "names")


@command(
    "topology",
    group="connections",
    aliases=("graph",),
    examples=("topology", "topology orders", "topology --all"),
)
def topology(
    session: "Session",
    name: Annotated[
        str | None, Arg(_NAME, "only what has to do with a name that has this in it")
    ] = None,
    *,
    quiet: Annotated[
        bool, Opt(("--all",), None, "topics and queues, too, that nobody has to do with")
    ] = False,
) -> Result:
    """Draw who sends to which topics, exchanges and queues, and who gets it from there.

    Rates are of the last seconds, as frames in the journal show them; `×` is a flow with an error
    or a fault, `‖` one with a frame that is held. Consumers are shown before anything comes: groups
    and sessions by what they subscribed to. For programs it is a graph of nodes and edges. On the
    screen, `T` shows it live. Of very many, clients get their turn in between; then it is a job,
    whose end scripts and programs wait for.
    """

    def drawn(graph: Graph) -> Result:
        picture = partial(_lines, graph)
        return Result(text=_summary(graph, name), data=graph.as_json(), picture=picture)

    has = partial(_has, name.casefold()) if name is not None else None
    steps = _graph(session, quiet, has)
    return worked(session, session.runtime.chores, "topology", name or "of all", steps, drawn)


def _graph(session: "Session", quiet: bool, has: Named | None) -> Stepped[Graph]:
    runtime = session.runtime
    now = runtime.clock.wall()
    flows = read(runtime.journal, now) if runtime.journal is not None else Flows(now - WINDOW)
    yield
    connections = session.connections()
    yield
    destinations = session.destinations()
    yield
    held = chain.from_iterable(each.rows[:1] for each in runtime.holds.held.values())
    views = Views(connections, destinations, session.groups(), list(held))
    yield
    return (yield from build(views, flows, now, quiet=quiet, has=has))


def _has(part: str, name: str) -> bool:
    return part in name.casefold()


def _lines(graph: Graph, cells: int) -> list[str]:
    return [as_text(line).rstrip() for line in draw(graph, cells)]


def _summary(graph: Graph, name: str | None) -> str:
    if not graph.hubs and not graph.idle:
        if name is not None:
            return f"nothing here has {clean(name, 60)} in its name"
        return "no client, and no topic or queue that somebody uses"
    ends = {(end.of, end.protocol, end.name) for hub in graph.hubs for end in hub.ends}
    ends |= {(end.of, end.protocol, end.name) for end in graph.idle}
    return f"{counted(len(graph.hubs), 'place')} between {len(ends):,} clients and groups"


COMMANDS = (topology,)
