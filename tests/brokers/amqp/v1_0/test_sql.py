"""Filter expressions in SQL, with what RabbitMQ 4.2 makes of them (rabbit_amqp_filter_sql)."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mockforge_brokers.amqp.v1_0.sql import operators
from mockforge_brokers.amqp.v1_0.sql.operators import Value
from mockforge_brokers.amqp.v1_0.sql.parser import parse
from mockforge_brokers.amqp.v1_0.sql.tokens import Malformed
from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.amqp.v1_0.wire.values import (
    Byte,
    Described,
    Symbol,
    Timestamp,
    UInt,
    ULong,
)
from mockforge_brokers.events import Warned

from ..client import Scene
from .client import Client, bodies

NOW = 1_700_000_000_000
PROPERTIES: dict[str, Value] = {
    "kind": b"book",
    "town": b"Oslo",
    "note": b"50% off: a_b",
    "root": "car🥕rot".encode(),
    "blob": b"\x00\xff",
    "stock": 7,
    "price": 9.5,
    "cold": -4,
    "zero": 0,
    "huge": 10**300,
    "sold": True,
    "used": False,
    "none": None,
    "[x]": True,
    "p.to": 1,
    "AND": 2,
    "": 3,
}
FIELDS: dict[str, Value] = {
    "priority": 4,
    "message_id": b"id-1",
    "correlation_id": 77,
    "creation_time": NOW - 1000,
    "user_id": b"\x0a\x0b",
}


class Facts:
    def field(self, name: str) -> Value:
        return FIELDS.get(name)

    def application_property(self, name: str) -> Value:
        return PROPERTIES.get(name)

    def now(self) -> int:
        return NOW


_TRUE = r"""
TRUE
sold
NOT used
kind = 'book'
'book' = kind
kind = "book"
kind <> 'film' AND kind != 'film'
kind='book'AND stock=7
kind > 'ape' AND kind >= 'book' AND kind < 'cat' AND 'Zurich' > town
stock = 7.0 AND 7.0 = stock
price > 9 AND price <= 9.5
stock <> '7'
sold <> 1
sold <> 'TRUE'
sold = TRUE
used <> TRUE
absent OR sold
sold OR absent
stock OR sold
NOT (absent AND used)
NOT (used OR used)
NOT NOT sold
NOT kind = 'film' AND sold
kind = 'film' AND used OR sold
sold OR kind = 'film' AND used
used AND used OR sold
NOT (NOT (absent IN ('a') OR sold))
stock + 2 * 3 = 13
(stock + 2) * 3 = 27
stock - 2 - 1 = 4
stock / 2 = 3.5
100 / 5 / 2 = 10
-cold = 4
+stock = 7
- (stock) = cold - 3
cold % 3 = -1
7 % cold = 3
stock * price = 66.5
1.2E3 = 1200
5.0E-2 = 0.05
5.0E+2 = 500
stock IN (1, 7.0)
town IN ('Rome', 'Oslo')
'Oslo' IN (kind, town)
town NOT IN ('Rome', kind)
stock IN (price - 2.5, 3 + 4)
stock NOT IN ('7', TRUE)
absent IS NULL AND none IS NULL
kind IS NOT NULL
p.subject IS NULL
kind LIKE 'book'
kind LIKE 'b%'
kind LIKE '%ok'
kind LIKE 'b%k'
kind LIKE '_oo_'
kind LIKE '%o%'
kind LIKE '%%k'
kind NOT LIKE 'B%'
note LIKE '50!% off%' ESCAPE '!'
note LIKE '50!%%a!_b' ESCAPE '!'
note LIKE '%: a__'
root LIKE '___🥕___'
root LIKE 'car🥕%'
root LIKE 'car_rot'
blob LIKE '%' AND blob = 0x00FF
blob NOT LIKE 'a%'
0xBB > 0xAA
0x010101 > 0x00FF
0x616263 = 'abc'
h.priority = 4 AND header.priority < 5
p.message_id LIKE 'id-%'
properties.correlation_id > 76
p.user_id = 0x0A0B
a.kind = 'book' AND application_properties.stock = 7
[kind] = 'book'
[[[x]]]
[p.to] = 1
[AND] = 2
[] = 3
UTC() >= p.creation_time
UTC ( ) - p.creation_time = 1000
'it''s' = "it's" AND "a""b" = 'a"b'
kind\t=\f'book'\r\n AND sold
(sold AND kind) OR sold
price * 0 = zero
"""
_NOT_TRUE = """
FALSE
used
kind
stock
absent
none
NOT absent
NOT stock
NOT kind
used OR absent
sold AND absent
sold AND kind
NOT (absent AND sold)
NOT (absent OR used)
NOT (NOT (used OR absent))
kind = 'film'
kind = Kind
stock = '7'
stock > '6'
kind > 1
sold = 1
sold > used
sold >= TRUE
absent = absent
absent <> 1
none = none
none <> 0
stock / 0 > 0
stock / zero = 7
0 / 0 = 0
7.5 % 2 = 1
stock % zero = 0
huge * huge * price > 0
huge / 0.000000001 / 0.1 * huge > 0
huge + 0.5 * huge * huge > 0
kind + 1 = 1
sold + 1 = 2
-kind = 1
-absent = 1
absent IN ('a')
absent NOT IN ('a')
1 IN (absent, none, TRUE)
kind IN ('Book', 7)
absent LIKE '%'
absent NOT LIKE '%'
stock LIKE '7'
stock NOT LIKE '8'
kind LIKE 'o'
kind LIKE 'b_k'
kind LIKE 'boo!k!!' ESCAPE '!'
town LIKE 'OSLO'
'a' LIKE 'a%a'
'' LIKE '_'
blob LIKE '_'
blob NOT LIKE '_'
blob LIKE '%a%'
[p.to] = 'q'
kind IS NULL
p.message_id IS NULL
p.subject = 'x'
0xFE > 0xFF
(stock > 3) + 1 = 2
"""
_MALFORMED = [
    "",
    " ",
    "AND",
    "NOT",
    "kind = ",
    "= 1",
    "(sold",
    "sold)",
    "sold sold",
    "1 2",
    "a = b = c",
    "a < b < c",
    "a = NOT b",
    "a + NOT b",
    "NOT a = b = c",
    "--1 = 1",
    "- -1 = 1",
    "+-1 = 1",
    "a IS 1",
    "a IS NOT",
    "1 IS NULL",
    "(a) IS NULL",
    "a + b IS NULL",
    "-a IS NULL",
    "a NOT NULL",
    "a NOT = 1",
    "NULL",
    "a = NULL",
    "a IN ()",
    "a IN (1",
    "a IN 1",
    "a IN (1,)",
    "a IN (b = c)",
    "a IN (NOT b)",
    "a LIKE b",
    "a LIKE 1",
    "a LIKE 0x48",
    "a LIKE 'x' = TRUE",
    "a LIKE 'x' ESCAPE",
    "a LIKE 'x' ESCAPE 'ab'",
    "a LIKE 'x' ESCAPE ''",
    "a LIKE 'x*' ESCAPE '*'",
    "a LIKE '_x*' ESCAPE '*'",
    "a LIKE '\n'",
    "a LIKE '_\x7f'",
    "a LIKE '!\r' ESCAPE '!'",
    "UTC",
    "UTC(1)",
    "UTC('x')",
    "utc()",
    "not sold",
    "True",
    "lower(kind)",
    "EXISTS",
    "date",
    "5. > 0",
    ".5 > 0",
    "5E2 > 0",
    "1.0E999 > 0",
    "1a = 1",
    "my.key = 1",
    "my$key",
    "$key",
    "_key",
    "a-p.to = 1",
    "m.x = 1",
    "message_annotations.x",
    "application-properties.x = 1",
    "header.durable",
    "h.ttl = 1",
    "properties.invalid",
    "p.",
    "[a\n]",
    "[a]]",
    "[a",
    "a = 0x",
    "a = 0x1",
    "a = 0x1a",
    "a = 'x",
    "a ! b",
    "a == b",
    "ニ = 1",
    "x" * 4097,
    "a IN (" + ",".join(map(str, range(100))) + ")",
]


def _lines(text: str) -> list[str]:
    return [line for line in text.strip("\n").split("\n") if line.strip()]


def test_expressions_are_true_false_or_unknown_as_rabbitmq_has_it() -> None:
    escaped = {r"\t": "\t", r"\f": "\f", r"\r": "\r", r"\n": "\n"}
    for written in _lines(_TRUE):
        text = written
        for name, character in escaped.items():
            text = text.replace(name, character)
        assert parse(text)(Facts()) is True, written
    for text in _lines(_NOT_TRUE):
        assert parse(text)(Facts()) is not True, text


def test_what_is_no_expression_is_refused() -> None:
    for text in _MALFORMED:
        with pytest.raises(Malformed):
            parse(text)
            pytest.fail(f"taken: {text}")


@pytest.mark.parametrize(
    "text",
    ["(" * 99 + "sold" + ")" * 99, "NOT " * 198 + "sold", "sold" + " OR sold" * 99],
    ids=["brackets", "NOT", "OR"],
)
def test_the_longest_expressions_do_not_need_a_deep_stack(text: str) -> None:
    assert parse(text)(Facts()) is True


_WORDS = st.sampled_from(
    [
        *("AND", "OR", "NOT", "LIKE", "IN", "IS", "NULL", "ESCAPE", "UTC", "TRUE", "FALSE"),
        *("(", ")", ",", "=", "<>", ">", "<=", "+", "-", "*", "/", "%"),
        *("1", "2.5", "'a'", "'%_'", "0x61", "kind", "stock", "absent", "h.priority", "[x]"),
    ]
)


@given(st.lists(_WORDS, max_size=14).map(" ".join) | st.text(max_size=30))
def test_any_text_is_an_expression_or_malformed(text: str) -> None:
    try:
        value = parse(text)(Facts())
    except Malformed:
        return
    assert value is None or isinstance(value, (bool, int, float, bytes))


# A stream that is asked by one.


@pytest.fixture
def stream(scene: Scene, client: Client) -> Client:
    """A message of 1.0 between two of 0-9-1."""
    scene.broker.declare_queue("s", durable=True, arguments={"x-queue-type": "stream"})
    scene.broker.publish("", "s", b"before", properties={"priority": 7})
    client.sender("/queues/s")
    properties = {"message_id": ULong(7), "subject": "new", "group_sequence": UInt(16)}
    properties |= {"creation_time": Timestamp(999), "user_id": b"guest"}
    application = {"kind": Symbol("book"), "n": Byte(-5), "sold": True, "none": None}
    payload = message.bare_message(properties, application, message.data_section(b"it"))
    client.transfer(payload=payload)
    scene.broker.publish("", "s", b"after", properties={"headers": {"kind": "film"}})
    return client


def _filter(text: Any, descriptor: Any = "amqp:sql-filter", key: str = "sql-filter") -> Any:
    name = Symbol(descriptor) if isinstance(descriptor, str) else descriptor
    return {Symbol(key): Described(name, text)}


def _read(client: Client, handle: int, filters: Any) -> tuple[Any, list[bytes]]:
    """The filters in force, and what comes of the whole stream."""
    spec = Symbol("rabbitmq:stream-offset-spec")
    source = {"filter": {spec: Described(spec, "first"), **filters}}
    came = client.receiver("/queues/s", handle=handle, credit=10, source=source)
    client.send("detach", handle=handle, closed=True)
    kept = came[0]["source"].get("filter")
    kept.pop(spec)
    return kept, bodies(came)


def test_a_stream_hands_out_what_an_sql_filter_takes(stream: Client) -> None:
    cases: list[tuple[str, list[bytes]]] = [
        ("kind = 'book' AND n < 0 AND sold", [b"it"]),
        ("kind IN ('book', 'film')", [b"it", b"after"]),
        ("p.message_id = 7 AND p.subject LIKE 'n%' AND p.group_sequence = 16", [b"it"]),
        ("p.user_id = 0x6775657374 AND p.creation_time < UTC()", [b"it"]),
        ("h.priority = 7", [b"before"]),
        ("h.priority = 4", [b"it", b"after"]),
        ("none IS NULL", [b"before", b"it", b"after"]),
        ("kind", []),
    ]
    for handle, (text, expected) in enumerate(cases, 1):
        descriptor = ULong(0x120) if handle % 2 else "amqp:sql-filter"
        filters = _filter(text, descriptor)
        assert _read(stream, handle, filters) == (filters, expected), text


def test_what_is_no_sql_filter_is_not_in_force(stream: Client) -> None:
    wrong = [
        _filter("kind ="),
        _filter(Symbol("kind = 'book'")),
        _filter("kind = 'book'", "amqp:unheard-of"),
        _filter("kind = 'book'", key="mine"),
    ]
    for handle, filters in enumerate(wrong, 1):
        assert _read(stream, handle, filters) == ({}, [b"before", b"it", b"after"])


def test_who_sends_a_wrong_expression_is_named_with_the_place(scene: Scene, stream: Client) -> None:
    _read(stream, 1, _filter("kind = lower(town)"))
    _read(stream, 2, _filter("kind = "))
    found = scene.emitted(Warned)
    assert [each.about for each in found] == [
        f"receiver 'r{number}' of queue 's' in vhost '/'" for number in (1, 2)
    ]
    reserved = "'lower' is reserved: write keywords in capitals, such a name in [ ]"
    assert [each.text for each in found] == [
        f"its SQL filter is not in force, it gets all messages: {why}"
        for why in (reserved, "the end is not expected there")
    ]


def test_of_sql_and_property_filters_the_last_one_is_in_force(stream: Client) -> None:
    by_sql = _filter("kind = 'book'")
    by_property = {Symbol("b"): Described(ULong(0x174), {"kind": "film"})}
    assert _read(stream, 1, by_sql | by_property) == (by_property, [b"after"])
    assert _read(stream, 2, by_property | by_sql) == (by_sql, [b"it"])


_ANY_TEXT = st.text("ab%_", max_size=8)


def like(pattern: str) -> operators.Test:
    return operators.like(pattern, None, operators.Looks())


@given(
    st.one_of(st.builds("{}_{}".format, _ANY_TEXT, _ANY_TEXT), _ANY_TEXT.map("%{}%".format)),
    st.text("ab\n", max_size=16),
)
@example("a_", "ab\n")
@example("%_%", "ab\n\n")
def test_like_is_the_expression_that_rabbitmq_makes_of_it(pattern: str, text: str) -> None:
    """It makes one of patterns with two wildcards at least, and of those with a `_`.

    Its `$` passes over the end of a last line (asked of Erlang's re).
    """
    wanted = "".join({"%": ".*?", "_": "."}.get(each, each) for each in pattern)
    matched = re.match(f"^{wanted}$", text) is not None
    assert like(pattern)(text.encode()) is matched


@pytest.mark.parametrize("run", ["%a" * 60 + "%b", f"%{'_' * 4000}b", f"%{'a_' * 2000}b"])
def test_like_tries_nothing_twice(monkeypatch: pytest.MonkeyPatch, run: str) -> None:
    """One expression would try each place of a text with each of what stands between two `%`."""
    monkeypatch.setattr(operators, "_MOST_LOOKS", 10_000)
    assert like(f"{run}%")(b"a" * 1_000_000 + b"b") is True
    assert like(f"{run}%")(b"a" * 1_000_000) is False


def test_like_gives_up_what_nearly_matches_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    nearly = b"a..b" * 100
    assert like("%a_b%")(nearly + b"a.b") is True
    monkeypatch.setattr(operators, "_MOST_LOOKS", 50)
    assert like("%a_b%")(nearly + b"a.b") is False


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("near LIKE '%a_b%a_b%a_b%'", False),
        ("near LIKE '%a_b%' AND near LIKE '%a_b%'", False),
        ("near LIKE '%a_b%'", True),
    ],
)
def test_like_gives_up_for_all_of_an_expression(
    monkeypatch: pytest.MonkeyPatch, expression: str, found: bool
) -> None:
    monkeypatch.setattr(operators, "_MOST_LOOKS", 100)
    monkeypatch.setitem(PROPERTIES, "near", (b"a..b" * 30 + b"a.b") * 3)
    evaluate = parse(expression)
    assert [evaluate(Facts()), evaluate(Facts())] == [found, found]
