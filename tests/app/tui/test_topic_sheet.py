"""What the inspector shows of an MQTT topic: facts, values with what changed, and a chart."""

from mockforge_tui.feed.values import Value
from mockforge_tui.tui.documents import Line
from mockforge_tui.tui.topic_sheet import chart_lines, summary, value_lines

from ..console.scene import Scene
from .stage import LARGE, SMALL, Stage, play

BARS = "▁▂▃▄▅▆▇█"


def values(*payloads: bytes) -> list[Value]:
    return [Value(n, 1000.0 + n, "dev", each, 0, False) for n, each in enumerate(payloads)]


def plain(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def test_values_are_newest_first_with_what_changed_below() -> None:
    lines = plain(value_lines(values(b'{"t": 1, "u": 2}', b'{"t": 2, "u": 2}', b"gone"), 60))
    assert [line[15:].rstrip() for line in lines] == [
        "gone  dev",
        "t gone, u gone, new: gone",
        '{"t": 2, "u": 2}  dev',
        "t 1 → 2",
        '{"t": 1, "u": 2}  dev',
    ]
    assert plain(value_lines([], 60)) == ["the journal has no values of this topic"]


def test_the_chosen_number_is_charted_and_all_are_listed() -> None:
    found = values(*(b'{"t": %d, "u": %d}' % (n, 9 - n) for n in range(4)))
    first, second = (plain(chart_lines(found, n, 40, 12, BARS)) for n in (0, 1))
    assert first[0] == "t 3  4 values, 0 to 3"
    assert second[0] == "u 6  4 values, 6 to 9"
    assert first[1].startswith("3 ┤")
    assert [line.split()[0] for line in first[-2:]] == ["t", "u"]
    assert len(first) == 12
    nothing = plain(chart_lines(values(b"on"), 0, 40, 12, BARS))
    assert nothing == ["no numbers in these payloads: nothing to chart"]


def test_the_facts_have_the_last_value_and_how_its_number_went() -> None:
    facts = dict(summary(values(b"20", b"22", b"21"), BARS))
    assert facts["last value"] == "21"
    assert facts["changed"] == "22 → 21"
    assert facts["value"].endswith("20 to 22")


def test_a_topic_in_the_pane_has_its_values_and_its_chart_in_the_inspector() -> None:
    async def act(stage: Stage) -> None:
        for number in (20, 22, 21):
            stage.runtime.run(f'pub mqtt:hall/climate {{"t":{number},"rh":50}} -r')
        await stage.tick()
        await stage.keys("3")
        pane = stage.screen.destinations
        at = [line.view.name for line in pane.records].index("hall/climate")
        await stage.keys("g", *["j"] * at)
        await stage.tick()
        await stage.shows("last value")
        await stage.keys("right_square_bracket")
        await stage.shows("t 20 → 22")
        await stage.keys("right_square_bracket")
        await stage.shows("t 21  3 values, 20 to 22")
        stage.screen.set_focus(stage.screen.inspector)
        await stage.keys("enter")
        await stage.shows("rh 50  3 values, 50 to 50")
        stage.runtime.run('pub mqtt:hall/climate {"t":25,"rh":51} -r')
        await stage.tick()
        await stage.shows("rh 51  4 values, 50 to 51")

    play(act, LARGE, real=lambda: Scene(furnished=False))


def test_beside_a_pane_of_a_small_screen_the_chart_has_the_height_that_is_there() -> None:
    async def act(stage: Stage) -> None:
        for number in (20, 22, 21):
            stage.runtime.run(f'pub mqtt:hall/climate {{"t":{number},"rh":50}} -r')
        await stage.tick()
        await stage.keys("3", "g", "right_square_bracket", "right_square_bracket")
        await stage.keys("right_square_bracket")
        inspector, pane = stage.screen.inspector, stage.screen.destinations
        assert inspector.outer_size.height == pane.outer_size.height
        # In front of the flow it has its part alone.
        await stage.keys("1")
        assert inspector.outer_size.height < pane.outer_size.height

    play(act, SMALL, real=Scene)
