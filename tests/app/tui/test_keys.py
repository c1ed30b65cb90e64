"""Every key in every pane does what help, the guide and the last line say, and nothing else."""

import re
from collections.abc import Callable

import pytest
from brokers.misbehaving import Waiting, fault
from brokers.misbehaving import hold as hold_rule
from mockforge_brokers.findings import ERROR
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.misbehaviour.actions import Delay
from mockforge_brokers.misbehaviour.decisions import Changes

from mockforge_tui.console.commands.connections import connections_of
from mockforge_tui.tui.filter_keys import FilterKeys
from mockforge_tui.tui.keys import KEYS, PANE_NAMES, brief_keys, key_of
from mockforge_tui.tui.screens.help import help_entries
from mockforge_tui.tui.widgets.stored import StoredPane
from mockforge_tui.tui.widgets.table import LiveTable

from .stage import Stage, play

NAMES = sorted({name for key in KEYS for name in key.keys.split(",")})

# What is seen of a key's action, in any of the panes that it acts in.
RUNS, PREFILLS, NOTES, ASKS = "runs ", "prefills ", "notes ", "asks "
EFFECTS: dict[str, str] = {
    "inspect": "focuses the inspector",
    "fold": "folds|" + NOTES + "no branch was unfolded here: .*",
    "show_only": RUNS + r"filter .*",
    "packets": RUNS + r"filter client:dev-7 op:PUBLISH",
    "stored": RUNS + r"filter .*|focuses (stored messages|the inspector)",
    "ladder": "focuses the ladder|" + NOTES + "choose a connection, .*",
    "topology": "zooms",
    "only_this": "shows what belongs to it",
    "side": "moves|stays",
    "single": "draws single arrows",
    "all_of_client": NOTES + "it is the only connection of this client",
    "why": RUNS + "why .*",
    "timeline": RUNS + "timeline #.*|" + NOTES + "select a message, .*",
    "diff": RUNS + "diff (#.*|@focus)|" + NOTES + "select a message .*",
    "switch": RUNS + r"fault off 1|" + NOTES + "only a fault .*",
    "remove": RUNS + r"(fault rm 1|hold rm 1)|" + NOTES + "choose a fault .*",
    "release": RUNS + "release h1( --behind 1)?|" + NOTES + "no held frame is chosen.*",
    "drop": RUNS + "drop h1|" + NOTES + "no held frame is chosen.*",
    "refuse": PREFILLS + "refuse h1|" + NOTES + "no held frame is chosen.*",
    "release_all": RUNS + "release",
    "narrow": RUNS + r"filter .*|" + NOTES + "nothing here to filter by",
    "republish": RUNS + "republish|" + NOTES + "select a message .*",
    "edit": PREFILLS + "(pub .*|edit h1 .*)|" + NOTES + "select a message .*",
    "publish": PREFILLS + "pub( .*)?",
    "copy": RUNS + "copy (#.*|@focus)|" + NOTES + "nothing to copy here",
    "copy_as": PREFILLS + "copy (#.*|@focus) --as|" + NOTES + "nothing to copy here",
    "fault": PREFILLS + "fault add delay .*",
    "kill": ASKS + "Close .*[?].*",
    "hold": PREFILLS + "hold .*",
    "mark": "marks",
    "only_marked": "shows only marked",
    "prompt": "opens command",
    "filter": "opens filter",
    "find": "opens find",
    "find_next": NOTES + "/ searches here first",
    "live": "pauses|goes live",
    "move": "moves|stays",
    "page": "moves|stays",
    "top": "moves|stays",
    "end": "moves|goes live|stays",
    "field": "chooses a column",
    "tab": "turns a tab|" + NOTES + "(nothing is chosen here|these facts are all .*)",
    "wire": "turns a tab|" + NOTES + "select a message .*",
    "exchange": "moves|stays|"
    + NOTES
    + "(nothing here belongs to it|it is not answered yet|.*shown)",
    "noise": NOTES + "the flow is with.*|draws pings",
    "toggle_filter": NOTES + "there is no filter to go back to",
    "next_pane": "focuses .*",
    "pane": "focuses .*|stays|closes .*",
    "zoom": "zooms",
    "jump": "shows letters",
    "back": "focuses the flow",
    "panic": RUNS + "panic",
    "shot": RUNS + "shot",
    "repaint": "stays",
    "help": "opens help",
    "leave": "focuses the flow",
    "quit": ASKS + "End the console.*",
}
# Where it has another one.
EFFECTS_IN: dict[tuple[str, str], str] = {
    ("back", "flow"): "stays",
    ("leave", "flow"): ASKS + "End the console.*",
    ("back", "stored"): "focuses topics and queues",
    ("leave", "stored"): "focuses topics and queues",
    ("back", "ladder"): "focuses topics and queues",
    ("leave", "ladder"): "focuses topics and queues",
    ("back", "topology"): "focuses topics and queues",
    ("leave", "topology"): "focuses topics and queues",
    ("topology", "topology"): "focuses topics and queues",
}


