"""MQTT's topics as a tree of one level: a branch is unfolded, and folded again."""

from ..console.scene import Scene
from .stage import Stage, play


def _furnished() -> Scene:
    scene = Scene(furnished=False)
    scene.run("topic add room -p 1")
    scene.run("queue add room/queue")
    for number in range(5):
        scene.run(f"pub mqtt:room/{number} {number}")
        scene.run(f"pub mqtt:hall/{number} {number}")
    return scene


def _chosen(stage: Stage) -> tuple[str, str]:
    line = stage.screen.destinations.chosen
    assert line is not None
    return line.view.protocol, line.view.name


def test_a_branch_is_unfolded_at_its_first_topic_and_folded_again() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("3")
        pane = stage.screen.destinations
        while pane.chosen is None or pane.chosen.view.name != "room/#":
            await stage.keys("j")
        await stage.keys("enter")
        # Neither the Kafka topic nor the queue of this name is in the branch.
        assert _chosen(stage) == ("mqtt", "room/0")
        await stage.keys("j", "h")
        assert _chosen(stage) == ("mqtt", "room/#")
        await stage.keys("h")
        await stage.shows("no branch was unfolded here")

    play(act, real=_furnished)


def test_the_cursor_goes_on_from_where_a_record_was_that_has_gone() -> None:
    def busy() -> Scene:
        scene = _furnished()
        for number in range(5):
            scene.run(f"fault add delay topic:t{number} 1ms")
        return scene

    async def act(stage: Stage) -> None:
        pane = stage.screen.faults
        await stage.keys("5", "j", "j", "j", "D")
        await stage.tick()
        assert (pane.chosen, [each.id for each in pane.records]) == (None, [1, 2, 4, 5])
        await stage.keys("j")
        assert pane.chosen is not None
        assert pane.chosen.id == 4
        await stage.keys("D")
        await stage.tick()
        await stage.keys("k")
        assert pane.chosen is not None
        assert pane.chosen.id == 2

    play(act, real=busy)


def test_the_facts_of_a_queue_are_read_to_their_end() -> None:
    def bound() -> Scene:
        scene = Scene(furnished=False)
        scene.run("queue add q")
        scene.run("bind amq.direct q far-down")
        return scene

    async def act(stage: Stage) -> None:
        await stage.keys("3", "j", "8", "G")
        await stage.shows("far-down")
        assert stage.screen.here is stage.screen.inspector

    play(act, real=bound)


def test_a_number_that_no_chart_can_have_is_looked_at_all_the_same() -> None:
    def hostile() -> Scene:
        scene = _furnished()
        for payload in ("9" * 400, "1e308", "-1e308", '{"t": -1e308}', '{"t": 1e308}'):
            scene.run(f"pub mqtt:t {payload}")
        return scene

    async def act(stage: Stage) -> None:
        await stage.keys("3", "G")
        while _chosen(stage)[1] != "t":
            await stage.keys("k")
        for _ in range(3):
            await stage.keys("right_square_bracket")
            assert "topic t" in stage.text()

    play(act, real=hostile)
