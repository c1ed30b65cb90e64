"""The filter language: what matches, what is refused where, what may come next."""

from time import thread_time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mockforge_brokers.journal import Origin, Row

from mockforge_tui.filters import (
    MESSAGES,
    FilterError,
    compile_filter,
    complete_filter,
    conditions,
    quote,
    records,
    reduced,
)
from mockforge_tui.filters.patterns import regex_reach

BODY = b'{"id": 1849, "status": "pending", "ok": true, "lines": [{"sku": "SKU-41"}], "x": null}'

KAFKA = Row(
    "kafka",
    0,
    "Produce",
    connection=7,
    client="order-svc",
    kind="message",
    destination="orders.created",
    key=b"o-1849",
    payload=BODY,
    size=2048,
    headers=(("Trace", b"abc"), ("n", "5")),
    detail={"partition": 2, "offset": 118, "code": 6},
    error="NOT_LEADER_OR_FOLLOWER",
    seq=12,
    time=1000.0,
    marked=True,
    origin=Origin("alice", "10.1.2.3:50871", ("tls", "kafka-tls", "9093")),
)
MQTT = Row(
    "mqtt",
    1,
    "PUBLISH",
    connection=8,
    client="dev-7",
    kind="message",
    destination="sensors/room1/temp",
    payload=b"21.5\xff\x00",
    size=6,
    detail={"qos": 1, "retain": True, "properties": {"content_type": "text/plain"}},
    seq=13,
    time=1009.0,
    held=4,
    origin=Origin("", "[2001:db8::7]:51000", ("ws", "mqtt-ws", "8083")),
)
AMQP = Row(
    "amqp",
    0,
    "basic.publish",
    connection=9,
    client="web",
    destination="amq.topic",
    detail={"routing_key": "order.paid", "redelivered": False, "channel": 2},
    seq=14,
    time=1010.0,
    origin=Origin("bob", "192.0.2.9:40871", ("plain", "amqp", "5672"), "staging/eu"),
)

MATCHES: list[tuple[str, str | None]] = [
    ("proto:kafka", "K"),
    ("proto:k", "K"),
    ("PROTO:KAFKA", "K"),
    ("proto!=kafka", "MA"),
    ("not proto:kafka", "MA"),
    ("-proto:kafka", "MA"),
    ("!proto:kafka", "MA"),
    ("not not proto:kafka", "K"),
    ("proto:kafka or proto:amqp", "KA"),
    ("proto:kafka proto:amqp", ""),
    ("proto:kafka and proto:kafka", "K"),
    ("(proto:kafka or proto:amqp) -client:web", "K"),
    ("proto:mqtt or proto:kafka size>1k", "KM"),
    ("dir:in", "KA"),
    ("op:produce", "K"),
    ("op:basic.*", "A"),
    ("api:Produce", "K"),
    ("conn:7", "K"),
    ("conn:c7", "K"),
    ("conn>=8", "MA"),
    ("client:*-*", "KM"),
    ("client:dev-?", "M"),
    ("client=dev-*", ""),
    ('client:"dev-*"', ""),
    ("client^=dev", "M"),
    ("client~^dev-[0-9]+$", "M"),
    ("topic:orders.*", "K"),
    ("topic:*created", "K"),
    ("topic:*ers.cre*", "K"),
    ("topic:o*s.c*d", "K"),
    ("topic:*", "KMA"),
    ("topic:sensors/+/temp", "M"),
    ("topic:sensors/#", "M"),
    ("topic:sensors/room1/temp/#", "M"),
    ("topic:sensors/+", ""),
    ("topic:sensors/r*/+", "M"),
    ("topic:#", "KMA"),
    ("queue:amq.topic", "A"),
    ("rkey:order.*", "A"),
    ("vhost:staging/eu", "A"),
    ("vhost:staging/*", "A"),
    ("vhost:staging", ""),
    ("proto:amqp vhost!=/ channel:2", "A"),
    ("channel>2", ""),
    ("proto:mqtt channel:2", None),
    ("partition:2", "K"),
    ("partition!=2", "MA"),
    ("offset>100 offset<=118", "K"),
    ("offset>118", ""),
    ("size>1k", "K"),
    ("size<=6", "MA"),
    ("code:NOT_LEADER*", "K"),
    ("op:publish", "MA"),
    ("op~^PUB", "M"),
    ("op~^Prod", "K"),
    ("op=publish", "M"),
    ("rkey:order.paid queue:amq.topic", "A"),
    ("qos:1", "M"),
    ("retain:true", "M"),
    ("retain:false", "KA"),
    ("redelivered:no", "KMA"),
    ("key:o-1849", "K"),
    ("key:o-*", "K"),
    ("key~18", "K"),
    ("body~pend(ing)?", "K"),
    ('body~"\\"status\\": *\\"pend"', "K"),
    ("body:*pending*", "K"),
    ("body^=21", "M"),
    ("code:6", "K"),
    ("code:NOT_LEADER_OR_FOLLOWER", "K"),
    ("code!=6", "MA"),
    ("error:NOT_LEADER*", "K"),
    ("has:error", "K"),
    ("has:key", "K"),
    ("has!=key", "MA"),
    ("has:header", "K"),
    ("has:held", "M"),
    ("@held", "M"),
    ("@marked", "K"),
    ("@error", "K"),
    ("header.trace:abc", "K"),
    ("header.TRACE:a*", "K"),
    ("header.n>4", "K"),
    ("prop.content-type:text/plain", "M"),
    ("json.status:pending", "K"),
    ("json.id:1849", "K"),
    ("json.id>1k", "K"),
    ("json.ok:true", "K"),
    ("json.x:null", "KMA"),
    ("json.lines[0].sku:SKU-*", "K"),
    ("json.lines.sku:SKU-41", "K"),
    ("json.lines[7].sku:SKU-41", ""),
    ("json.status.deeper:x", ""),
    ("pending", "K"),
    ("PENDING", ""),
    ("dev-7", "M"),
    ("basic", "A"),
    ('"status\\": \\"pend', None),
    ('"room1/t"', "M"),
    ("#12", "K"),
    ("#12..13", "KM"),
    ("#13..", "MA"),
    ("age<5s", "MA"),
    ("age>5s", "K"),
    ("kind:message", "KM"),
    ("user:alice", "K"),
    ("user:a*", "K"),
    ("user!=alice", "MA"),
    ("address:10.0.0.0/8", "K"),
    ("address:10.1.2.3/32", "K"),
    ("address:10.1.2.4/32", ""),
    ("address:2001:db8::/32", "M"),
    ("address:2001:db8::7", "M"),
    ("address:10.1.2.3", "K"),
    ("address:10.1.2.3:50871", "K"),
    ("address:10.1.2.3:1", ""),
    ("address:10.1.*", "K"),
    ("address!=10.0.0.0/8", "MA"),
    ("address~:5[01]", "KM"),
    ("listener:ws", "M"),
    ("listener:mqtt-ws", "M"),
    ("listener:8083", "M"),
    ("listener:*tls", "K"),
    ("", "KMA"),
    ("   ", "KMA"),
]


