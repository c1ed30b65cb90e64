"""Keys that act, as functions of what is chosen: each gives the command line that it stands for.

Nothing here knows the screen, which runs the line, begins it at the prompt, or says why not.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Final

from mockforge_brokers.ended import ENDED
from mockforge_brokers.journal import Row
from mockforge_brokers.misbehaviour.holds import HoldRule
from mockforge_brokers.misbehaviour.rules import Rule
from mockforge_brokers.snapshots import ConnectionView, GroupView

from ..console.completing import quoted
from ..console.targets import place_of
from ..units import format_size
from .narrowing import (
    edit_line,
    publish_line,
    subject_term,
    target_of,
    term_of,
    why_about,
)
from .snapshot import ConnectionLine, DestinationLine, FaultLine
from .subjects import Subject, row_of

LONGEST_LINE: Final = 32_768
"""Characters of a line to be edited: each key lays out, colours and checks all of it."""


@dataclass(frozen=True, slots=True)
class Run:
    """Run this line as if typed; `settles` is the held frame that it lets go, 0 for none."""

    line: str
    settles: int = 0


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin this line at the prompt, for a person to finish; `cursor` None: at its end."""

    line: str
    cursor: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Why there is nothing to do, and what to do about that."""

    text: str


Deed = Run | Begin | Note


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the keys are about: the chosen record of the pane in which somebody is."""

    subject: Subject | None
    live: bool = False
    """It is the newest message of a flow that goes on, which changes under the finger."""
    marks: Set[int] = frozenset()
    """Numbers of the marked rows of the flow."""
    client: ConnectionView | None = None
    """The connection of the client whose session is chosen."""
    pointed: bool = False
    """In a picture: what is about nothing that there is must not be about everybody."""

    @property
    def row(self) -> Row | None:
        """The chosen row, or the frame that is chosen among the held ones."""
        return row_of(self.subject)

    @property
    def settled_row(self) -> Row | None:
        """The same, but none while live: whatever is newest was not meant."""
        return None if self.live else self.row

    @property
    def connection(self) -> ConnectionView | None:
        return self.subject.view if isinstance(self.subject, ConnectionLine) else self.client


def begin_a_line(chosen: Chosen) -> Deed:
    return Begin("")


def republish(chosen: Chosen) -> Deed:
    row = chosen.settled_row
    if row is not None and row.kind == "message":
        return Run("republish")
    if chosen.marks:
        return Run("republish @marked")
    return Note("select a message to publish it again")


def edit(chosen: Chosen) -> Deed:
    row = chosen.row
    if row is None or (row.kind != "message" and not row.held):
        return Note("select a message to edit it")
    line = edit_line(row) if row.held else publish_line(row)
    if len(line) <= LONGEST_LINE:
        return Begin(line)
    begins = f"edit h{row.held}" if row.held else f"pub {_place_of(row)}"
    size = format_size(len(row.payload or b""))
    return Note(
        f"{size} are too long for a line: export #{row.seq} --as raw > FILE, {begins} @FILE"
    )


def _place_of(row: Row) -> str:
    return quoted(target_of(row.protocol, row.destination, row))


def publish(chosen: Chosen) -> Deed:
    target = ""
    if isinstance(chosen.subject, DestinationLine):
        target = str(place_of(chosen.subject.view))
        if chosen.subject.view.detail.get("branch"):
            # Its topics begin like this; a person writes the rest.
            line = f"pub {quoted(target.removesuffix('#'))}"
            return Begin(line, len(line) - line.endswith('"'))
    elif (row := chosen.row) is not None and row.destination:
        target = target_of(row.protocol, row.destination, row)
    return Begin(f"pub {quoted(target)} " if target else "pub ")


def hold(chosen: Chosen) -> Deed:
    scope = _scope(chosen, "client", "op")
    return _OF_NOTHING if scope is None else Begin(f"hold {scope}".rstrip() + " ")


_OF_NOTHING = Note("there is nothing of this yet that it could be about")


def _scope(chosen: Chosen, *fields: str) -> str | None:
    """What is chosen, or the terms of a row's fields; without a client's name its connection.

    None where it would be everybody, and somebody was meant.
    """
    if isinstance(chosen.subject, ConnectionLine | DestinationLine | GroupView):
        return subject_term(chosen.subject)
    if chosen.pointed:
        return None
    row = chosen.row
    found = [term_of(row, each) for each in fields] if row is not None else []
    return " ".join(each for each in found if each is not None)


