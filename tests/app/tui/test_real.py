"""The screen in front of real brokers: what is stored, why nothing comes, who has gone."""

import base64
from collections.abc import Callable, Sized
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Request, Subscribe
from textual.events import Key

from mockforge_tui.tui.inspection import Inspection

from ..console.scene import Scene
from ..console.test_why import consumers, fetch, two_members
from .stage import LARGE, SMALL, Stage, play


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


async def _filter_stored(stage: Stage, name: str, text: str) -> None:
    """Show what a topic or queue has stored, and of that what the filter wants."""
    await _choose(stage, "3", name)
    await stage.keys("enter", "slash")
    await stage.type(text)
    await stage.keys("enter")


def test_enter_on_a_topic_shows_its_records_and_takes_none() -> None:
    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "orders")
        await stage.keys("enter")
        await stage.shows("Stored  topic orders")
        await stage.shows("newest 7 of 7")
        await stage.shows("p0@6")
        assert stage.screen.inspector.opened.row.payload == b'{"id": 7}'  # type: ignore[union-attr]
        await stage.keys("g")
        await stage.until(lambda: stage.screen.inspector.opened.row.payload == b'{"id": 1}')  # type: ignore[union-attr]
        await stage.keys("e")
        await stage.until(lambda: stage.screen.prompt.input.value.startswith("pub kafka:orders"))
        await stage.keys("escape", "escape")
        await stage.shows("1 Flow")
        assert stage.screen.destinations.has_focus

    play(act, real=Scene)


def test_keys_of_one_burst_act_in_the_pane_that_the_first_of_them_chose() -> None:
    async def act(stage: Stage) -> None:
        for name in ("3", "g", "enter"):
            stage.app.post_message(Key(name, name if len(name) == 1 else None))
        await stage.shows("Stored  topic accounts")

    play(act, real=Scene)


def test_stored_messages_are_filtered() -> None:
    async def act(stage: Stage) -> None:
        await _filter_stored(stage, "orders", "json.id>5")
        await stage.shows("newest 2 of 7")
        assert stage.app.session.filter.text == ""

    play(act, real=Scene)


def test_stored_messages_go_on_page_by_page_in_both_directions() -> None:
    def many() -> Scene:
        real = Scene()
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
        # From the newest back to the oldest, and on again.
        await stage.keys("G")
        pane.move(-199)
        assert payload() == b"3-1"
        await stage.keys("k")
        assert payload() == b"2-100"
        await stage.keys("j")
        assert payload() == b"3-1"

    play(act, real=many)


def test_a_page_stays_where_nothing_but_the_end_of_a_transaction_is_before_or_behind_it() -> None:
    def ended() -> Scene:
        made = Scene()
        made.run("topic add sold -p 1")
        transactions = made.kafka.cluster.transactions
        for name in ("first", "last"):
            who = transactions.take(name, 60)
            transactions.add_partitions(name, who, [("sold", 0)])
            if name == "first":
                made.run(f"txn abort {name}")
                for number in range(200):
                    made.kafka.publish("sold", b"%d" % number)
        made.run("txn abort last")
        return made

    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "sold")
        await stage.keys("enter")
        pane = stage.screen.stored
        assert len(pane.records) == 200
        for key, payload in (("j", b"199"), ("j", b"199"), ("g", b"0"), ("k", b"0"), ("j", b"1")):
            await stage.keys(key)
            assert pane.chosen is not None, key
            assert pane.chosen.row.payload == payload

    play(act, real=ended)


def test_where_no_message_of_a_page_matches_the_next_page_is_a_key_away() -> None:
    def many() -> Scene:
        made = Scene()
        made.run("topic add long -p 1")
        for number in range(5_100):
            made.kafka.publish("long", b"match" if number == 10 else b"%d" % number)
        return made

    async def act(stage: Stage) -> None:
        await _filter_stored(stage, "long", "body:match")
        await stage.shows("none of these 5,000 matches: k looks on")
        pane = stage.screen.stored
        for key in "kkj":
            # Behind it and before it is nothing that matches: the page stays.
            await stage.keys(key)
            assert [each.row.payload for each in pane.records] == [b"match"], key

    play(act, real=many)


def test_where_no_message_matches_at_all_that_is_said() -> None:
    async def act(stage: Stage) -> None:
        await _filter_stored(stage, "orders", "body:nosuch")
        await stage.shows("nothing that is stored here matches")

    play(act, real=Scene)


