"""Each action with each scope on each protocol: it fires for the frame that it says and for no
other, or is refused at once with what to write instead.

The cases come from the tables that the program reads: actions with their parameters, the fields of
filters. What a scope is to match comes from a conversation that no rule touches.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from random import Random
from typing import Any, Final

import pytest
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.served import SERVED
from mockforge_brokers.kafka.words import UNSERVED
from mockforge_brokers.misbehaviour.actions import ACTIONS, ActionKind, Parameter
from mockforge_brokers.misbehaviour.possible import AT_AN_END, OPEN, FrameKind
from mockforge_brokers.misbehaviour.rules import Match, Rule, Trigger
from mockforge_brokers.protocols import protocol_of

from mockforge_tui.fault_values import frame_match
from mockforge_tui.filters import MESSAGES, compile_filter, quote
from mockforge_tui.filters.fields import Field

from .conversing import CONVERSATIONS, TICK, Frame, Seen, Stage, telling

_PATHS: Final = {"header": ("trace", "h"), "prop": ("content_type",), "json": ("id",)}
_MOST_VALUES: Final = 3
_VALUES: Final = {
    "duration": "30ms",
    "size": "1",
    "rate": "20/s",
    "count": "3",
    "part": "payload",
    "packet": "0xC000",
    "text": "words",
}
"""Something of each kind of parameter."""
_CODES: Final = {"kafka": "CORRUPT_MESSAGE", "mqtt": "QUOTA_EXCEEDED", "amqp": "ACCESS_REFUSED"}
_OPTIONS: Final = {"reset": "--rst"}
_TELLING: Final = {
    "kafka": (("Produce", "acks=0"), ("Fetch", "error_code=3")),
    "mqtt": (("PUBLISH", "topic_name=sensors/z"), ("PUBLISH", "retain=true")),
    "mqtt-sn": (("PUBLISH", "qos=0"), ("PUBLISH", "retain=true")),
    "amqp": (("basic.publish", "routing_key=a"), ("basic.deliver", "routing_key=a")),
    "amqp 1.0": (("transfer", "settled=true"), ("transfer", "settled=true")),
}
"""What a client sends and what it gets of a message, each with another value for a field."""
_WAYS: Final = {None: "", IN: " --dir in", OUT: " --dir out"}
_REMEDIES: Final = (
    "dir is",
    "leave it out",
    "name ",
    "give ",
    "needs ",
    "use ",
    "it takes ",
    "is a field of",
)

_stages: dict[str, tuple[Stage, list[list[Row]], Seen]] = {}


def stage_of(name: str) -> tuple[Stage, list[list[Row]], Seen]:
    """A stage, and what its conversation is without a rule."""
    if name not in _stages:
        stage = Stage(name)
        _stages[name] = stage, stage.overheard(), stage.converse()
    return _stages[name]


def scopes(frames: Iterable[list[Row]]) -> Iterator[str]:
    """A term for each field of filters and some of the values that it has in a conversation."""
    rows = list(chain.from_iterable(frames))
    for field, path in _fields():
        found = dict.fromkeys(chain.from_iterable(_values(field, path, row) for row in rows))
        for value in list(found)[:_MOST_VALUES]:
            yield f"{field.name}.{path}={quote(value)}" if path else f"{field.name}={quote(value)}"


def _fields() -> Iterator[tuple[Field, str]]:
    """All but age, which nothing has as it comes; each with the path behind it."""
    for name, field in MESSAGES.fields.items():
        if name == field.name and field.kind != "duration":
            for path in _PATHS.get(name, ("",)):
                yield field, path


def _values(field: Field, path: str, row: Row) -> Iterator[str]:
    """As the filter language says where a row has it."""
    helpers = {**MESSAGES.helpers, "json_of": _json_of, "r": row}
    value = eval(field.code.replace("{path}", repr(path)), dict(helpers))
    for each in value if isinstance(value, list | tuple) else (value,):
        if each not in (None, "", b""):
            text = each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each)
            yield text.lower() if isinstance(each, bool) else text


def _json_of(payload: bytes | None, path: str, place: str) -> Any:
    try:
        return json.loads(payload or b"").get(path)
    except (ValueError, AttributeError):
        return None


def matched(frames: list[list[Row]], text: str, way: int | None) -> list[Frame]:
    """The frames that a rule is to fire for: without a direction each message is matched once."""
    matches = compile_filter(text).matches
    asked: dict[tuple[int, object], tuple[int, bool]] = {}
    found = []
    for parts in frames:
        first = parts[0]
        exchange = first.connection, first.correlation
        fits = way in (None, first.direction) and any(map(matches, parts))
        if first.correlation is not None:
            direction, before = asked.get(exchange, (first.direction, False))
            if direction != first.direction:
                fits = fits and not (before and way is None)
            elif not protocol_of(first.protocol).is_last(first.operation):
                asked[exchange] = direction, fits
        if fits:
            found.append((first.connection, first.direction, first.operation))
    return found


def lines(kind: ActionKind, name: str, way: int) -> Iterator[tuple[str, str]]:
    """What stands behind a scope, and the options, of an action alone and with each of its own."""
    leading = "".join(f" {_value(each, name, way)}" for each in kind.parameters if each.leading)
    yield leading, ""
    for each in kind.parameters:
        if not each.leading:
            option = _OPTIONS.get(each.name, f"--{each.name.replace('_', '-')}")
            needs = " --jitter 10ms" if each.name == "log_normal" else ""
            value = "" if each.kind == "flag" else f" {_value(each, name, way)}"
            yield leading, f" {option}{value}{needs}"


def _value(parameter: Parameter, name: str, way: int) -> str:
    if parameter.kind == "code":
        return _CODES[CONVERSATIONS[name][0]]
    return _TELLING[name][way][1] if parameter.kind == "fields" else _VALUES[parameter.kind]


def conversed(stage: Stage, line: str) -> Seen | None:
    """A conversation with one rule; None where that is refused, with what to write instead."""
    result = stage.scene.session.run(line)
    if not result.ok:
        assert result.problem is not None
        assert any(word in result.problem.text for word in _REMEDIES), result.as_text()
        return None
    try:
        return stage.converse()
    finally:
        stage.scene.faults.clear()


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_rule_fires_for_what_its_scope_says_and_for_nothing_else(name: str) -> None:
    stage, frames, _ = stage_of(name)
    wanted: dict[int, tuple[str, list[Frame]]] = {}
    for scope in scopes(frames):
        for way, option in _WAYS.items():
            text = f"proto:{stage.protocol} {scope}"
            expected = matched(frames, text, way)
            result = stage.scene.session.run(f"fault add watch {text}{option}")
            assert result.ok or not expected, f"{text}{option}: {result.as_text()}"
            if result.ok:
                wanted[result.data["id"]] = text + option, expected
    seen = stage.converse()
    stage.scene.faults.clear()
    assert len(wanted) > 80
    for number, (text, expected) in wanted.items():
        assert [frame for rule, frame in seen.fired if rule == number] == expected, text


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("kind", ACTIONS.values(), ids=ACTIONS)
def test_an_action_is_done_to_the_frame_that_it_says(kind: ActionKind, name: str) -> None:
    """With each of its options; what the clients get is another then, or comes at another time."""
    stage, frames, before = stage_of(name)
    taken = 0
    for way in (IN, OUT):
        scope = f"proto:{stage.protocol} op={_TELLING[name][way][0]}"
        first = matched(frames, scope, way)[:1]
        for leading, options in lines(kind, name, way):
            line = f"fault add {kind.name} {scope}{leading}{options}{_WAYS[way]} --once"
            seen = conversed(stage, line)
            if seen is not None:
                taken += 1
                assert [frame for _, frame in seen.fired] == first, line
                same = (seen.wires, seen.ends) == (before.wires, before.ends)
                # What a client gets goes on while what it sends is not read.
                assert same == (kind.name == "watch") or (kind.name == "block" and way == OUT), line
    assert taken


_ALIKE: Final = ("dir=", "kind=", "size=", "queue=", "retain=", "vhost=", "channel=", "header.h")
"""Fields that are read as others are; of all, and of each protocol, see the first test."""


def _pairs() -> Iterator[tuple[ActionKind, str, str]]:
    """Each action with each scope of a message, on one of the protocols that have it by turns."""
    told: dict[str, list[tuple[str, str]]] = {}
    for name in CONVERSATIONS:
        _, frames, _ = stage_of(name)
        message = next(each for each in frames if each[0].operation == _TELLING[name][IN][0])
        for scope in scopes([message[:1]]):
            if scope.startswith(_ALIKE):
                continue
            told.setdefault(scope.partition("=")[0], []).append((name, scope))
    for number, kind in enumerate(ACTIONS.values()):
        for place, offered in enumerate(told.values()):
            yield kind, *offered[(number + place) % len(offered)]


def test_each_action_is_done_by_each_scope() -> None:
    """Made of what the prompt makes of each of the two: to read all lines would take seconds."""
    matches: dict[tuple[str, int], tuple[Match, list[Frame]]] = {}
    actions: dict[tuple[str, str], Any] = {}
    done = set()
    for kind, name, scope in _pairs():
        stage, frames, _ = stage_of(name)
        way = OUT if kind.name == "inject" else IN
        operation = _TELLING[name][way][0]
        text = f"proto:{stage.protocol} op={operation}"
        text += "" if scope.startswith("op=") else f" {scope}"
        if (text, way) not in matches:
            matches[text, way] = frame_match(text, way), matched(frames, text, way)[:1]
        if (kind.name, name) not in actions:
            leading, _ = next(lines(kind, name, way))
            made = stage.scene.run(f"fault add {kind.name} op={operation}{leading}{_WAYS[way]}")
            actions[kind.name, name] = stage.scene.faults.rules[made.data["id"]].action
            stage.scene.faults.clear()
        match, first = matches[text, way]
        assert first or way == OUT
        stage.scene.faults.add(Rule(match, actions[kind.name, name], Trigger(times=1)))
        assert [frame for _, frame in stage.converse().fired] == first, (kind.name, text)
        stage.scene.faults.clear()
        done.add((kind.name, scope.partition("=")[0]))
    assert len(done) >= 15 * len(ACTIONS)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_no_frame_has_what_frames_of_its_kind_are_said_to_lack(name: str) -> None:
    stage, frames, _ = stage_of(name)
    known = frame_match(f"proto:{stage.protocol}").kinds
    assert known is not None
    kinds: dict[tuple[int, str], list[FrameKind]] = {}
    for kind in known():
        kinds.setdefault((kind.direction, kind.operation), []).append(kind)
    for row in chain.from_iterable(frames):
        lacking = [set(each.lacks()) for each in kinds[row.direction, row.operation]]
        for field, path in _fields():
            if field.protocol in ("", stage.protocol) and [*_values(field, path, row)]:
                assert any(field.name not in each for each in lacking), (row.operation, field.name)


def test_apis_that_are_not_served_are_known_to_be_asked_for_only() -> None:
    assert {key for key in ApiKey if key not in SERVED} == UNSERVED


@pytest.mark.parametrize("name", ["kafka", "mqtt", "mqtt-sn"])
def test_what_can_be_done_at_a_beginning_is_done_there_and_all_else_is_refused(name: str) -> None:
    stage, _, before = stage_of(name)
    for kind in ACTIONS.values():
        leading, _ = next(lines(kind, name, IN))
        seen = conversed(stage, f"fault add {kind.name} proto:{stage.protocol} op=open{leading}")
        assert (seen is not None) == (kind.action in AT_AN_END[OPEN]), kind.name
        if seen is not None:
            beginnings = [(number, IN, "open") for number in range(1, len(before.ends) + 1)]
            assert [frame for _, frame in seen.fired] == beginnings
            assert (seen.wires, seen.ends) != (before.wires, before.ends)


@pytest.mark.parametrize("name", ["mqtt", "mqtt-sn"])
def test_what_has_no_body_has_its_head_corrupted(name: str) -> None:
    stage, _, before = stage_of(name)
    seen = conversed(stage, "fault add corrupt op:PINGRESP")
    assert seen is not None
    assert seen.wires != before.wires


_SEED: Final = 7
_MESSAGES: Final = 6
_dice = Random(_SEED)
_ROLLED: Final = [_dice.random() < 0.5 for _ in range(_MESSAGES)]
_HALF: Final = TICK * 500
"""Of a tick, in milliseconds."""
_TRIGGERS: Final[Mapping[str, Callable[[int], bool]]] = {
    "": lambda number: True,
    "--once": lambda number: number == 1,
    "--nth 2": lambda number: number == 2,
    "--times 2": lambda number: number <= 2,
    "--first 1": lambda number: number > 1,
    "--every 2": lambda number: number % 2 == 1,
    f"--start {5 * _HALF:g}ms": lambda number: number > 2,
    f"--window {5 * _HALF:g}ms": lambda number: number <= 2,
    f"--start {3 * _HALF:g}ms --window {4 * _HALF:g}ms": lambda number: number in (2, 3),
    f"--until {7 * _HALF:g}ms": lambda number: number <= 3,
    f"--for {3 * _HALF:g}ms": lambda number: number == 1,
    "--p 50%": lambda number: _ROLLED[number - 1],
}
"""For which of the messages that come one each tick, from 1 on."""
_LAST: Final = frozenset(("disconnect", "blackhole", "truncate", "corrupt"))
"""What ends the connection, or rolls the dice itself: it is not known what comes next."""


@pytest.mark.parametrize("kind", ACTIONS.values(), ids=ACTIONS)
def test_each_trigger_says_when_each_action_is_done(kind: ActionKind) -> None:
    stage = Stage("mqtt", telling(_MESSAGES))
    way, what = (OUT, "op=PUBACK") if kind.name == "inject" else (IN, "op=PUBLISH topic=t")
    leading, _ = next(lines(kind, "mqtt", way))
    for trigger, fires in _TRIGGERS.items():
        stage.scene.faults.reseed(_SEED)
        line = f"fault add {kind.name} {what}{leading}{_WAYS[way]} {trigger}"
        seen = conversed(stage, line)
        assert seen is not None
        wanted = [number for number in range(1, _MESSAGES + 1) if fires(number)]
        hits = [round(at / TICK) for at in seen.times]
        last = 1 if kind.name in _LAST else None
        assert hits[:last] == wanted[:last], line