def release(chosen: Chosen, behind: int = 0) -> Deed:
    """Let a held frame go; `behind`: only once so many of those behind it have gone."""
    return _settle(chosen, "release", f" --behind {behind}" if behind else "")


def drop(chosen: Chosen) -> Deed:
    return _settle(chosen, "drop")


def _settle(chosen: Chosen, command: str, how: str = "") -> Deed:
    row = chosen.row
    if row is None or not row.held:
        return Note("no held frame is chosen; 5 lists them, A releases all")
    return Run(f"{command} h{row.held}{how}", settles=row.held)


def refuse(chosen: Chosen) -> Deed:
    row = chosen.row
    if row is None or not row.held:
        return Note("no held frame is chosen; 5 lists them")
    return Begin(f"refuse h{row.held} ")


def release_all(chosen: Chosen) -> Deed:
    return Run("release")


def copy(chosen: Chosen) -> Deed:
    which = _copied(chosen)
    return Run(f"copy {which}") if which else _NOTHING_TO_COPY


def copy_as(chosen: Chosen) -> Deed:
    which = _copied(chosen)
    return Begin(f"copy {which} --as ") if which else _NOTHING_TO_COPY


_NOTHING_TO_COPY = Note("nothing to copy here")


def _copied(chosen: Chosen) -> str:
    row = chosen.row
    if row is None or row.payload is None:
        return ""
    # What is held or stored has no number.
    return f"#{row.seq}" if row.seq else "@focus"


def switch(chosen: Chosen) -> Deed:
    match chosen.subject:
        case FaultLine(what=Rule(id=number, enabled=enabled)):
            return Run(f"fault {'off' if enabled else 'on'} {number}")
    return Note("only a fault can be switched off; a releases, D removes")


def remove(chosen: Chosen) -> Deed:
    match chosen.subject:
        case FaultLine(what=Rule(id=number)):
            return Run(f"fault rm {number}")
        case FaultLine(what=HoldRule(id=number)):
            return Run(f"hold rm {number}")
    return Note("choose a fault or a hold; a releases a held frame")


def fault(chosen: Chosen) -> Deed:
    scope = _scope(chosen, "client")
    if scope is None:
        return _OF_NOTHING
    line = f"fault add delay {scope}".rstrip() + " "
    # The scope is there to be kept: what a person changes is the delay behind it.
    return Begin(line + "250ms", len(line))


def kill(chosen: Chosen) -> Deed:
    view, row = chosen.connection, chosen.row
    if view is not None and view.state == ENDED:
        return Note(f"c{view.id} has ended already; W says why")
    number = view.id if view is not None else row.connection if row is not None else 0
    return (
        Run(f"conn kill c{number}") if number else Note("select a connection, or a message of one")
    )


def why(chosen: Chosen) -> Deed:
    about = why_about(chosen.subject)
    if about is None:
        return Note("choose a client, a group, a queue or a message first")
    return Run(f"why {about}")


def timeline(chosen: Chosen) -> Deed:
    row = chosen.row
    if row is None or not row.connection or not row.seq:
        return Note("select a message, or what answers one, to see what became of it")
    return Run(f"timeline #{row.seq}")


def diff(chosen: Chosen) -> Deed:
    """With the marked one that is nearest, else with the one before it; the older one is first."""
    row = chosen.row
    if row is None or row.kind != "message" or (row.held and not row.seq):
        return Note("select a message to compare it")
    if not row.seq:
        # A stored one has no number; what is marked is one of the flow.
        return Run(f"diff #{max(chosen.marks)} @focus" if chosen.marks else "diff @focus")
    others = sorted(chosen.marks - {row.seq}, key=lambda number: abs(number - row.seq))
    if not others:
        return Run(f"diff #{row.seq}")
    first, second = sorted((row.seq, others[0]))
    return Run(f"diff #{first} #{second}")


def panic(chosen: Chosen) -> Deed:
    return Run("panic")


KEY_COMMANDS: Final[dict[str, Callable[..., Deed]]] = {
    "prompt": begin_a_line,
    "republish": republish,
    "edit": edit,
    "publish": publish,
    "hold": hold,
    "copy": copy,
    "copy_as": copy_as,
    "release": release,
    "drop": drop,
    "refuse": refuse,
    "release_all": release_all,
    "switch": switch,
    "remove": remove,
    "fault": fault,
    "kill": kill,
    "panic": panic,
}
"""By the action that `keys.py` names; all others move about or look, and are the screen's."""