def test_enter_on_a_queue_shows_its_messages_and_leaves_them_there() -> None:
    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "q.inv")
        await stage.keys("enter")
        await stage.shows("Stored  queue q.inv")
        await stage.shows("events order.paid")
        assert len(stage.runtime.amqp.peek("q.inv", 10)) == 3

    play(act, real=Scene)


def test_a_queue_that_has_gone_since_is_not_said_to_be_empty() -> None:
    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "q.inv")
        await stage.keys("enter")
        stage.runtime.amqp.delete_queue("q.inv")
        await stage.keys("g")
        await stage.shows("no queue 'q.inv'")

    play(act, real=Scene)


def test_enter_on_a_session_shows_what_waits_for_its_client() -> None:
    def away() -> Scene:
        real = Scene()
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

    play(act, SMALL, real=Scene)


def _wrong_topic_case(made: Scene) -> None:
    made.join("billing", "order-svc", {"Orders": []})


def _group_at_the_end(made: Scene) -> None:
    made.kafka.reset_offsets("billing", "orders", {0: 7})
    made.time.advance(10)
    client, _ = made.join("billing", "order-svc", {"orders": [0]})
    fetch(made, client, "orders", 7, "order-svc")


def _latest_on_an_old_topic(made: Scene) -> None:
    client, _ = made.join("billing", "order-svc", {"orders": [0]})
    fetch(made, client, "orders", 7, "order-svc")


def _wrong_filter_case(made: Scene) -> None:
    made.mqtt_client("hmi", "Sensors/+/temp")
    made.run("pub mqtt:sensors/room1/temp 21")


def _missing_wildcard(made: Scene) -> None:
    made.mqtt_client("hmi", "sensors/room1")
    made.run("pub mqtt:sensors/room1/temp 21")


def _taken_over_client_id(made: Scene) -> None:
    for _ in range(3):
        made.mqtt_client("dev-7", "a/#")
        made.time.advance(1)
    made.run("pub mqtt:a/b 1")


def _qos_0_while_away(made: Scene) -> None:
    made.mqtt_leave(made.mqtt_client("dev-7", "a/#", clean=False))
    made.run("pub mqtt:a/b 1 -n 2")
    made.mqtt_client("dev-7", clean=False)


def _wrong_routing_key(made: Scene) -> None:
    for line in (
        "exchange add events --type topic",
        "queue add q.mail",
        "bind events q.mail order.*",
        "pub amqp:events/orders.paid x",
    ):
        made.run(line)
    consumers(made, 1)


def _unbound_queue(made: Scene) -> None:
    made.run("queue add q.mail")
    consumers(made, 1)


def _prefetch_used_up(made: Scene) -> None:
    made.run("queue add q.mail")
    consumers(made, 1, prefetch=2)
    made.run("pub queue:q.mail x -n 5")


def _taken_by_another_consumer(made: Scene) -> None:
    made.run("queue add q.mail")
    consumers(made, 2)
    made.run("pub queue:q.mail x")


@pytest.mark.table
@pytest.mark.parametrize("size", [LARGE, SMALL], ids=["120x40", "80x24"])
@pytest.mark.parametrize(
    ("plant", "client", "cause", "remedy"),
    [
        (_wrong_topic_case, "order-svc", "reads Orders, which does not exist",
         "names are case-sensitive, subscribe to orders"),
        (_group_at_the_end, "order-svc", "billing is at the end of orders p0 (7 of 7)",
         "group reset billing kafka:orders --to begin"),
        (_latest_on_an_old_topic, "order-svc", "auto.offset.reset is latest, so 7 older records",
         "set it to earliest"),
        (two_members, "late", "late has no partition: orders has 1 partition, held by order-svc",
         "topic grow orders -p 2, or run fewer members"),
        (_wrong_filter_case, "hmi", "sensors/room1/temp differs in case",
         "subscribe to sensors/room1/temp"),
        (_missing_wildcard, "hmi", "a wildcard is missing", "subscribe to sensors/room1/#"),
        (_taken_over_client_id, "dev-7", "took over the client id dev-7 2 times",
         "give each its own client id"),
        (_qos_0_while_away, "dev-7", "2 messages of QoS 0 came while dev-7 was away",
         "publish with QoS 1"),
        (_wrong_routing_key, None, "it is bound to events by order.*, but what is published there "
         "has orders.paid", "bind events q.mail orders.paid"),
        (_unbound_queue, None, "q.mail is bound to no exchange", "bind EXCHANGE q.mail KEY"),
        (_prefetch_used_up, None, "holds 2 unacked messages of q.mail, all that its prefetch",
         "it must acknowledge them, or have a larger prefetch"),
        (_taken_by_another_consumer, None, "gives each message to one of them: consumer t0 of",
         "stop the other one, or bind a queue of its own to each"),
    ],
)  # fmt: skip
def test_one_key_on_a_client_says_why_it_gets_nothing(
    plant: Callable[[Scene], None],
    client: str | None,
    cause: str,
    remedy: str,
    size: tuple[int, int],
) -> None:
    async def act(stage: Stage) -> None:
        # AMQP's clients have no name but their number: the newest of them.
        newest = stage.runtime.session.connections()[-1]
        await _choose(stage, "2", client or newest.client)
        chosen: Any = stage.screen.here.chosen
        assert client is not None or chosen.view.id == newest.id
        await stage.keys("W")
        await stage.until(lambda: remedy in _read(stage), remedy)
        assert cause in _read(stage), stage.text()
        commands = [each.text for each in stage.app.record.entries if each.kind == "command"]
        assert commands[-1] == f"why c{chosen.view.id}"

    play(act, size, real=partial(_planted, plant))


