"""Lines to tokens, and tokens to arguments."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockforge_tui.console.arguments import parse
from mockforge_tui.console.commands import REGISTRY
from mockforge_tui.console.language import Kind, lex, read_line
from mockforge_tui.console.targets import (
    AmqpTarget,
    BareTarget,
    KafkaTarget,
    MqttTarget,
    QueueTarget,
    parse_target,
)

from .scene import Scene

TOKENS = [
    ("", []),
    ("   ", []),
    ("topic ls", [("word", "topic"), ("word", "ls")]),
    ("# topic ls", [("comment", "# topic ls")]),
    ("release h3", [("word", "release"), ("word", "h3")]),
    ('pub a {"id": 1}', [("word", "pub"), ("word", "a"), ("json", '{"id": 1}')]),
    ('{"a": {"b": "}"}} x', [("json", '{"a": {"b": "}"}}'), ("word", "x")]),
    ('{"id": {{sequence}}}', [("json", '{"id": {{sequence}}}')]),
    ('{"a":{"b":{{int 1 9}}}}', [("json", '{"a":{"b":{{int 1 9}}}}')]),
    ('{"a": "{{choice \'x\' "y"}}"}', [("json", '{"a": "{{choice \'x\' "y"}}"}')]),
    ('[1, "]", [2]] -n 5', [("json", '[1, "]", [2]]'), ("option", "-n"), ("word", "5")]),
    ("{{int 1 9}} x", [("word", "{{int 1 9}}"), ("word", "x")]),
    ("o-{{int 1 9}}/{{uuid}}", [("word", "o-{{int 1 9}}/{{uuid}}")]),
    ('"two words" b', [("string", '"two words"'), ("word", "b")]),
    ("'a \"b\" c'", [("string", "'a \"b\" c'")]),
    ('k="a b" c', [("word", 'k="a b"'), ("word", "c")]),
    ("it's fine", [("word", "it's"), ("word", "fine")]),
    ('body~"err (or)?" x', [("word", 'body~"err (or)?"'), ("word", "x")]),
    ("(a or (b c)) -x", [("group", "(a or (b c))"), ("option", "-x")]),
    ("-5 -n --opt=v -", [("word", "-5"), ("option", "-n"), ("option", "--opt=v"), ("word", "-")]),
    ("a -- b  {c -n", [("word", "a"), ("rest", "b  {c -n")]),
    ("a | b > c", [("word", "a"), ("pipe", "|"), ("word", "b"), ("redirect", ">"), ("word", "c")]),
    ("a|b>c", [("word", "a|b>c")]),
    ('{"a": " | > "}', [("json", '{"a": " | > "}')]),
    ("size>1k", [("word", "size>1k")]),
    ("kafka:orders[1]@end", [("word", "kafka:orders[1]@end")]),
    ('{"a": 1}x', [("word", '{"a": 1}x')]),
    ("$SYS/broker/# +/a", [("word", "$SYS/broker/#"), ("word", "+/a")]),
]


@pytest.mark.parametrize(("line", "expected"), TOKENS)
def test_tokens(line: str, expected: list[tuple[str, str]]) -> None:
    assert [(token.kind.value, token.text) for token in lex(line)] == expected


@pytest.mark.parametrize(
    "line", ['pub a {"x": ', 'pub a "x', "pub a (x", "pub a {{x", 'pub a k="x']
)
def test_what_is_not_closed_is_open_and_blamed(line: str) -> None:
    assert lex(line)[-1].open
    problem = read_line(line).problem
    assert problem is not None
    assert problem.start == lex(line)[-1].start


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a b"', "a b"),
        (r'"a \"b\" \n"', 'a "b" \n'),
        ("'x'", "x"),
        ('k="a b"', "k=a b"),
        ("k='a b'c", "k=a bc"),
        ("it's", "it's"),
        ("{{choice 'a' 'b'}}", "{{choice 'a' 'b'}}"),
    ],
)
def test_values_without_quotes(text: str, value: str) -> None:
    (token,) = lex(text)
    assert token.value == value


def test_a_line_in_all_its_parts() -> None:
    line = read_line("every 5s: topic ls orders* | depth>0 or name:x > out.json")
    assert line.prefix is not None
    assert (line.prefix.word.text, line.prefix.text) == ("every", "5s")
    assert [word.text for word in line.words] == ["topic", "ls", "orders*"]
    assert line.where is not None
    assert line.where.text == "depth>0 or name:x"
    assert line.into is not None
    assert line.into.text == "out.json"
    assert line.problem is None


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("topic ls |", "a filter is missing"),
        ("topic ls >", "a file is missing"),
        ("filter size > 1k b", "a comparison has no spaces"),
        ("every 5s:", "a command is missing"),
        ("| x", "a command is missing"),
    ],
)
def test_parts_that_do_not_fit(line: str, text: str) -> None:
    problem = parse(REGISTRY, line).problem
    assert problem is not None
    assert text in problem.text


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("kafka:orders", KafkaTarget("orders")),
        ("kafka:orders[2]", KafkaTarget("orders", 2)),
        ("kafka:orders[2]@118", KafkaTarget("orders", 2, "118")),
        ("kafka:orders@-5m", KafkaTarget("orders", None, "-5m")),
        ("mqtt:a/b c", MqttTarget("a/b c")),
        ("mqtt:/a", MqttTarget("/a")),
        ("amqp:events/order.paid", AmqpTarget("events", "order.paid")),
        ("amqp:events", AmqpTarget("events")),
        ("amqp:/q", AmqpTarget("", "q")),
        ("amqp:e/a/b", AmqpTarget("e", "a/b")),
        ("queue:q.mail", QueueTarget("q.mail")),
        ("orders", BareTarget("orders")),
    ],
)
def test_targets(text: str, target: object) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text", ["", "kafka:", "kafka:a[]", "kafka:a@", "mqtt:", "queue:", "nats:a"]
)
def test_targets_that_say_too_little(text: str) -> None:
    with pytest.raises(ValueError, match=r"missing|no broker"):
        parse_target(text)


@pytest.mark.parametrize(
    ("line", "text", "blamed"),
    [
        ("pbu kafka:a 1", "did you mean pub?", "pbu"),
        ("topic", "topic what? There is ls, add", "topic"),
        ("topic puge x", "did you mean topic purge?", "puge"),
        ("topic add", "NAME is missing", ""),
        ("topic add a b", "too much for topic add", "b"),
        ("topic add a -p 0", "must be 1 or more", "0"),
        ("topic add a -p x", "is not a whole number", "x"),
        ("topic add a -px", "is not a whole number", "x"),
        ("topic add a --partitions=x", "is not a whole number", "x"),
        ("topic add a -z", "has no option -z", "-z"),
        ("queue add a --durable=1", "takes no value", "--durable=1"),
        ("exchange add a --type tpoic", "is not one of direct, fanout", "tpoic"),
        ("hold topic:a sizee>1 --max 1", "did you mean size?", "sizee"),
        ("clock advance soon", "is not a duration", "soon"),
        (
            "fault add delay op:PUBACK --dir out 10s",
            "10s is too late: what belongs to it stands before the first option of fault add",
            "10s",
        ),
    ],
)
def test_mistakes_have_a_place(line: str, text: str, blamed: str) -> None:
    problem = parse(REGISTRY, line).problem
    assert problem is not None
    assert text in problem.text
    assert line[problem.start : problem.end] == blamed


def test_options_may_stand_anywhere_and_glued() -> None:
    for line in (
        "topic add a -p 6",
        "topic add -p 6 a",
        "topic add a -p6",
        "topic add a --partitions=6",
    ):
        call = parse(REGISTRY, line).call
        assert call is not None, line
        assert call.values == {"name": "a", "partitions": 6}


def test_a_filters_minus_is_no_option() -> None:
    call = parse(REGISTRY, "hold proto:kafka -op:Heartbeat --max 2").call
    assert call is not None
    assert call.values["where"].text == "proto:kafka -op:Heartbeat"
    assert call.values["most"] == 2


# Whatever is typed ----------------------------------------------------------------------------

LINES = [example for each in REGISTRY.commands for example in each.examples]
typed = st.text(alphabet="pub kafk:{}[]()\"'|><-=#@n 1,\\/~", max_size=40) | st.builds(
    lambda line, cut, extra: line[:cut] + extra,
    st.sampled_from(LINES),
    st.integers(0, 60),
    st.text(max_size=5),
)


@settings(deadline=None)
@given(typed)
def test_tokens_cover_the_line_in_order(line: str) -> None:
    at = 0
    for token in lex(line):
        assert at <= token.start <= token.end <= len(line)
        assert not line[at : token.start].strip()
        if token.kind is not Kind.REST:
            assert line[token.start : token.end] == token.text
        at = token.end
    assert not line[at:].strip()


@settings(deadline=None)
@given(typed)
def test_any_line_is_understood_or_refused_in_its_bounds(line: str) -> None:
    parsed = parse(REGISTRY, line)
    problem = parsed.problem
    if problem is not None:
        assert parsed.call is None
        assert 0 <= problem.start <= problem.end <= len(line)
        assert problem.text


SCENE = Scene(busy=False)


@settings(deadline=None)
@given(typed)
def test_colours_never_overlap(line: str) -> None:
    at = 0
    for span in SCENE.session.spans(line):
        assert at <= span.start < span.end <= len(line)
        at = span.end


@settings(deadline=None)
@given(typed, st.integers(0, 60))
def test_completion_and_hints_never_fail(line: str, cursor: int) -> None:
    cursor = min(cursor, len(line))
    for each in SCENE.session.complete(line, cursor):
        assert 0 <= each.start <= each.end <= cursor
    SCENE.session.hint(line)
