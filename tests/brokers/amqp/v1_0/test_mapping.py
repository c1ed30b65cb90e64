"""Messages between 0-9-1 and 1.0, as RabbitMQ 4's page on conversions has it (mc_amqpl)."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.amqp.records import Field
from mockforge_brokers.amqp.v1_0 import mapping
from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.amqp.v1_0.wire.values import (
    Array,
    Int,
    Long,
    Opaque,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
)
from mockforge_brokers.amqp.wire import content as contents

from ..client import Scene
from .client import Client

UUID_1 = UUID("3d05b8f4-8d2a-4a2b-b1b5-6d8a4d2a9c11")


def _to_old(scene: Scene, payload: bytes) -> Any:
    """What a client of 0-9-1 gets of a message of 1.0."""
    scene.broker.declare_queue("q")
    client = Client(scene).connect()
    client.sender("/queues/q")
    client.transfer(payload=payload)
    return scene.client().send("basic.get", queue="q", no_ack=True)[0]


def _to_new(scene: Scene, body: bytes = b"x", **properties: Any) -> message.Sections:
    """What a client of 1.0 gets of a message of 0-9-1."""
    scene.broker.declare_queue("q")
    scene.client().publish("", "q", body, **properties)
    sections = Client(scene).connect().receiver("/queues/q", credit=1)[-1].sections
    assert sections is not None
    return sections


def test_properties_and_headers_become_those_of_0_9_1(scene: Scene) -> None:
    payload = (
        message.header(durable=True, priority=UByte(4), ttl=60_000)
        + message.annotations(
            {Symbol("x-opt"): "o", Symbol("other"): "no", Symbol("x-basic-type"): "t"}
        )
        + message.bare_message(
            {
                "message_id": "m",
                "user_id": b"guest",
                "reply_to": "/queues/a%2Fb",
                "correlation_id": UUID_1,
                "content_type": "text/plain",
                "content_encoding": "gzip",
                "creation_time": 5_000,
                "group_id": "app",
            },
            {"i": Int(1), "l": Long(2), "flag": True, "none": None, "at": Timestamp(7_000)},
            message.data_section(b"one") + message.data_section(b"two"),
        )
    )
    got = _to_old(scene, payload)
    assert got.body == b"onetwo"
    headers = got.properties.pop("headers")
    assert headers == {
        "i": Field("I", 1),
        "l": Field("l", 2),
        "flag": Field("t", True),
        "none": Field("V", None),
        "at": Field("T", 7),
        "x-opt": Field("S", "o"),
    }
    assert got.properties == {
        "content_type": "text/plain",
        "content_encoding": "gzip",
        "delivery_mode": 2,
        "priority": 4,
        "correlation_id": f"urn:uuid:{UUID_1}",
        "reply_to": "a/b",
        "expiration": "60000",
        "message_id": "m",
        "timestamp": 5,
        "type": "t",
        "user_id": "guest",
        "app_id": "app",
    }


@pytest.mark.parametrize(
    ("identity", "text", "header"),
    [
        (ULong(2**63), str(2**63), None),
        (b"\x00\xff", None, Field("x", b"\x00\xff")),
        ("x" * 300, None, Field("S", "x" * 300)),
    ],
)
def test_ids_that_are_no_short_string_go_to_a_header(
    scene: Scene, identity: Any, text: str | None, header: Field | None
) -> None:
    got = _to_old(
        scene, message.bare_message({"message_id": identity}, {}, message.data_section(b""))
    )
    assert got.properties.get("message_id") == text
    assert got.properties.get("headers", {}).get("x-message-id") == header


def test_a_body_of_values_stays_encoded_and_says_so(scene: Scene) -> None:
    body = message.value_section({"k": [Int(1)]})
    got = _to_old(scene, body)
    assert (got.body, got.properties["type"]) == (body, "amqp-1.0")


def test_routing_annotations_are_more_routing_keys(scene: Scene) -> None:
    for name in ("a", "b"):
        scene.broker.declare_queue(name)
    client = Client(scene).connect()
    client.sender("/queues/a")
    client.transfer(
        payload=message.annotations({Symbol("x-cc"): ["b"]}) + message.data_section(b"x")
    )
    assert len(scene.broker.vhost().queues["b"].messages) == 1


def test_a_message_of_0_9_1_becomes_sections(scene: Scene) -> None:
    sections = _to_new(
        scene,
        b"x",
        headers={"a": 1, "x-k": "v", "list": [1], "s": "t"},
        delivery_mode=2,
        priority=3,
        expiration="60000",
        message_id=f"urn:uuid:{UUID_1}",
        correlation_id="c",
        reply_to="a/b",
        content_type="text/plain",
        timestamp=5,
        type="kind",
        app_id="app",
        user_id="guest",
    )
    assert sections.header == {
        "durable": True,
        "priority": 3,
        "ttl": 60_000,
        "first_acquirer": True,
        "delivery_count": 0,
    }
    assert sections.annotations == {
        Symbol("x-exchange"): "",
        Symbol("x-routing-key"): "q",
        Symbol("x-k"): "v",
        Symbol("x-basic-type"): "kind",
    }
    assert sections.properties == {
        "message_id": UUID_1,
        "user_id": b"guest",
        "reply_to": "/queues/a%2Fb",
        "correlation_id": "c",
        "content_type": "text/plain",
        "creation_time": 5_000,
        "group_id": "app",
    }
    assert sections.application == {"a": 1, "s": "t"}
    assert sections.body == b"x"


def test_the_bare_message_passes_untouched(scene: Scene) -> None:
    """Whoever signed it can check it: part 3.2 of the specification."""
    scene.broker.declare_queue("q")
    bare = message.bare_message(
        {"message_id": b"raw", "group_sequence": UInt(7)},
        {"o": Opaque(0x74, b"1234"), "u": UByte(1)},
        message.data_section(b"a") + message.data_section(b"b"),
    )
    footer = b"\x00\x53\x78" + b"\xc1\x04\x02\xa3\x00\x40"
    client = Client(scene).connect()
    client.sender("/queues/q")
    client.transfer(payload=message.annotations({Symbol("x-mine"): "1"}) + bare + footer)
    sections = client.receiver("/queues/q", credit=1)[-1].sections
    assert sections is not None
    assert sections.bare == bare + footer
    assert sections.annotations[Symbol("x-mine")] == "1"


def test_deaths_are_annotations(scene: Scene) -> None:
    scene.broker.declare_queue("dead")
    scene.broker.declare_queue(
        "work", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    )
    client = Client(scene).connect()
    client.sender("/queues/work")
    client.transfer(b"x")
    client.receiver("/queues/work", credit=1)
    client.settle(0, "rejected")
    sections = client.receiver("/queues/dead", handle=2, credit=1)[-1].sections
    assert sections is not None
    deaths = sections.annotations[Symbol("x-opt-deaths")]
    assert isinstance(deaths, Array)
    (death,) = deaths.items
    assert (death["queue"], death["reason"], death["count"]) == ("work", "rejected", 1)
    assert sections.annotations[Symbol("x-first-death-queue")] == "work"
    assert sections.header["first_acquirer"] is False


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([Int(1), "x"], Field("A", (Field("I", 1), Field("S", "x")))),
        ({Symbol("k"): b"v"}, Field("F", {"k": Field("S", "v")})),
        (Opaque(0x74, b"1234"), None),
        (ULong(2**64 - 1), Field("l", -1)),
    ],
)
def test_values_as_fields(value: Any, field: Field | None) -> None:
    assert mapping.to_field(value) == field


HOSTILE = [
    {"headers": {"x-death": [1, "two"]}},
    {"headers": {"x-death": [{"queue": "q"}]}},
    {"headers": {"x-death": "none"}},
    {"headers": {"x-delivery-count": "often"}},
    {"headers": {"x-delivery-count": -1}},
    {"headers": {"x-delivery-count": 2**40}},
    {"headers": {"x-message-id": [1]}},
    {"headers": {"x-correlation-id": True}},
    {"headers": {"h": Field("T", 2**64 - 1)}},
    {"headers": {"h": Field("S", b"\xff")}},
    {"headers": {"\udcff": 1}},
    {"timestamp": 2**64 - 1},
    {"message_id": "\udcff", "correlation_id": "urn:uuid:" + "-" * 36},
    {"content_type": "\u00e9", "type": "\udcff", "app_id": "\udcff"},
]


@pytest.mark.parametrize("properties", HOSTILE, ids=str)
def test_any_message_of_0_9_1_reaches_a_client_of_1_0(
    scene: Scene, properties: dict[str, Any]
) -> None:
    assert _to_new(scene, b"whole", **properties).body == b"whole"


_NUMBERS = st.integers(-(2**31), 2**31 - 1)
_TEXT = st.one_of(st.text(max_size=8), st.binary(max_size=4))
_SCALAR = st.one_of(
    _NUMBERS.map(lambda value: Field("I", value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: Field("l", value)),
    st.integers(0, 2**64 - 1).map(lambda value: Field("T", value)),
    st.booleans().map(lambda value: Field("t", value)),
    st.floats(width=32).map(lambda value: Field("f", value)),
    st.floats().map(lambda value: Field("d", value)),
    st.builds(Field, st.just("D"), st.decimals(-9, 9, places=2)),
    st.builds(Field, st.sampled_from("Sx"), st.binary(max_size=5)),
    st.text(max_size=5).map(lambda value: Field("S", value)),
    st.just(Field("V", None)),
)
_NAMES = st.sampled_from(
    ("x-death", "x-delivery-count", "x-message-id", "x-correlation-id", "CC", "x-other", "other")
)
_DEATH_NAMES = st.sampled_from(
    ("queue", "reason", "count", "time", "exchange", "routing-keys", "original-expiration")
)
_FIELDS = st.recursive(
    _SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: Field("A", tuple(items))),
        st.dictionaries(_DEATH_NAMES, inner, max_size=7).map(lambda table: Field("F", table)),
    ),
    max_leaves=12,
)


@given(st.dictionaries(_NAMES, _FIELDS, max_size=4))
def test_any_headers_make_sections_that_can_be_read(headers: dict[str, Field]) -> None:
    made = contents.make_content(1, b"x", {"headers": headers}, 0)
    assert message.read(mapping.from_content(made, "e", "k", redelivered=False)).body == b"x"