def _planted(plant: Callable[[Scene], None]) -> Scene:
    real = Scene(furnished=False)
    real.run("topic add orders -p 1")
    real.run("pub kafka:orders x -n 7")
    plant(real)
    return real


def _read(stage: Stage) -> str:
    """What the log pane, or the line of results, says, with wrapped lines put together."""
    log = stage.screen.log_pane
    shown = stage.lines()
    if log.display:
        shown = [line[log.region.x : log.region.right] for line in shown]
    return " ".join(" ".join(shown).replace("│", " ").split())


def test_a_connection_that_ended_stays_listed_with_its_reason() -> None:
    async def act(stage: Stage) -> None:
        stage.runtime.mqtt_leave(stage.runtime.dev_7)
        await stage.tick()
        await _choose(stage, "2", "dev-7")
        chosen = stage.screen.connections.chosen
        assert chosen is not None
        assert chosen.view.state == "ended"
        assert chosen.view.detail["reason"] == "the client disconnected"
        await stage.shows("subscriptions")
        await stage.keys("K")
        await stage.shows("has ended already; W says why")
        # One was gone before the screen began to look.
        await stage.shows("+2 ended")

    play(act, real=Scene)


def _more_than(entries: Sized, before: int, more: bool) -> bool:
    return (len(entries) > before) == more


def test_the_open_log_wraps_an_answer_anew_when_the_terminal_changes() -> None:
    async def act(stage: Stage) -> None:
        await stage.type(":why q.mail")
        await stage.keys("enter")
        await stage.until(lambda: "or bind a queue of its own" in _read(stage), "the answer")
        entries = stage.app.record.entries
        wide = len(entries)
        for size, wrapped in (((80, 24), False), ((62, 20), True), ((120, 40), False)):
            await stage.resize(*size)
            await stage.until(lambda: "or bind a queue of its own" in _read(stage), "the answer")
            # The command that it answers stays in view above it.
            await stage.shows("why q.mail")
            anew = partial(_more_than, entries, wide, wrapped)
            await stage.until(anew, "its new lines")

    play(act, real=partial(_planted, _taken_by_another_consumer))


@pytest.mark.table
@pytest.mark.parametrize(
    ("payload", "text", "note"),
    [
        (b'{"id": 1}', '{"id": 1}', "9B copied as text, if"),
        (b"two\r\n\tlines", "two\r\n\tlines", "copied as text, if"),
        ("\u202eevil\u2066 \U0001f680".encode(), "\u202eevil\u2066 \U0001f680", "copied as text"),
        (b"\xff\xfe\x00", "hex:fffe00", "copied as hex"),
        # Pasted as it is, this would end a bracketed paste and begin to type.
        (b"\x1b[201~rm -rf", "hex:1b5b3230317e726d202d7266", "copied as hex"),
        (b"\x9b" + b"x" * 400, "hex:9b" + "78" * 400, "copied as hex"),
        (b"x" * 65_536, "x" * 65_536, "64K copied"),
        (b"x" * 100_000, "x" * 100_000, "more than many terminals take"),
    ],
)
def test_the_clipboard_gets_exactly_the_payload_or_its_bytes_as_hex(
    payload: bytes, text: str, note: str
) -> None:
    def real() -> Scene:
        made = Scene(furnished=False)
        made.kafka.publish("orders", payload)
        return made

    async def act(stage: Stage) -> None:
        written: list[str] = []
        driver = stage.app._driver
        assert driver is not None
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(driver, "write", written.append)
            await stage.keys("g", "y")
        (sent,) = (each for each in written if each.startswith("\x1b]52;c;"))
        assert base64.b64decode(sent[7:-1]).decode() == text
        assert note in stage.screen.result.text

    play(act, real=real)


