"""The dashboard with a person at its keys."""

import pytest
from brokers.misbehaving import Waiting, fault, hold
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.actions import Delay
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Publish
from textual import events
from textual.events import Key

from mockforge_tui.console.results import Notice

from .shop import Shop
from .stage import LARGE, SMALL, Stage, play


@pytest.mark.parametrize("size", [LARGE, SMALL, (170, 50), (60, 16)])
def test_every_line_is_as_wide_as_the_screen(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        for keys in ((), ("k", "enter"), ("escape", "2"), ("z",), ("colon",)):
            await stage.keys(*keys)
            lines = stage.lines()
            assert len(lines) == size[1]
            assert {len(line) for line in lines} == {size[0]}

    play(act, size)


def test_the_large_dashboard_shows_all_panes_with_their_figures() -> None:
    async def act(stage: Stage) -> None:
        text = stage.text()
        for part in (
            "mockforge", "kafka:9092 4", "mqtt:1883 2", "amqp:5672 2",
            "1 Flow", "live ↓", "2 Connections", "3 Topics · queues", "4 Groups",
            "K→ order-svc", "orders.created p2@129", "o-1852", "A← inv-worker",
            "amq.topic order.paid",
            "Ax amq.topic", "Aq q.mail", "4.1k", "rebala…",
            '"order": 1850', "redelivered",
        ):  # fmt: skip
            assert part in text, part
        assert "amq.headers" not in text

    play(act)


@pytest.mark.parametrize(
    ("width", "kafka", "mqtt"),
    [
        (170, "kafka:9092 tls:9093 4", "mqtt:1883 ws:8083 tls:8883 wss:8084 2"),
        (110, "kafka:9092 4", "mqtt:1883 2"),
    ],
)
def test_the_header_has_every_port_where_there_is_room(width: int, kafka: str, mqtt: str) -> None:
    def secured() -> Shop:
        shop = Shop()
        tls = object()
        shop.listeners += [
            Listener("kafka", port=9093, tls=tls),
            Listener("mqtt", port=8083, websocket=True),
            Listener("mqtt", port=8883, tls=tls),
            Listener("mqtt", port=8084, tls=tls, websocket=True),
            Listener("amqp", port=5671, tls=tls),
        ]
        return shop

    async def act(stage: Stage) -> None:
        assert f" {kafka} " in stage.lines()[0]
        assert f" {mqtt} " in stage.lines()[0]

    play(act, (width, 40), real=secured)


def test_the_small_dashboard_shows_one_pane_and_tabs() -> None:
    async def act(stage: Stage) -> None:
        assert "1Flow 2Conn 3Topic 4Grp 5Flt 6Log 7Lint" in stage.lines()[0]
        await stage.shows("orders.created p2@129")
        await stage.keys("2")
        await stage.shows("order-svc")
        await stage.hides("1 Flow")
        await stage.keys("3")
        await stage.shows("q.mail")
        await stage.keys("escape")
        await stage.shows("1 Flow")

    play(act, SMALL)


def test_a_terminal_that_is_too_small_says_so() -> None:
    async def act(stage: Stage) -> None:
        assert "59x15 is too small: 60x16 or more" in stage.lines()[0]

    play(act, (59, 15))


def test_what_is_said_of_a_small_terminal_wraps_in_it() -> None:
    async def act(stage: Stage) -> None:
        said = " ".join(" ".join(stage.lines()).split())
        assert said.startswith("40x10 is too small: 60x16 or more. The brokers go on.")

    play(act, (40, 10))


def test_selecting_leaves_live_and_the_selected_row_stays_where_it_is() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("k", "k", "k")
        flow = stage.flow
        assert not flow.follow
        chosen, line = flow.cursor, [i for i, text in enumerate(stage.lines()) if "▶" in text]
        stage.runtime.work(20)
        await stage.tick()
        assert flow.cursor == chosen
        assert [i for i, text in enumerate(stage.lines()) if "▶" in text] == line
        await stage.shows("paused  ▼ 180 new")

    play(act)


@pytest.mark.parametrize("key", ["G", "end", "space"])
def test_live_comes_back_with_one_key(key: str) -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("k", "k")
        stage.runtime.work(5)
        await stage.tick()
        await stage.keys(key)
        assert stage.flow.follow
        await stage.until(lambda: stage.flow._page[-1] == stage.app.feed.newest)
        await stage.shows("live ↓")

    play(act)


def test_scrolling_leaves_live_without_selecting() -> None:
    async def act(stage: Stage) -> None:
        stage.flow.scroll_lines(-3)
        first = stage.flow._page[0]
        stage.runtime.work(5)
        await stage.tick()
        assert (stage.flow.follow, stage.flow.cursor) == (False, None)
        await stage.until(lambda: stage.flow._page[0] == first)
        stage.flow.scroll_lines(3)
        assert stage.flow._page[0] > first

    play(act)


def test_the_wheel_scrolls_each_pane_by_three_lines_a_notch() -> None:
    async def act(stage: Stage) -> None:
        for pane in stage.screen.panes:
            seen: list[int] = []
            pane.scroll_lines = seen.append  # type: ignore[method-assign]
            for turned in (events.MouseScrollDown, events.MouseScrollUp):
                pane.post_message(turned(pane, 1, 2, 0, 0, 0, False, False, False))
            await stage.until(lambda seen=seen: len(seen) == 2, f"{pane} was scrolled")
            assert seen == [3, -3]

    play(act)


def test_space_pauses_the_flow() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("space")
        page = list(stage.flow._page)
        stage.runtime.work(5)
        await stage.tick()
        await stage.until(lambda: stage.flow._page == page)

    play(act)


def test_rows_that_left_the_ring_while_paused_are_said_to_be_gone() -> None:
    async def act(stage: Stage) -> None:
        stage.app.feed.ring.slots = 1024
        await stage.keys("k", "k")
        selected = stage.flow.selected
        for _ in range(2):
            stage.runtime.work(100)
            await stage.tick()
        assert stage.flow.overwritten
        await stage.shows("left the ring")
        assert stage.flow.selected is selected
        await stage.keys("G")
        await stage.hides("has left the ring")

    play(act)


def test_top_shows_the_oldest_row() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("g")
        await stage.until(lambda: stage.flow.cursor == 1)
        await stage.keys("j", "ctrl+d")
        assert stage.flow.cursor is not None
        assert stage.flow.cursor > 8

    play(act)


def test_noise_is_hidden_until_it_is_asked_for() -> None:
    async def act(stage: Stage) -> None:
        await stage.hides("PINGREQ")
        await stage.keys("full_stop")
        await stage.shows("PINGREQ")

    play(act)


def test_a_filter_is_applied_while_it_is_typed_and_its_mistakes_are_told() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("slash")
        await stage.type("proto:kafka")
        await stage.tick()
        assert {stage.app.feed.row(n).protocol for n in stage.flow._page} == {"kafka"}
        await stage.type(" size>")
        await stage.shows("size> has no value")
        await stage.type("1k")
        await stage.shows("no row matches")
        await stage.keys("escape")
        await stage.until(lambda: stage.app.session.filter.text == "")
        await stage.shows("A→ web")

    play(act)


def test_an_entered_filter_is_a_command_and_backslash_turns_it_off_and_on() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("slash")
        await stage.type("client:hmi")
        await stage.keys("enter")
        await stage.until(lambda: stage.app.session.filter.text == "client:hmi")
        assert any(entry.text == "filter client:hmi" for entry in stage.app.record.entries)
        await stage.shows("/ client:hmi")
        await stage.keys("backslash")
        await stage.until(lambda: stage.app.session.filter.text == "")
        await stage.keys("backslash")
        await stage.until(lambda: stage.app.session.filter.text == "client:hmi")

    play(act)


def test_filter_fields_and_seen_values_complete() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("slash")
        await stage.type("topic:or")
        assert [each.text for each in stage.screen.drop_down.completions] == ["orders.created"]
        await stage.shows("×48")
        await stage.keys("tab")
        await stage.until(lambda: stage.screen.prompt.input.value == "topic:orders.created ")

    play(act)


def test_plus_and_minus_take_the_cell_into_the_filter() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("k", "plus")
        await stage.until(lambda: stage.app.session.filter.text == "proto:amqp")
        await stage.keys("l", "l", "minus")
        await stage.until(lambda: stage.app.session.filter.text == "proto:amqp -op:basic.nack")
        await stage.tick()
        assert " nack" not in "\n".join(stage.lines()[2:22])

    play(act)


def test_a_json_value_goes_into_the_filter() -> None:
    async def act(stage: Stage) -> None:
        stage.flow.select_row(1)
        await stage.pilot.pause()
        await stage.keys("enter", *"jjjjjj", "plus")
        await stage.until(lambda: stage.app.session.filter.text == "json.customer.id:c-77")

    play(act)


def test_enter_on_a_connection_shows_only_its_rows() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("2", "j", "enter")
        await stage.until(lambda: stage.app.session.filter.text == "client:order-svc")

    play(act)


def test_keys_that_come_in_one_burst_go_where_each_is_meant_to() -> None:
    async def act(stage: Stage) -> None:
        typed = "k:filter client:dev-7\rg/proto:mqtt\r:filter save both\r"
        named = {"\r": "enter", " ": "space", ":": "colon", "/": "slash", "-": "minus"}
        for character in typed:
            key = named.get(character, character)
            stage.app.post_message(Key(key, character))
        await stage.until(lambda: "both" in stage.app.session.saved_filters, "all lines ran")
        lines = [entry.text for entry in stage.app.record.entries if entry.kind == "command"]
        assert lines == ["filter client:dev-7", "filter client:dev-7 proto:mqtt",
                         "filter save both"]  # fmt: skip
        assert not stage.screen.prompt.is_active

    play(act)


def test_the_prompt_completes_runs_and_remembers() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        await stage.type("hel")
        assert stage.screen.drop_down.is_open
        await stage.keys("tab")
        assert stage.screen.prompt.input.value.startswith("hel")
        stage.screen.prompt.input.put("filter has:error")
        await stage.keys("enter")
        await stage.until(lambda: stage.app.session.filter.text == "has:error")
        await stage.until(lambda: not stage.screen.prompt.is_active)
        await stage.keys("colon", "up")
        await stage.until(lambda: stage.screen.prompt.input.value == "filter has:error")
        await stage.keys("down")
        await stage.until(lambda: stage.screen.prompt.input.value == "")

    play(act)


def test_a_json_text_of_several_lines_is_pasted_whole() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        await stage.type("pub mqtt:a ")
        stage.app.post_message(events.Paste('{\r\n  "a": 1\n}\n'))
        await stage.until(
            lambda: stage.screen.prompt.input.value.replace(" ", "") == 'pubmqtt:a{"a":1}'
        )

    play(act)


def test_a_wrong_line_comes_back_with_the_cursor_at_the_mistake() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        stage.screen.prompt.input.put("conn kil c1")
        await stage.keys("enter")
        prompt = stage.screen.prompt
        await stage.until(lambda: prompt.is_active and prompt.input.value)
        assert prompt.input.value == "conn kil c1"
        assert prompt.input.cursor_position == 5
        await stage.shows("did you mean conn kill?")

    play(act)


def test_a_table_opens_the_log() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        stage.screen.prompt.input.put("conn ls")
        await stage.keys("enter")
        await stage.shows("6 Log")
        await stage.shows("127.0.0.1:50002")
        await stage.keys("escape")
        await stage.hides("6 Log")

    play(act)


def test_tailed_rows_open_the_log_once() -> None:
    async def act(stage: Stage) -> None:
        stage.app.notice(Notice("row", "orders.created o-17 tailed"))
        await stage.tick()
        await stage.shows("o-17 tailed")
        assert stage.flow.has_focus
        await stage.keys("6", "6")
        stage.app.notice(Notice("row", "another one"))
        await stage.tick()
        await stage.hides("another one")

    play(act)


def test_killing_a_connection_asks_first() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("2", "j", "K")
        await stage.shows("y yes")
        await stage.keys("n")
        await stage.until(lambda: not stage.runtime.order_svc.peer.ended)
        await stage.keys("K", "y")
        await stage.until(lambda: stage.runtime.order_svc.peer.ended)

    play(act)


def test_quitting_asks_first() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("q", "n")
        assert stage.app.is_running
        await stage.keys("q", "y")
        await stage.until(lambda: stage.app.return_value == 0)

    play(act)


def test_a_message_is_published_again_as_it_was() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("r")
        assert stage.runtime.sent == []
        stage.flow.select_row(stage.number_of("mqtt", "PUBLISH"))
        await stage.keys("r")
        await stage.until(lambda: stage.runtime.sent)
        (message,) = stage.runtime.sent
        assert (message.destination, message.payload) == (
            "sensors/room1/temp",
            b'{"t": 21.5, "unit": "C"}',
        )

    play(act)


def test_a_message_is_edited_as_the_command_that_publishes_it() -> None:
    async def act(stage: Stage) -> None:
        stage.flow.select_row(stage.number_of("mqtt", "PUBLISH"))
        await stage.keys("e")
        box = stage.screen.prompt.input
        await stage.until(lambda: box.value)
        value = box.value
        assert value == 'pub mqtt:sensors/room1/temp {"t": 21.5, "unit": "C"} -q 1'
        assert stage.app.session.check(value) is None

    play(act)


def test_panic_ends_faults_and_lets_held_frames_go() -> None:
    async def act(stage: Stage) -> None:
        runtime = stage.runtime
        runtime.faults.add(fault(Delay(1), scope="everything"))
        rule = runtime.holds.add(hold(lambda row: True, scope="topic:a"))
        waiting = Waiting()
        row = Row("mqtt", IN, "PUBLISH", client="dev-7", destination="a", frame=b"x")
        runtime.holds.hold(rule, [row], waiting)
        await stage.tick()
        await stage.keys("5")
        await stage.shows("↯faults 1")
        await stage.shows("‖held 1")
        await stage.shows("dev-7 PUB")
        await stage.keys("ctrl+x")
        assert waiting.decided == ["released"]
        assert not runtime.faults.rules
        assert not runtime.holds.rules

    play(act)


def test_marks_show_and_can_be_shown_alone() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("k", "k", "m", "M")
        await stage.until(lambda: stage.flow._page == [stage.flow.cursor])
        await stage.shows("only marked")

    play(act)


def test_zoom_gives_a_pane_the_whole_body_and_more_columns() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("2", "z")
        await stage.shows("127.0.0.1:50002")
        await stage.hides("1 Flow")
        await stage.keys("z")
        await stage.shows("1 Flow")

    play(act)


def test_inspector_tabs_fold_and_hex() -> None:
    async def act(stage: Stage) -> None:
        stage.flow.select_row(1)
        await stage.keys("enter", *"jjjjj", "enter")
        assert '"customer": { … 2 }' in stage.text()
        await stage.keys("right_square_bracket")
        await stage.shows("h:trace")
        await stage.keys("right_square_bracket")
        await stage.shows("0000  ")
        await stage.keys("w")
        await stage.shows("timestamp")

    play(act)


def test_what_a_search_found_can_be_read_on_the_line_of_the_cursor() -> None:
    async def act(stage: Stage) -> None:
        stage.flow.select_row(1)
        await stage.keys("enter", "enter", "slash")
        await stage.type("customer")
        await stage.keys("enter")
        found = stage.screen.inspector.palette.roles["found"]
        styles = [
            segment.style
            for strip in stage.app.screen._compositor.render_strips()
            for segment in strip
            if segment.text == "customer" and segment.style is not None
        ]
        assert [style.bgcolor for style in styles].count(found.bgcolor) == 1

    play(act)


def test_help_is_searched_while_typing() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("question_mark")
        await stage.shows("command prompt")
        await stage.type("clipboard")
        await stage.shows("copy the payload to the clipboard")
        await stage.hides("command prompt")
        await stage.keys("escape")
        await stage.shows("1 Flow")

    play(act)


def test_themes_change_and_ascii_glyphs_draw_everything() -> None:
    async def act(stage: Stage) -> None:
        stage.app.run_line("theme day")
        await stage.tick()
        body = stage.text()
        assert body.isascii() or set(body) - set(map(chr, range(128))) <= set("·–…❯✓×←→↑↓")
        await stage.until(lambda: stage.app.palette.name == "day")

    play(act, ascii_only=True)


def test_a_screenshot_is_written(tmp_path) -> None:  # type: ignore[no-untyped-def]
    async def act(stage: Stage) -> None:
        stage.app.run_line(f"shot {tmp_path}/demo.svg")
        assert "order-svc" in (tmp_path / "demo.svg").read_text(encoding="utf-8")

    play(act)


def test_a_bug_in_a_command_is_told_and_the_screen_goes_on(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async def act(stage: Stage) -> None:
        def broken(*args: object, **options: object) -> None:
            raise RuntimeError("oops")

        monkeypatch.setattr(stage.app.session, "run", broken)
        stage.app.run_line("conn ls")
        await stage.pilot.pause()
        await stage.shows("a bug of ours: RuntimeError: oops")
        assert stage.app.is_running

    play(act)


def test_resizing_keeps_showing_what_matches_where_the_selected_row_does_not() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("G", "k")
        await stage.keys("slash")
        await stage.type("op:Produce")
        await stage.keys("enter")
        await stage.tick()
        matching = stage.flow._selection.count
        assert matching
        assert stage.flow.cursor is not None
        assert stage.flow.cursor > max(stage.flow._page), "the selected row is none of them"
        for size in ((100, 30), (80, 24), (120, 40)):
            await stage.resize(*size)
            await stage.tick()
            assert len(stage.flow._page) == min(matching, stage.flow.rows_shown)

    play(act)


def test_resizing_keeps_the_selected_row_in_view() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("k")
        for size in ((80, 24), (170, 50), (100, 30)):
            await stage.resize(*size)
            await stage.tick()
            assert stage.flow.cursor in stage.flow._page
            await stage.shows("▶")

    play(act)


@pytest.mark.parametrize("size", [LARGE, SMALL])
def test_lint_has_a_pane_and_enter_goes_to_the_packet(size: tuple[int, int]) -> None:
    def real() -> Shop:
        shop = Shop()
        shop.dev_7.send(encode_packet(Publish("sensors/a", b"before"), 4))
        shop.clock.advance(1)
        shop.dev_7.send(encode_packet(Publish("sensors/a", b"wrong", dup=True), 4))
        shop.clock.advance(1)
        shop.dev_7.send(encode_packet(Publish("sensors/a", b"after"), 4))
        return shop

    async def act(stage: Stage) -> None:
        await stage.keys("7", "g")
        await stage.shows("MQTT-3.3.1-2")
        await stage.shows("M×")
        await stage.keys("enter")
        assert stage.app.session.filter.text == "client:dev-7 op:PUBLISH"
        await stage.until(lambda: stage.screen.here is stage.flow)
        row = stage.flow.selected
        assert row is not None
        assert (row.client, row.payload) == ("dev-7", b"wrong")
        # And back: the pane closes where it stands below the flow.
        await stage.keys("7")
        await stage.shows("MQTT-3.3.1-2")
        await stage.keys("7" if size == LARGE else "1")
        await stage.hides("MQTT-3.3.1-2")

    play(act, size, real=real)


def test_a_finding_is_read_whole_in_the_inspector() -> None:
    def real() -> Shop:
        shop = Shop()
        shop.dev_7.send(encode_packet(Publish("sensors/a", b"wrong", dup=True), 4))
        return shop

    async def act(stage: Stage) -> None:
        await stage.keys("7", "g", "right_square_bracket")
        for text in ("error MQTT-3.3.1-2", "PUBLISH: DUP with QoS 0", "times"):
            await stage.shows(text)

    play(act, real=real)
