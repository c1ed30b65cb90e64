"""A message's way as steps, each with the frame that shows it."""

from dataclasses import dataclass, field

from mockforge_brokers.journal import Row


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a message; `place` is a queue, topic or partition.

    `who` is a group or client where not the row's own client is meant. `row` is None for what no
    frame shows.
    """

    what: str
    row: Row | None = None
    place: str = ""
    note: str = ""
    who: str = ""


@dataclass(slots=True, eq=False)
class Course:
    """One message, others may be alike in all; `start` is its publish, None where that is not
    among the frames."""

    start: Row | None
    steps: list[Step] = field(default_factory=list)

    def add(self, what: str, row: Row, place: str = "", note: str = "", who: str = "") -> None:
        self.steps.append(Step(what, row, place, note, who))

    def has(self, row: Row) -> bool:
        """Whether a row that was made at another time is one of its steps."""
        return any(each.row is not None and same_frame(each.row, row) for each in self.steps)


def same_frame(one: Row, other: Row) -> bool:
    """Rows are made whenever somebody looks: two of one frame and one record are alike."""
    return (
        one.connection == other.connection
        and one.time == other.time
        and one.direction == other.direction
        and one.frame == other.frame
        and (one.key, one.payload) == (other.key, other.payload)
    )


def texted(value: object) -> str:
    """What tells messages apart: all that is in it, as text."""
    return repr(value)
