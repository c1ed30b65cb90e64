"""Property filters of streams, as RabbitMQ 4 reads them (rabbit_amqp_filter_prop)."""

from typing import Any
from uuid import UUID

import pytest
from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.amqp.v1_0.wire.values import (
    Byte,
    Described,
    Float,
    Symbol,
    Timestamp,
    UInt,
    ULong,
)

from ..client import Scene
from .client import Client, bodies

_PROPERTIES = "amqp:properties-filter"
_APPLICATION = "amqp:application-properties-filter"
_IDENTITY = UUID("11111111-2222-3333-4444-555555555555")

PROPERTIES = {
    "message_id": ULong(7),
    "user_id": b"guest",
    "to": "/queues/q",
    "subject": "&order.new",
    "reply_to": "back",
    "correlation_id": _IDENTITY,
    "content_type": "text/plain",
    "content_encoding": "gzip",
    "absolute_expiry_time": Timestamp(1_000),
    "creation_time": Timestamp(999),
    "group_id": "group-1",
    "group_sequence": UInt(16),
    "reply_to_group_id": "other",
}
APPLICATION = {
    "k": "value",
    "n": Byte(-5),
    "f": Float(0.5),
    "yes": True,
    "none": None,
    "id": _IDENTITY,
}
"""A message that the filters below are asked about."""

_PROPERTY_CASES: list[tuple[dict[str, Any], bool]] = [
    ({"message-id": ULong(7)}, True),
    ({"message-id": "7"}, False),
    ({"user-id": b"guest"}, True),
    ({"user-id": b"other"}, False),
    ({"to": "&p:/queues/"}, True),
    ({"to": "&s:/q"}, True),
    ({"subject": "&&order.new"}, True),
    ({"subject": "&&order"}, False),
    ({"subject": "&p:&order"}, True),
    ({"reply-to": "back"}, True),
    ({"correlation-id": _IDENTITY}, True),
    ({"correlation-id": _IDENTITY.bytes}, True),
    ({"content-type": Symbol("text/plain")}, True),
    ({"content-encoding": Symbol("zip")}, False),
    ({"absolute-expiry-time": Timestamp(1_000)}, True),
    ({"creation-time": Timestamp(1_000)}, False),
    ({"group-id": "&s:-1"}, True),
    ({"group-id": "&p:-1"}, False),
    ({"group-sequence": UInt(16)}, True),
    ({"reply-to-group-id": "other"}, True),
    ({"subject": "&s:new", "group-id": "group-1"}, True),
    ({"subject": "&s:new", "group-id": "group-2"}, False),
]
_APPLICATION_CASES: list[tuple[dict[str, Any], bool]] = [
    ({"k": "value"}, True),
    ({"k": Symbol("value")}, True),
    ({"k": b"value"}, True),
    ({"k": "&p:val"}, True),
    ({"k": "&s:lue"}, True),
    ({"k": "other"}, False),
    ({"k": None}, True),
    ({"none": "x"}, False),
    ({"absent": None}, False),
    ({"n": ULong(5)}, False),
    ({"n": -5.0}, True),
    ({"n": "&p:5"}, False),
    ({"f": 0.5}, True),
    ({"yes": True}, True),
    ({"yes": 1}, False),
    ({"id": _IDENTITY}, True),
]
_MALFORMED: list[tuple[str, Any]] = [
    (_PROPERTIES, {}),
    (_PROPERTIES, {"subject": Symbol("s")}),
    (_PROPERTIES, {"subject": "&x:s"}),
    (_PROPERTIES, {"content-type": "text/plain"}),
    (_PROPERTIES, {"no-such": "s"}),
    (_APPLICATION, {"k": "&"}),
    (_APPLICATION, {Symbol("k"): "v"}),
    (_APPLICATION, {f"k{number}": "v" for number in range(17)}),
    (_APPLICATION, "k"),
    ("amqp:unheard-of", {"k": "v"}),
]