@pytest.mark.parametrize(("text", "expected"), MATCHES)
def test_what_matches(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(FilterError):
            compile_filter(text)
        return
    found = compile_filter(text, wall=lambda: 1011.0)
    rows = {"K": KAFKA, "M": MQTT, "A": AMQP}
    assert "".join(letter for letter, row in rows.items() if found(row)) == expected


REFUSED: list[tuple[str, str | None, str]] = [
    ("foo:bar", "foo", "no field foo"),
    ("topik:a", "topik", "did you mean topic?"),
    ("http://x", "http", "write it in"),
    ("proto:kafak", "kafak", "proto is kafka, mqtt or amqp"),
    ("proto:mqtt partition:2", "partition", "partition is a field of kafka"),
    ("(proto:amqp qos:1) or x", "qos", "qos is a field of mqtt"),
    ("proto:mqtt (size>1 or offset>1)", "offset", "offset is a field of kafka"),
    ("size>abc", "abc", "is not a size"),
    ("age>fast", "fast", "is not a duration"),
    ("age:5s", "age:5s", "age takes > < >= <="),
    ("topic>3", "topic>3", "topic takes : = != ~ ^="),
    ("conn:x", "x", "is not a number"),
    ("address:10.0.0.0/33", "10.0.0.0/33", "does not appear to be an IPv4 or IPv6 network"),
    ("address>3", "address>3", "address takes : = != ~ ^="),
    ("retain:maybe", "maybe", "retain is true or false"),
    ("has:x", "x", "has: takes error"),
    ("@foo", "@foo", "no flag @foo"),
    ("@", "@", "a flag's name is missing"),
    ("header:a", "header", "header needs a name"),
    ("json.a[b]:1", "json.a[b]", "is not a path"),
    ("json.a..b:1", "json.a..b", "is not a path"),
    ("proto:", "proto:", "proto: has no value"),
    ("(proto:kafka", "(", "this ( has no )"),
    ("proto:kafka)", ")", "a ) without its ("),
    ("or proto:kafka", "or", "a term is missing"),
    ("proto:kafka or", "", "a term is missing"),
    ("a or or b", "or", "a term is missing"),
    ("not", "", "a term is missing"),
    ("()", "", "a term is missing"),
    ('"abc', '"', "this quote is not closed"),
    ('""', '""', "an empty phrase"),
    ("#5..3", "#5..3", "ends before it begins"),
    ("body~a**", "a**", "not a regular expression"),
    ('body~"(a+)+"', '"(a+)+"', "a repeat within a repeat"),
    ("client~(a|b.)*", "(a|b.)*", "within a repeat"),
]


@pytest.mark.parametrize(("text", "blamed", "message"), REFUSED)
def test_what_is_refused_and_where(text: str, blamed: str | None, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text)
    assert message in caught.value.text
    if blamed is not None:
        assert text[caught.value.start : caught.value.end] == blamed or not blamed


def test_fields_of_messages_do_not_apply_to_other_tables() -> None:
    subject = records("connections", ["client", "in"])
    row = {"client": "dev-7", "in": 12}
    assert compile_filter("client:dev-* in>10", subject)(row)
    assert compile_filter("dev", subject)(row)
    assert not compile_filter("in<10", subject)(row)
    with pytest.raises(FilterError, match="partition does not apply to connections"):
        compile_filter("partition:1", subject)


def test_cheap_terms_run_first() -> None:
    class Payload:
        """A row whose payload must not be read."""

        protocol = "mqtt"

        @property
        def payload(self) -> bytes:
            raise AssertionError("read")

    assert not compile_filter("json.a:1 body~x proto:kafka")(Payload())


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a*)*b",
        "(a|aa)+",
        "(a?){30}a{30}",
        "a?" * 30 + "a" * 30,
        "(.*)*",
        "((ab)*c*)*",
        "(?:x+x+)+y",
        "x" * 2000,
        "[",
    ],
)
def test_runaway_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        regex_reach(pattern)