def test_every_action_of_the_keys_has_its_effect_here() -> None:
    assert {key.action.partition("(")[0] for key in KEYS} == set(EFFECTS)


@pytest.mark.table
@pytest.mark.parametrize("pane", PANE_NAMES)
def test_each_key_does_in_a_pane_what_its_table_says(pane: str, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)

    async def act(stage: Stage) -> None:
        touched = True
        for name in NAMES:
            if touched:
                await _reset(stage, pane)
            seen = await _press(stage, name)
            key = key_of(name, pane)
            touched = key is not None
            if key is None:
                assert re.fullmatch(NOTES + ".* does nothing in this pane; .*", seen), (name, seen)
                continue
            action = key.action.partition("(")[0]
            expected = EFFECTS_IN.get((action, pane), EFFECTS[action])
            assert re.fullmatch(expected, seen), (pane, name, key.says, seen)

    play(act)


def test_help_and_the_last_line_have_the_keys_of_a_pane_and_no_others() -> None:
    async def act(stage: Stage) -> None:
        for pane in PANE_NAMES:
            told = {
                (entry.typed, entry.says)
                for entry in help_entries(stage.app.session.registry, pane)
                if entry.section.startswith("Keys")
            }
            assert told == {(key.shown, key.says) for key in KEYS if key.acts_in(pane)}, pane
            await _reset(stage, pane)
            await stage.pilot.pause()
            line = stage.lines()[-1]
            shown = [key for key in brief_keys(pane, {"paused"}) if f"{key.brief} " in line]
            assert shown, pane
            for key in shown:
                assert key_of(key.keys.split(",")[0], pane) is key, pane

    play(act)


async def _reset(stage: Stage, pane: str) -> None:
    """Put the same scene up again: rows, one fault, one hold with one held frame, a pane chosen."""
    app, runtime, screen = stage.app, stage.runtime, stage.screen
    while len(app.screen_stack) > 1:
        app.pop_screen()
    if screen.prompt.is_active:
        screen.prompt.leave(kept=False)
    screen.alone = None
    screen._leave()
    screen.inspector_open = True
    screen.opened = set(screen.on_demand)
    runtime.faults.clear()
    runtime.holds.clear()
    runtime.faults._last = 0
    runtime.holds._last_rule = runtime.holds._last_held = 0
    runtime.faults.add(fault(Delay(1), scope="topic:a"))
    hold = runtime.holds.add(hold_rule(lambda row: True, scope="topic:a"))
    held = Row("mqtt", IN, "PUBLISH", client="dev-7", destination="a", frame=b"x",
               kind="message", payload=b"held", connection=3)  # fmt: skip
    runtime.holds.hold(hold, [held], Waiting())
    findings = runtime.brokers.mqtt.findings
    findings.clear()
    findings.add("dev-7", "MQTT-3.3.1-2", "PUBLISH: DUP with QoS 0", ERROR, connection=3)
    app.session.filter = app.session.filter_of("")
    screen._filters = FilterKeys()
    for mark in list(app.feed.marks):
        app.feed.mark(mark, False)
    screen.flow.show(None, with_noise=False, only_marked=False)
    screen.inspector.search.clear()
    screen.inspector.show_tab(0)
    screen.lay_out()
    screen.in_place = {
        "stored": screen.stored, "ladder": screen.ladder, "topology": screen.topology,
    }.get(pane)  # fmt: skip
    screen.stored.put([held, held])
    screen.go_to(list(PANE_NAMES).index(pane) + 1)
    stage.look()
    await stage.pilot.settled()
    screen.flow.select_row(10)
    if pane == "stored":
        screen.stored.focus()
    elif pane == "ladder":
        screen.ladder.open(connections_of(app.session, "inv-worker"))
        screen.ladder.focus()
        screen.ladder.noise, screen.ladder.folded = False, True
        screen.ladder.move(-1)
        screen.ladder.move(-1)
    elif pane == "topology":
        screen.topology.open()
        screen.topology.seek("")
        screen.topology.quiet = False
        screen.topology.focus()
        screen.topology.to_top()
        screen.topology.to_side(-1)
    elif pane != "inspector":
        screen.go_to(list(PANE_NAMES).index(pane) + 1)
    else:
        screen.inspector.show(screen.flow.selected)
    here = screen.here
    if isinstance(here, StoredPane):
        here.move(1)
    elif isinstance(here, LiveTable):
        here.to_top()
    await stage.pilot.settled()


