"""Keys that act or filter, without a screen: what is chosen in, what is run or begun out."""

from dataclasses import replace

import pytest
from brokers.misbehaving import Waiting, fault, hold
from mockforge_brokers.ended import ENDED
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.misbehaviour.holds import HeldFrame
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from mockforge_tui.tui.filter_keys import FilterKeys
from mockforge_tui.tui.key_commands import (
    KEY_COMMANDS,
    Begin,
    Chosen,
    Deed,
    Note,
    Run,
    diff,
    timeline,
    why,
)
from mockforge_tui.tui.keys import KEYS
from mockforge_tui.tui.screens.dashboard import Dashboard
from mockforge_tui.tui.snapshot import ConnectionLine, DestinationLine, FaultLine
from mockforge_tui.tui.subjects import Subject


def row(**given: object) -> Row:
    known = {"seq": 7, "client": "dev-7", "destination": "a/b", "kind": "message",
             "payload": b"on", "connection": 3}  # fmt: skip
    return Row("mqtt", IN, "PUBLISH", **{**known, **given})  # type: ignore[arg-type]


MESSAGE = row()
ACK = Row("mqtt", IN, "PUBACK", seq=8, client="dev-7", connection=3)
HELD = FaultLine(2, 4, HeldFrame(4, 1, [row(seq=0, held=4)], 0.0, Waiting()), 0, True, 0.0)
HELD_ACK = FaultLine(
    2, 5, HeldFrame(5, 1, [Row("mqtt", IN, "PUBACK", held=5)], 0.0, Waiting()), 0, True, 0.0
)
OPEN = ConnectionLine(ConnectionView(3, "mqtt", "dev-7", "127.0.0.1:5", "open", 0.0), 0.0, 0.0)
GONE = ConnectionLine(ConnectionView(3, "mqtt", "dev-7", "127.0.0.1:5", ENDED, 0.0), 0.0, 0.0)
TOPIC = DestinationLine(DestinationView("kafka", "topic", "orders"), 0.0)
SPACED = DestinationLine(DestinationView("amqp", "queue", "my mail"), 0.0)
EXCHANGE = DestinationLine(DestinationView("amqp", "exchange", "billing"), 0.0)
GROUP = GroupView("kafka", "workers", "Stable", 2)
SESSION = GroupView("mqtt", "hmi", "connected", 1, detail={"subscriptions": {"a/#": 1}})
BRANCH = DestinationLine(DestinationView("mqtt", "topic", "rooms/#", detail={"branch": ["a"]}), 0.0)
ON, OFF = fault(), fault()
ON.id, OFF.id, OFF.enabled = 1, 2, False
HOLD = hold()
HOLD.id = 5
FAULT, DISABLED = (FaultLine(0, each.id, each, 0, each.enabled, 0.0) for each in (ON, OFF))
HOLDING = FaultLine(1, 5, HOLD, 0, True, 0.0)

NO_HELD = "no held frame is chosen; 5 lists them"


@pytest.mark.parametrize(
    ("action", "subject", "deed"),
    [
        ("prompt", None, Begin("")),
        ("republish", MESSAGE, Run("republish")),
        ("republish", ACK, Note("select a message to publish it again")),
        ("republish", TOPIC, Note("select a message to publish it again")),
        ("edit", MESSAGE, Begin("pub mqtt:a/b on")),
        ("edit", HELD, Begin("edit h4 on")),
        ("edit", ACK, Note("select a message to edit it")),
        ("edit", HELD_ACK, Begin("edit h5 --set ")),
        ("publish", MESSAGE, Begin("pub mqtt:a/b ")),
        ("publish", TOPIC, Begin("pub kafka:orders ")),
        ("publish", row(destination="a b"), Begin('pub "mqtt:a b" ')),
        ("publish", SPACED, Begin('pub "queue:my mail" ')),
        ("publish", ACK, Begin("pub ")),
        ("hold", OPEN, Begin("hold client:dev-7 ")),
        ("hold", TOPIC, Begin("hold topic:orders ")),
        ("hold", MESSAGE, Begin("hold client:dev-7 op:PUBLISH ")),
        ("hold", row(client=""), Begin("hold conn:3 op:PUBLISH ")),
        ("hold", None, Begin("hold ")),
        ("hold", GROUP, Begin("hold group:workers ")),
        ("hold", SESSION, Begin("hold client:hmi ")),
        ("publish", BRANCH, Begin("pub mqtt:rooms/", 15)),
        ("release", HELD, Run("release h4", settles=4)),
        ("release", MESSAGE, Note(f"{NO_HELD}, A releases all")),
        ("drop", HELD, Run("drop h4", settles=4)),
        ("refuse", HELD, Begin("refuse h4 ")),
        ("refuse", MESSAGE, Note(NO_HELD)),
        ("release_all", None, Run("release")),
        ("switch", FAULT, Run("fault off 1")),
        ("switch", DISABLED, Run("fault on 2")),
        ("switch", HELD, Note("only a fault can be switched off; a releases, D removes")),
        ("remove", FAULT, Run("fault rm 1")),
        ("remove", HOLDING, Run("hold rm 5")),
        ("remove", HELD, Note("choose a fault or a hold; a releases a held frame")),
        ("fault", OPEN, Begin("fault add delay client:dev-7 250ms", 29)),
        ("fault", MESSAGE, Begin("fault add delay client:dev-7 250ms", 29)),
        ("fault", row(client=""), Begin("fault add delay conn:3 250ms", 23)),
        ("fault", TOPIC, Begin("fault add delay topic:orders 250ms", 29)),
        ("fault", GROUP, Begin("fault add delay group:workers 250ms", 30)),
        ("fault", SESSION, Begin("fault add delay client:hmi 250ms", 27)),
        ("kill", OPEN, Run("conn kill c3")),
        ("kill", MESSAGE, Run("conn kill c3")),
        ("kill", GONE, Note("c3 has ended already; W says why")),
        ("kill", row(connection=0), Note("select a connection, or a message of one")),
        ("kill", None, Note("select a connection, or a message of one")),
        ("panic", None, Run("panic")),
        ("copy", MESSAGE, Run("copy #7")),
        ("copy", HELD, Run("copy @focus")),
        ("copy_as", MESSAGE, Begin("copy #7 --as ")),
        ("copy_as", row(seq=0), Begin("copy @focus --as ")),
        ("copy_as", TOPIC, Note("nothing to copy here")),
        ("copy", ACK, Note("nothing to copy here")),
    ],
)  # fmt: skip
def test_a_key_stands_for_a_line_about_what_is_chosen(
    action: str, subject: Subject | None, deed: Deed
) -> None:
    assert KEY_COMMANDS[action](Chosen(subject)) == deed


