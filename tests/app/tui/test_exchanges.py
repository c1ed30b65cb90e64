"""`o` and the inspector: what answers a row, when, and what passed on its connection before."""

import pytest
from mockforge_brokers.journal import IN, OUT, Row

from mockforge_tui.tui.inspection import step

from .stage import LARGE, SMALL, Stage, play


def frame(operation: str, direction: int, at: float, **fields: object) -> Row:
    """A row of one connection, with a packet identifier or with none."""
    row = Row("mqtt", direction, operation, connection=7, client="dev-7", time=at)
    row.frame, row.correlation = bytes(bytearray(4)), fields.get("of")
    if operation == "PUBLISH":
        row.kind, row.payload, row.destination = "message", b"21.5", "t"
    return row


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0, "+0.0ms"), (0.0014, "+1.4ms"), (0.2, "+200ms"), (90.0, "+1m30s")]
)
def test_a_step_says_how_long_it_took_and_what_went_wrong(seconds: float, shown: str) -> None:
    first, later = frame("PUBLISH", IN, 5.0), frame("PUBACK", OUT, 5.0 + seconds)
    first.seq, later.seq, later.error = 1, 2, "QUOTA_EXCEEDED"
    assert step(first, later) == f"{shown} #2 PUBACK QUOTA_EXCEEDED"
    assert step(later, first) == f"{shown.replace('+', '-')} #1 PUBLISH"


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_publish_shows_its_acknowledgement_and_o_goes_round(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        ring, flow = stage.app.feed.ring, stage.flow
        stage.screen.flow.show(None)
        for row in (
            frame("PUBLISH", IN, 100.0),
            frame("PUBLISH", IN, 100.2, of=(0, 1)),
            frame("PUBREC", OUT, 100.2014, of=(0, 1)),
            frame("PUBREL", IN, 100.25, of=(0, 1)),
        ):
            ring.add(row)
        first = ring.newest - 2
        await stage.tick()
        flow.select_row(first)
        await stage.keys("enter")
        await stage.shows(f"+1.4ms #{first + 1} PUBREC")
        for following in (first + 1, first + 2):
            await stage.keys("o")
            assert flow.cursor == following
        # What comes later is seen of what is open already.
        ring.add(frame("PUBCOMP", OUT, 101.25, of=(0, 1)))
        await stage.tick()
        await stage.shows(f"+1s #{first + 3} PUBCOMP")
        for following in (first + 3, first):
            await stage.keys("o")
            assert flow.cursor == following
        await stage.keys("1", "right_square_bracket")
        for text in (
            f"answered         +1s #{first + 3} PUBCOMP",
            f"previous         -200ms #{first - 1}",
        ):
            assert any(text in line for line in _lines(stage)), text

    play(act, size=size)


def _lines(stage: Stage) -> list[str]:
    """The headers as they are laid out, however few of them the screen has room for."""
    inspection = stage.screen.inspector.opened._inspection
    assert inspection is not None
    return ["".join(text for text, _ in line) for line in inspection.headers]


def test_what_has_no_answer_says_so_and_an_answer_that_is_filtered_out_is_named() -> None:
    async def act(stage: Stage) -> None:
        ring, flow = stage.app.feed.ring, stage.flow
        ring.add(frame("PUBLISH", IN, 1.0))
        ring.add(frame("PUBLISH", IN, 1.0, of=(0, 9)))
        await stage.tick()
        flow.select_row(ring.newest - 1)
        await stage.keys("o")
        await stage.shows("nothing here belongs to it")
        flow.select_row(ring.newest)
        await stage.keys("o")
        await stage.shows("it is not answered yet")
        await stage.keys("enter")
        await stage.shows("not answered yet")
        stage.app.run_line("filter op:PUBLISH")
        ring.add(frame("PUBACK", OUT, 1.5, of=(0, 9)))
        await stage.tick()
        flow.select_row(ring.newest - 1)
        await stage.keys("o")
        await stage.shows(f"#{ring.newest} PUBACK is not among the rows shown")
        assert flow.selected is ring.row(ring.newest)

    play(act)