async def _press(stage: Stage, name: str) -> str:
    """What one key does, in words."""
    app, screen = stage.app, stage.screen
    before = _look(stage)
    recorded = len(app.record.entries)
    await stage.press(name)
    entries = list(app.record.entries)[recorded:]
    commands = [entry.text for entry in entries if entry.kind == "command"]
    notes = [entry.text for entry in entries if entry.kind == "note"]
    if len(app.screen_stack) > 1:
        top = type(app.screen).__name__
        question = getattr(app.screen, "_question", "")
        return f"{ASKS}{question}" if top == "Question" else "opens help"
    if screen.prompt.is_active:
        text = screen.prompt.input.value.strip()
        return f"{PREFILLS}{text}" if text else f"opens {screen.prompt.mode}"
    if commands:
        return RUNS + ", ".join(commands)
    if notes:
        return NOTES + notes[-1]
    after = _look(stage)
    for what, word in _CHANGES.items():
        if before[what] != after[what]:
            return word(after[what])
    return "stays"


_CHANGES: dict[str, Callable[[object], str]] = {
    "alone": lambda pane: "zooms",
    "focus": lambda place: f"focuses {PANE_NAMES[str(place)]}",
    "open": lambda panes: "closes a pane",
    "stored": lambda shown: "stays",
    "live": lambda live: "goes live" if live else "pauses",
    "marked": lambda marks: "marks",
    "only_marked": lambda only: "shows only marked",
    "tab": lambda tab: "turns a tab",
    "folds": lambda lines: "folds",
    "letters": lambda letters: "shows letters",
    "single": lambda single: "draws single arrows",
    "sought": lambda sought: "shows what belongs to it",
    "noise": lambda noise: "draws pings",
    "field": lambda field: "chooses a column",
    "places": lambda places: "moves",
}


