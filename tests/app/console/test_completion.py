"""What may come next, at any place of a line."""

import pytest
from brokers.calls import calls_of

from mockforge_tui.console.commands import REGISTRY

from .scene import Scene

FIRST = [
    ("pu", "pub"),
    ("top", "topic"),
    ("topic ", "topic ls"),
    ("topic p", "topic purge"),
    ("topic rm o", "topic rm orders"),
    ("pub kaf", "pub kafka:orders"),
    ("pub kafka:orders x --r", "pub kafka:orders x --retain"),
    ("pub kafka:orders x -k a --h", "pub kafka:orders x -k a --header"),
    ("queue rm q.m", "queue rm q.mail"),
    ("bind ev", "bind events"),
    ("bind events q.i", "bind events q.inv"),
    ("exchange add x --type t", "exchange add x --type topic"),
    ("exchange add x --type=t", "exchange add x --type=topic"),
    ("play ord", "play order-created"),
    ("auto on al", "auto on all"),
    ("hold to", "hold topic:"),
    ("hold topic:orders si", "hold topic:orders size:"),
    ("hold client:dev", "hold client:dev-7"),
    ("hold topic:orders --t", "hold topic:orders --timeout"),
    ("conn kill ", "conn kill c12"),
    ("group show b", "group show billing"),
    ("retained rm sensors/room1", "retained rm sensors/room1/temp"),
    ("session rm d", "session rm dev-7"),
    ("help pu", "help pub"),
    ("every 5s: pu", "every 5s: pub"),
    ("topic ls | na", None),
    ("pub kafka:orders {", None),
    ("pub kafka:orders -- k", None),
    ("topic ls > fi", None),
    ("nothing at all", None),
]


@pytest.mark.parametrize(("line", "expected"), FIRST)
def test_the_first_completion(line: str, expected: str | None) -> None:
    found = Scene(busy=False).session.complete(line)
    shown = [line[: each.start] + each.text + line[each.end :] for each in found]
    assert (shown[0] if shown else None) == expected


def test_every_completer_that_a_command_names_is_there() -> None:
    candidates = Scene(screen=True).session.candidates
    for each in REGISTRY.commands:
        for parameter in each.parameters:
            kind = parameter.spec.type
            if kind is not None and kind.completer and not kind.completer.endswith("filter"):
                assert candidates.knows(kind.completer), kind


def test_names_with_spaces_are_quoted() -> None:
    scene = Scene(busy=False)
    scene.mqtt.publish("room 1/temp", b"20", retain=True)
    found = [each.text for each in scene.session.complete("tail mqtt:room")]
    assert found == ['"mqtt:room 1/temp"']
    scene.run("tail " + found[0])
    scene.mqtt.publish("room 1/temp", b"21")
    scene.time.advance(1)
    assert len(scene.reported()) == 1


def test_completion_in_the_middle_of_a_line() -> None:
    line = "topic rm or -y"
    (first, *_) = Scene(busy=False).session.complete(line, len("topic rm or"))
    assert line[: first.start] + first.text + line[len("topic rm or") :] == "topic rm orders -y"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("topic add", "NAME [-p N] [--config K=V…]"),
        ("topic add a", "[-p N] [--config K=V…]"),
        ("topic add a -p", "N"),
        ("topic add a -p 3", "[--config K=V…]"),
        ("topic rm", "TOPIC"),
        ("fault rm", "ID"),
        ("expect kafka:orders key:o-1 --within 5s", None),
        ("fault add delay topic:orders 250ms --jitter 50ms", None),
        ("nothing", ""),
        ("", ""),
    ],
)
def test_hints_tell_what_is_still_to_come(line: str, hint: str | None) -> None:
    """None: options alone, of what else it takes all is there."""
    told = Scene(busy=False).session.hint(line)
    if hint is None:
        assert told.startswith("[-"), told
    else:
        assert told == hint


def test_colours_follow_the_roles() -> None:
    line = 'pub kafka:orders {"id": {{sequence}}} -k x --nope'
    shown = [
        (span.role, line[span.start : span.end]) for span in Scene(busy=False).session.spans(line)
    ]
    assert shown == [
        ("command", "pub"),
        ("target", "kafka:orders"),
        ("payload", '{"id": '),
        ("template", "{{sequence}}"),
        ("payload", "}"),
        ("option", "-k"),
        ("value", "x"),
        ("error", "--nope"),
    ]


def test_a_keystroke_costs_little_among_500_topics() -> None:
    scene = Scene(busy=False)
    for number in range(500):
        scene.kafka.create_topic(f"orders.v{number}", 1)
    scene.session.complete("pub kafka:orders.v4")
    # Two for a topic, which take 0.1 to 0.3 ms; the bound keeps out another order of magnitude.
    assert calls_of(lambda: scene.session.complete("pub kafka:orders.v4")) < 5_000
