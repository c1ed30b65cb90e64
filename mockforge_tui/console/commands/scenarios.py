"""`scenario`: steps and expectations that files have."""

from typing import TYPE_CHECKING, Annotated

from ..lookup import known
from ..registry import Arg, command
from ..results import Column, Result, count, table
from ..types import text

if TYPE_CHECKING:
    from ...fixtures.scenarios import Scenario
    from ..session import Session

_NAME = text("name", "scenarios")


@command("scenario ls", group="expectations", aliases=("scenarios",), examples=("scenario ls",))
def scenario_ls(session: "Session") -> Result:
    """List the scenarios of the loaded files."""
    rows = [
        {
            "name": each.name,
            "steps": len(each.steps),
            "timeout": each.timeout,
            "reset": each.reset,
            "place": str(each.position),
            "description": each.description,
        }
        for each in _scenarios(session)
    ]
    return table(
        rows,
        Column("name", "scenario"),
        Column("steps", "steps", count, right=True),
        Column("place", "file"),
        Column("description", "description"),
        empty="no scenarios are loaded (scenarios: in a file)",
        fields=("timeout", "reset"),
    )


@command(
    "scenario run",
    group="expectations",
    streams=True,
    examples=("scenario run happy-order", "scenario run all"),
)
def scenario_run(
    session: "Session", name: Annotated[str, Arg(_NAME, "a scenario, or all")]
) -> Result:
    """Run a scenario: each step is shown as it ends, a failure with all there is to say.

    Only messages that come from its begin on count. `job stop` ends it.
    """
    # Scenarios bring the template engine: who has none does not wait for it.
    from ..playing import play

    every = {each.name: each for each in _scenarios(session)}
    if name == "all" and every:
        return play(session, list(every.values()))
    return play(session, [every[known("name", name, every, "scenario")]])


def _scenarios(session: "Session") -> "tuple[Scenario, ...]":
    return session.runtime.production.engine.fixtures.scenarios


COMMANDS = (scenario_ls, scenario_run)