@pytest.fixture
def stream(scene: Scene, client: Client) -> Client:
    """With that message in it, between two of 0-9-1."""
    scene.broker.declare_queue("s", durable=True, arguments={"x-queue-type": "stream"})
    scene.broker.publish("", "s", b"before")
    client.sender("/queues/s")
    client.transfer(
        payload=message.bare_message(PROPERTIES, APPLICATION, message.data_section(b"it"))
    )
    scene.broker.publish(
        "", "s", b"after", properties={"message_id": "&m", "headers": {"c": "classic"}}
    )
    return client


def _filter(name: str, fields: Any) -> dict[Symbol, Described]:
    if name == _PROPERTIES and isinstance(fields, dict):
        fields = {Symbol(key): value for key, value in fields.items()}
    return {Symbol("mine"): Described(Symbol(name), fields)}


def _read(client: Client, handle: int, filters: dict[Symbol, Any]) -> tuple[Any, list[bytes]]:
    """The filters in force, and what comes of the whole stream."""
    spec = Symbol("rabbitmq:stream-offset-spec")
    source = {"filter": {spec: Described(spec, "first"), **filters}}
    came = client.receiver("/queues/s", handle=handle, credit=10, source=source)
    client.send("detach", handle=handle, closed=True)
    kept = came[0]["source"].get("filter")
    kept.pop(spec)
    return kept, bodies(came)


def test_a_stream_hands_out_what_its_filter_says(stream: Client) -> None:
    for name, cases in ((_PROPERTIES, _PROPERTY_CASES), (_APPLICATION, _APPLICATION_CASES)):
        for handle, (fields, passes) in enumerate(cases, 1):
            filters = _filter(name, fields)
            kept, found = _read(stream, handle, filters)
            assert kept == filters
            assert found == [b"it"] * passes, fields


def test_what_is_no_expression_is_not_in_force(stream: Client) -> None:
    for handle, (name, fields) in enumerate(_MALFORMED, 1):
        assert _read(stream, handle, _filter(name, fields)) == ({}, [b"before", b"it", b"after"])


def test_descriptors_may_be_codes_and_both_sections_count(stream: Client) -> None:
    both = {
        Symbol("a"): Described(ULong(0x173), {Symbol("subject"): "&s:new"}),
        Symbol("b"): Described(ULong(0x174), {"k": "&p:v"}),
    }
    assert _read(stream, 1, both) == (both, [b"it"])


def test_of_two_filters_of_a_section_the_last_one_is_in_force(stream: Client) -> None:
    first = Described(Symbol(_APPLICATION), {"k": "other"})
    last = Described(Symbol(_APPLICATION), {"k": "value"})
    kept, found = _read(stream, 1, {Symbol("a"): first, Symbol("b"): last})
    assert (kept, found) == ({Symbol("b"): last}, [b"it"])


def test_messages_of_0_9_1_are_asked_by_their_properties_and_headers(stream: Client) -> None:
    for handle, (name, fields) in enumerate(
        [(_APPLICATION, {"c": "classic"}), (_PROPERTIES, {"message-id": "&&m"})], 1
    ):
        assert _read(stream, handle, _filter(name, fields))[1] == [b"after"]


def test_a_stream_filter_without_a_descriptor_is_known_by_its_name(stream: Client) -> None:
    source = {"filter": {Symbol("rabbitmq:stream-offset-spec"): "last"}}
    came = stream.receiver("/queues/s", credit=10, source=source)
    assert bodies(came) == [b"after"]


@pytest.mark.parametrize("descriptor", [[1], {"a": 1}, "text", None, Described(Symbol("a"), [1])])
def test_a_filter_with_any_descriptor_is_not_in_force(stream: Client, descriptor: Any) -> None:
    asked = {Symbol("odd"): Described(descriptor, "x"), "sql-filter": Described(descriptor, "x")}
    (attach,) = stream.receiver("/queues/s", handle=9, source={"filter": asked})
    assert not attach["source"].get("filter")