@pytest.mark.parametrize("action", ["fault", "hold"])
def test_what_is_about_a_point_of_nothing_is_not_about_everybody(action: str) -> None:
    deed = KEY_COMMANDS[action](Chosen(None, pointed=True))
    assert deed == Note("there is nothing of this yet that it could be about")


@pytest.mark.parametrize(
    ("subject", "line"),
    [
        (MESSAGE, "why #7"),
        (OPEN, "why c3"),
        (TOPIC, "why kafka:orders"),
        (EXCHANGE, "why billing"),
        (GROUP, "why workers"),
    ],
)
def test_why_is_asked_of_what_is_chosen(subject: Subject, line: str) -> None:
    assert why(Chosen(subject)) == Run(line)


@pytest.mark.parametrize("subject", [None, FAULT, HELD])
def test_why_says_what_it_can_be_asked_about(subject: Subject | None) -> None:
    assert why(Chosen(subject)) == Note("choose a client, a group, a queue or a message first")


@pytest.mark.parametrize(
    ("subject", "deed"),
    [
        (MESSAGE, Run("timeline #7")),
        (ACK, Run("timeline #8")),
        (OPEN, Note("select a message, or what answers one, to see what became of it")),
        (None, Note("select a message, or what answers one, to see what became of it")),
    ],
)
def test_a_timeline_is_of_a_frame(subject: Subject | None, deed: Deed) -> None:
    assert timeline(Chosen(subject)) == deed


@pytest.mark.parametrize(
    ("subject", "marks", "deed"),
    [
        (MESSAGE, (), Run("diff #7")),
        (MESSAGE, (7,), Run("diff #7")),
        (MESSAGE, (3, 7), Run("diff #3 #7")),
        (MESSAGE, (1, 5, 12), Run("diff #5 #7")),
        (MESSAGE, (8,), Run("diff #7 #8")),
        (ACK, (), Note("select a message to compare it")),
        (HELD, (), Note("select a message to compare it")),
        (OPEN, (), Note("select a message to compare it")),
    ],
)
def test_a_message_is_compared_with_the_nearest_marked_one_else_with_the_one_before(
    subject: Subject, marks: tuple[int, ...], deed: Deed
) -> None:
    assert diff(Chosen(subject, marks=frozenset(marks))) == deed


def test_the_newest_message_of_a_live_flow_is_read_but_not_published_again() -> None:
    live = Chosen(MESSAGE, live=True)
    assert live.settled_row is None
    assert KEY_COMMANDS["republish"](live) == Note("select a message to publish it again")
    assert KEY_COMMANDS["republish"](replace(live, marks=frozenset({3}))) == Run(
        "republish @marked"
    )
    # To edit it is no accident: the line is looked at before it is entered.
    assert KEY_COMMANDS["edit"](live) == Begin("pub mqtt:a/b on")


def test_a_held_frame_is_moved_behind_so_many() -> None:
    assert KEY_COMMANDS["release"](Chosen(HELD), 2) == Run("release h4 --behind 2", settles=4)


def test_every_action_of_a_key_is_a_command_or_the_screens() -> None:
    actions = {key.action.partition("(")[0] for key in KEYS}
    of_the_screen = {name[3:] for name in dir(Dashboard) if name.startswith("do_")}
    assert actions <= of_the_screen | set(KEY_COMMANDS)
    assert not of_the_screen & set(KEY_COMMANDS)
    assert set(KEY_COMMANDS) <= actions


def test_a_term_is_added_to_the_filter_and_taken_away_by_the_same_key() -> None:
    keys = FilterKeys()
    assert keys.narrow("", "op:PUBLISH", negated=False) == Run("filter op:PUBLISH")
    assert keys.narrow("op:PUBLISH", "op:PUBLISH", negated=False) == Run("filter clear")
    assert keys.narrow("a or b", "qos:1", negated=True) == Run("filter (a or b) -qos:1")
    assert keys.narrow("a", None, negated=False) == Note("nothing here to filter by")


def test_what_is_shown_alone_takes_the_place_of_what_was_shown_alone_before() -> None:
    keys = FilterKeys()
    assert keys.show_only("qos:1", "client:a") == Run("filter qos:1 client:a")
    assert keys.show_only("qos:1 client:a", None) == Note("nothing here to filter by")
    assert keys.show_only("qos:1 client:a", "client:b") == Run("filter qos:1 client:b")
    assert keys.show_only("qos:1 client:b", "client:b") == Run("filter qos:1")


def test_a_filter_is_taken_away_and_comes_back() -> None:
    keys = FilterKeys()
    assert keys.toggle("") == Note("there is no filter to go back to")
    assert keys.toggle("qos:1") == Run("filter clear")
    assert keys.toggle("") == Run("filter qos:1")