def test_what_is_copied_is_kept_in_a_file_for_terminals_without_a_clipboard(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "copied.txt"
    kept.write_text("a longer text of before")

    async def act(stage: Stage) -> None:
        await stage.keys("g", "Y")
        await stage.type("cli")
        await stage.keys("enter")
        assert stage.screen.prompt.is_active is False
        assert kept.read_text() == (
            "printf %s paid | kcat -P -b 127.0.0.1:9092 -t orders -p 0 -D '\\x1e'"
        )
        await stage.shows("copied.txt")
        kept.unlink()
        kept.mkdir()
        await stage.keys("y")
        assert stage.screen.result.text == "4B copied as text, if the terminal has a clipboard"

    def real() -> Scene:
        made = Scene(furnished=False)
        made.kafka.publish("orders", b"paid")
        return made

    play(act, real=real, copies=kept)


def test_held_frames_are_let_go_one_after_the_other() -> None:
    async def act(stage: Stage) -> None:
        holds = stage.runtime.holds
        await stage.keys("5", "g")
        for left in ({2, 3}, {3}):
            await stage.keys("a")
            assert set(holds.held) == left
            await stage.tick()
            assert stage.screen.subject().what.id == min(left)  # type: ignore[union-attr]

    play(act, real=Scene)


def test_a_publish_that_reached_no_queue_says_so_in_its_row_and_in_the_inspector() -> None:
    def unroutable() -> Scene:
        real = Scene()
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


def test_a_shared_subscription_shows_who_got_how_many() -> None:
    def sharing() -> Scene:
        made = Scene()
        for name in ("one", "two"):
            client = made.networks["mqtt"].connect()
            client.send(encode_packet(Connect(name, version=5), 5))
            client.send(encode_packet(Subscribe(1, [Request("$share/workers/jobs/#", 0)]), 5))
        for number in range(3):
            made.run(f"pub mqtt:jobs/a {number}")
        return made

    async def act(stage: Stage) -> None:
        await stage.shows("s/jobs/#")
        await _choose(stage, "4", "$share/workers/jobs/#")
        await stage.keys("enter")
        await stage.shows("M share $share/workers/jobs/#")
        sheet = stage.screen.inspector.opened.sheet
        assert sheet is not None
        _, members = sheet.tables["members"]
        assert [(each["client"], each["state"], each["taken"]) for each in members] == [
            ("one", "reads", 1),
            ("two", "reads", 2),
        ]
        await stage.keys("escape", "4", "plus")
        assert stage.app.session.filter.text == "topic:jobs/#"

    play(act, real=sharing)


def test_figures_go_on_while_somebody_is_in_the_inspector() -> None:
    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "q.mail")
        await stage.keys("8")
        assert stage.screen.inspector.has_focus
        await stage.shows("messages         3 in")
        assert stage.app.session.run("repeat 4: pub queue:q.mail again").ok
        await stage.tick()
        await stage.shows("messages         7 in")

    play(act, real=Scene)


def test_an_argument_that_is_still_to_be_typed_is_no_mistake() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        await stage.type("queue show ")
        await stage.tick()
        assert "is missing" not in stage.screen.result.text
        await stage.type("a b ")
        await stage.until(lambda: bool(stage.screen.result.text))

    play(act, real=Scene)


def test_a_stored_message_is_compared_with_the_one_before_of_its_key() -> None:
    def keyed() -> Scene:
        made = Scene()
        made.run("topic add stock -p 1")
        for key, count in (("a", 1), ("b", 5), ("a", 2)):
            made.run(f'pub kafka:stock {{"sku": "{key}", "count": {count}}} -k {key}')
        made.run("queue add left")
        for count in (7, 8):
            made.run(f'pub amqp:/left {{"count": {count}}}')
        return made

    async def act(stage: Stage) -> None:
        await _choose(stage, "3", "stock")
        await stage.keys("enter", "d")
        await stage.shows("stock p0@0 and stock p0@2, ")
        await stage.shows("~  payload  count  1")
        await stage.keys("escape", "escape")
        await _choose(stage, "3", "left")
        await stage.keys("enter", "d")
        await stage.shows("the one before and this one: 1 difference")
        await stage.keys("escape", "k", "d")
        await stage.shows("nothing before it went")

    play(act, real=keyed)
