"""The screen in front of real brokers: what is stored, why nothing comes, who has gone."""

from typing import Any

from mockforge_brokers.events import ConnectionClosed
from textual.events import Key

from mockforge_tui.tui.inspection import Inspection

from ..console.scene import Scene
from .stage import SMALL, Stage, play


class Real(Scene):
    """Real brokers with what the screen asks of a runtime besides."""

    def __init__(self) -> None:
        super().__init__()
        self.ports = {"kafka": 9092, "mqtt": 1883, "amqp": 5672}
        self.notices_at_start: list[str] = []

    def facts(self) -> dict[str, Any]:
        return {name: {"url": f"{name}://127.0.0.1:{port}"} for name, port in self.ports.items()}


async def _choose(stage: Stage, pane: str, name: str) -> None:
    """Put the cursor of a pane on a record by its name, as j does."""
    await stage.keys(pane, "g")
    here: Any = stage.screen.here
    for _ in here.records:
        record = here.chosen
        view = getattr(record, "view", record)
        if name in (getattr(view, "name", None), getattr(view, "client", None)):
            return
        await stage.keys("j")
    raise AssertionError(f"{name} is not in pane {pane}\n{stage.text()}")


def test_enter_on_a_topic_shows_its_records_and_takes_none() -> None:
    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "orders")
        await stage.keys("enter")
        await stage.shows("Stored  topic orders")
        await stage.shows("newest 7 of 7")
        await stage.shows("p0@6")
        assert stage.screen.inspector.row.payload == b'{"id": 7}'  # type: ignore[union-attr]
        await stage.keys("g")
        await stage.until(lambda: stage.screen.inspector.row.payload == b'{"id": 1}')  # type: ignore[union-attr]
        await stage.keys("e")
        await stage.until(lambda: stage.screen.prompt.input.value.startswith("pub kafka:orders"))
        await stage.keys("escape", "escape")
        await stage.shows("1 Flow")
        assert stage.screen.destinations.has_focus

    play(act, real=Real)


def test_keys_of_one_burst_act_in_the_pane_that_the_first_of_them_chose() -> None:
    async def act(stage: Stage) -> None:
        for name in ("3", "g", "enter"):
            stage.app.post_message(Key(name, name if len(name) == 1 else None))
        await stage.shows("Stored  topic orders")

    play(act, real=Real)


def test_stored_messages_are_filtered() -> None:
    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "orders")
        await stage.keys("enter", "slash")
        await stage.type("json.id>5")
        await stage.keys("enter")
        await stage.shows("newest 2 of 7")
        assert stage.app.session.filter.text == ""

    play(act, real=Real)


def test_stored_messages_go_on_page_by_page_in_both_directions() -> None:
    def many() -> Real:
        real = Real()
        for turn in range(5):
            real.run(f"pub kafka:payments {turn}-{{{{sequence}}}} -n 100")
        return real

    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "payments")
        await stage.keys("enter")
        pane = stage.screen.stored

        def payload() -> bytes | None:
            return pane.chosen.row.payload if pane.chosen is not None else None

        assert payload() == b"4-100"
        await stage.keys("g")
        assert payload() == b"paid"
        await stage.shows("oldest 200 of 501")
        pane.move(199)
        assert payload() == b"1-99"
        await stage.keys("j")
        assert payload() == b"1-100"
        await stage.shows("further on 200 of 501")
        await stage.keys("k")
        assert payload() == b"1-99"

    play(act, real=many)


def test_enter_on_a_queue_shows_its_messages_and_leaves_them_there() -> None:
    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "q.inv")
        await stage.keys("enter")
        await stage.shows("Stored  queue q.inv")
        await stage.shows("events order.paid")
        assert len(stage.runtime.amqp.peek("q.inv", 10)) == 3

    play(act, real=Real)


def test_enter_on_a_session_shows_what_waits_for_its_client() -> None:
    def away() -> Real:
        real = Real()
        real.run("pub mqtt:sensors/room9/temp 19.5 -q 1")
        return real

    async def act(stage: Stage) -> None:
        await _choose(stage, "4", "dev-8")
        await stage.keys("enter")
        await stage.shows("Stored  waiting for dev-8")
        await stage.shows("19.5")

    play(act, real=away)


def test_stored_messages_fit_a_small_terminal() -> None:
    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "orders")
        await stage.keys("enter")
        await stage.shows("Stored  topic orders")
        await stage.keys("enter")
        await stage.shows('"id": 7')
        await stage.keys("escape", "escape")
        await stage.shows("3 Topics")

    play(act, SMALL, real=Real)


def test_one_key_on_a_client_says_why_it_gets_nothing() -> None:
    def wrong_case() -> Real:
        real = Real()
        real.lost = real.mqtt_client("lost", "Sensors/#")  # type: ignore[attr-defined]
        return real

    async def act(stage: Stage) -> None:
        await _choose(stage, "2", "lost")
        await stage.keys("W")
        await stage.shows("Sensors/#")
        commands = [each.text for each in stage.app.record.entries if each.kind == "command"]
        assert commands[-1].startswith("why c")

    play(act, real=wrong_case)


def test_a_connection_that_ended_stays_listed_with_its_reason() -> None:
    async def act(stage: Stage) -> None:
        runtime = stage.runtime
        number = next(view.id for view in runtime.mqtt.connections() if view.client == "dev-7")
        runtime.mqtt_leave(runtime.dev_7)
        runtime.spine.emit(ConnectionClosed("mqtt", number, "dev-7", "the client said DISCONNECT"))
        await stage.tick()
        await _choose(stage, "2", "dev-7")
        chosen = stage.screen.connections.chosen
        assert chosen is not None
        assert chosen.view.state == "ended"
        await stage.shows("the client said DISCONNECT")
        await stage.shows("+1 ended")

    play(act, real=Real)


def test_a_publish_that_reached_no_queue_says_so_in_its_row_and_in_the_inspector() -> None:
    def unroutable() -> Real:
        real = Real()
        real.web.publish("events", "nobody", b"x")
        return real

    async def act(stage: Stage) -> None:
        await stage.shows("reached no")
        row = next(
            row for row in stage.app.feed.since(0)
            if row.operation == "basic.publish" and row.error
        )  # fmt: skip
        facts = ["".join(text for text, _ in line) for line in Inspection(row).headers]
        assert any("reached no queue" in fact for fact in facts)

    play(act, real=unroutable)