@pytest.mark.parametrize(
    ("pattern", "reach"),
    [
        ("err(or)?", 65_536),
        ('"status":\\s*"(a|b)"', 65_536),
        ('"[^"]*"', 65_536),
        ("a.*b", 16_384),
        ("a.*b.*c", 1_024),
        ("a.*b.*c.*d", 256),
        ("(abc){2}", 65_536),
        ("[0-9]{3}", 65_536),
        ("(?:GET|PUT) /", 65_536),
        (r"(a*)\1b", 1_024),
    ],
)
def test_a_pattern_sees_the_less_the_more_it_may_try(pattern: str, reach: int) -> None:
    assert regex_reach(pattern) == reach


@pytest.mark.parametrize("pattern", ["a.*b", "a.*b.*c", "a.*b.*c.*d", "\\w+@\\w+", '"[^"]*"', "z"])
@pytest.mark.parametrize("body", [b"a" * 70_000, b"ab" * 35_000, b'"' * 70_000])
def test_no_allowed_pattern_holds_the_brokers_up_for_long(pattern: str, body: bytes) -> None:
    quoted = pattern.replace('"', '\\"')
    found = compile_filter(f'body~"{quoted}"')
    # The worst of these takes half a second; with a runaway pattern it takes hours, and is stopped.
    before = thread_time()
    found(Row("kafka", 0, "Produce", payload=body))
    assert thread_time() - before < 5


def test_a_filter_says_what_it_does_not_look_at() -> None:
    assert compile_filter("body~a.*b").notes == ("body~ looks at the first 16384 bytes",)
    assert compile_filter("body~ab").notes == ()


def test_too_long_or_too_deep_is_an_error() -> None:
    for text in ("x" * 5000, "(" * 60 + "x" + ")" * 60):
        with pytest.raises(FilterError):
            compile_filter(text)


# Completion -----------------------------------------------------------------------------------


def suggested(text: str) -> list[str]:
    return [
        text[: each.start] + each.text + text[each.end :]
        for each in complete_filter(text, values=lambda field: [("order svc", "9"), ("web", "2")])
    ]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("pa", "partition:"),
        ("proto:kafka pa", "proto:kafka partition:"),
        ("(pro", "(proto:"),
        ("-cl", "-client:"),
        ("proto:k", "proto:kafka"),
        ("has:h", "has:header"),
        ("@h", "@held"),
        ("client:o", 'client:"order svc"'),
        ("client:w", "client:web"),
        ("json", "json."),
        ("proto:kafka n", "proto:kafka not "),
    ],
)
def test_completion(text: str, first: str) -> None:
    assert suggested(text)[0] == first


def test_every_suggested_field_is_known() -> None:
    for each in complete_filter(""):
        name = each.text.removesuffix(":")
        assert name == "has" or each.text.endswith(".") or MESSAGES.find(name) is not None