def _look(stage: Stage) -> dict[str, object]:
    screen = stage.screen
    inspector = screen.inspector
    return {
        "alone": screen.alone,
        "open": (set(screen.opened), screen.in_place),
        "focus": screen.here.place,
        "live": not screen.topology.frozen
        if screen.here is screen.topology
        else (screen.ladder if screen.here is screen.ladder else screen.flow).follow,
        "marked": sorted(stage.app.feed.marks),
        "only_marked": screen.flow.only_marked,
        "tab": inspector.opened.tab,
        "stored": len(screen.stored.records),
        "folds": len(inspector._rows) if inspector.has_focus else 0,
        "field": screen.flow.field,
        "single": screen.ladder.folded,
        "noise": (screen.ladder.noise, screen.topology.quiet),
        "letters": screen.jumping,
        "sought": screen.topology.sought,
        "places": (
            screen.flow.cursor, screen.ladder.at, screen.topology._chosen,
            inspector._cursor, screen.log_pane._from_end,
            *(pane.chosen for pane in (screen.connections, screen.destinations, screen.groups,
                                       screen.faults)),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("pane", ["2", "5"])
def test_q_and_esc_go_back_to_the_stored_messages_that_are_open_in_place_of_the_flow(
    pane: str,
) -> None:
    async def act(stage: Stage) -> None:
        screen = stage.screen
        for back in ("escape", "q"):
            await stage.keys("3", "enter")
            await stage.until(lambda: screen.here is screen.stored)
            await stage.keys(pane, back)
            await stage.until(lambda: screen.here is screen.stored)
            await stage.keys(back)
            await stage.until(lambda: screen.here is screen.destinations)
            assert screen.flow.display
            await stage.keys(back)
            await stage.until(lambda: screen.here is screen.flow)
        await stage.keys("q")
        await stage.shows("End the console")

    play(act)


def test_enter_where_nothing_is_chosen_is_for_the_first_record() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("2", "enter")
        assert stage.app.session.filter.text == "client:order-svc"

    play(act)


def test_enter_on_another_record_takes_the_place_of_the_first_in_the_filter() -> None:
    async def act(stage: Stage) -> None:
        session = stage.app.session
        await stage.keys("2", "j", "enter")
        assert session.filter.text == "client:order-svc"
        await stage.keys("j", "enter")
        assert session.filter.text == "client:billing"
        await stage.keys("3", "j", "plus")
        assert session.filter.text == "client:billing topic:orders.created"
        await stage.keys("2", "k", "enter")
        assert session.filter.text == "topic:orders.created client:order-svc"

    play(act)


def test_enter_on_the_same_record_again_shows_all() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("2", "j", "enter", "enter")
        assert stage.app.session.filter.text == ""

    play(act)


def test_a_held_frame_that_is_chosen_is_inspected_edited_and_released_alone() -> None:
    async def act(stage: Stage) -> None:
        await _reset(stage, "faults")
        holds = stage.runtime.holds
        hold = holds.rules[1]
        other = Row("mqtt", IN, "PUBLISH", client="hmi", destination="b", frame=b"y",
                    kind="message", payload=b"second", connection=4)  # fmt: skip
        holds.hold(hold, [other], Waiting())
        await stage.tick()
        await stage.keys("j")
        assert stage.screen.inspector.opened.row is other
        await stage.shows("held h2")
        await stage.keys("enter")
        assert stage.screen.inspector.has_focus
        assert set(holds.held) == {1, 2}
        await stage.keys("e")
        await stage.until(lambda: stage.screen.prompt.input.value == "edit h2 second")
        await stage.keys("escape", "x")
        await stage.until(lambda: stage.screen.prompt.input.value == "refuse h2 ")
        await stage.keys("escape", "a")
        assert set(holds.held) == {1}

    play(act)


DECISIONS = tuple(
    decision
    for protocol, operation, name, code in (
        ("kafka", "Produce", "NOT_LEADER_OR_FOLLOWER", 6),
        ("mqtt", "PUBLISH", "QUOTA_EXCEEDED", 0x97),
        ("amqp", "basic.publish", "NO_ROUTE", 312),
    )
    for decision in (
        (protocol, operation, "e", "edit h2 second", "-2", (0, Changes(payload=b"second-2"))),
        (protocol, operation, "x", "refuse h2 ", f"{name} --text no", (code, "no")),
    )
)


def test_the_lines_that_e_and_x_begin_decide_over_the_frame_that_is_chosen() -> None:
    async def act(stage: Stage) -> None:
        prompt, holds = stage.screen.prompt, stage.runtime.holds
        for protocol, operation, key, begun, typed, decided in DECISIONS:
            await _reset(stage, "faults")
            waiting = Waiting()
            row = Row(protocol, IN, operation, client="hmi", destination="b", frame=b"y",
                      kind="message", payload=b"second", connection=4)  # fmt: skip
            holds.hold(holds.rules[1], [row], waiting)
            await stage.tick()
            await stage.keys("j", key)
            await stage.until(lambda begun=begun: prompt.input.value == begun, begun)
            prompt.input.insert_text_at_cursor(typed)
            await stage.keys("enter")
            await stage.until(lambda waiting=waiting: waiting.decided, begun + typed)
            assert waiting.decided == [decided]
            # What is edited waits on; what is refused is gone.
            assert set(holds.held) == ({1, 2} if key == "e" else {1})

    play(act)


def test_release_with_nothing_chosen_releases_nothing() -> None:
    async def act(stage: Stage) -> None:
        await _reset(stage, "flow")
        await stage.keys("a")
        assert set(stage.runtime.holds.held) == {1}
        await stage.shows("A releases all")
        await stage.keys("A")
        assert not stage.runtime.holds.held

    play(act)


def test_the_inspector_shows_what_is_chosen_in_each_pane() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("2", "j")
        await stage.shows("connection c2  order-svc")
        await stage.shows("127.0.0.1:50002")
        await stage.keys("3", "j")
        await stage.shows("topic orders.created")
        await stage.keys("4", "j")
        await stage.shows("group audit")
        await stage.shows("member audit joined")
        await stage.keys("1", "k")
        await stage.shows("A inv-worker nack")

    play(act)