# Whatever is typed ----------------------------------------------------------------------------

typed = st.text(alphabet='abk:~=<>^!-()"@# .*?+[]{}\\/1_|or', max_size=30) | st.lists(
    st.sampled_from([text for text, _ in MATCHES] + [text for text, _, _ in REFUSED]), max_size=4
).map(" ".join)


@given(typed)
@example("(((")
@example('body~"')
@example("#99999999999999999999..")
@example("size>9e999")
@example("conn:1e400")
@example("json.a[99999999999999]:1")
def test_any_text_compiles_or_is_refused_in_its_bounds(text: str) -> None:
    refused = None
    try:
        found = compile_filter(text)
    except FilterError as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.start <= refused.end <= len(text)
        return
    for row in (KAFKA, MQTT, AMQP):
        assert found(row) in (True, False)


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.binary(max_size=5), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
FILTERS = [compile_filter(text) for text, expected in MATCHES if expected is not None]
DETAILS = ("partition", "offset", "group", "qos", "retain", "routing_key", "redelivered", "queue",
           "properties", "reply_code", "error_code", "reason", "code")  # fmt: skip


@given(st.dictionaries(st.sampled_from(DETAILS), ANYTHING), st.binary(max_size=40))
@example({}, b'{"status": [1, {"sku": null}], "lines": {"0": 1}, "id": "1849", "ok": {}}')
@example({"properties": 5}, b"[1, 2]")
def test_no_filter_fails_whatever_a_row_holds(detail: dict[str, Any], payload: bytes) -> None:
    row = Row("kafka", 0, "x", payload=payload, headers=(("n", detail.get("qos")),), detail=detail)
    for found in FILTERS:
        assert found(row) in (True, False)


@given(typed, st.integers(0, 30))
def test_completion_never_fails(text: str, cursor: int) -> None:
    cursor = min(cursor, len(text))
    for each in complete_filter(text, cursor):
        assert 0 <= each.start <= each.end <= cursor


@given(st.text(max_size=20))
def test_any_text_can_be_searched_for(text: str) -> None:
    row = Row("mqtt", 0, "PUBLISH", destination="x", payload=f"<{text}>".encode())
    quoted = text.replace('"', '\\"')
    if text.strip() and "\\" not in text:
        assert compile_filter(f'"{quoted}"')(row) or text != text.lower() or not text.isascii()


@pytest.mark.parametrize("name", ["a\\", 'a"b', '\\"', "\\\\", "\\d+", "x y", "it's", "a\\ b\\"])
def test_a_quoted_value_means_exactly_itself(name: str) -> None:
    found = compile_filter(f"client:{quote(name)} proto:mqtt")
    assert found(Row("mqtt", 0, "PUBLISH", client=name))
    assert not found(Row("mqtt", 0, "PUBLISH", client=f"{name}x"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("client:a topic:t", {"a": True, "b": False}),
        ("topic:t", None),
        ("", None),
        ("(client:a or client:b) op:PUBLISH", {"a": True, "b": True, "c": False}),
        ("(client:a or topic:t)", None),
        ("client:a or client:b", {"a": True, "c": False}),
        ("-client:a size>3", {"a": False, "b": True}),
        ("proto:mqtt client:a*", {"a1": True, "b": False}),
        ("proto:kafka", {"a": False}),
    ],
)
def test_what_a_filter_says_of_connections_alone(text: str, says: dict[str, bool] | None) -> None:
    origin = reduced(conditions(text), frozenset(("proto", "conn", "client")))
    if says is None:
        assert origin is None
    else:
        assert origin is not None
        rows = {name: Row("mqtt", 0, "", client=name) for name in says}
        assert {name: origin(row) for name, row in rows.items()} == says


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("", True),
        ("client:a", True),
        ("client:a (proto:mqtt or -conn:3)", True),
        ("client:a size>3", False),
        ("-(client:a or size>3)", False),
        ("lost", False),
    ],
)
def test_whether_a_filter_is_about_connections_alone(text: str, alone: bool) -> None:
    origin = {"proto", "conn", "client"}
    fields = [each.fields for each in conditions(text)]
    assert all(each is not None and each <= origin for each in fields) == alone


def test_a_filter_is_taken_apart_into_its_conditions() -> None:
    found = conditions("client:a -topic:t (size>3 or size<1)")
    assert [each.text.strip() for each in found] == ["client:a", "-topic:t", "size>3 or size<1"]
    row = Row("mqtt", 0, "", client="a", destination="t", size=2)
    assert [each(row) for each in found] == [True, False, False]
