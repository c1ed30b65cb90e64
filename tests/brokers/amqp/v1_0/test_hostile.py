"""Whatever a client of AMQP 1.0 makes of its fields and messages, it ends no one but itself."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mockforge_brokers.amqp.v1_0.rows import Names, read_rows
from mockforge_brokers.amqp.v1_0.wire import performatives, values
from mockforge_brokers.amqp.v1_0.wire.frames import frame
from mockforge_brokers.amqp.v1_0.wire.values import (
    Array,
    Char,
    Described,
    Float,
    Long,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
)
from mockforge_brokers.journal import IN

from ..client import Scene
from .client import Client

_LEAVES = st.sampled_from(
    (
        *(None, True, False, "text", "", b"raw", Symbol("symbol"), Char("x"), Array(0xA1, ("a",))),
        *(UInt(0), UInt(1), UInt(2**32 - 1), ULong(0), ULong(3), ULong(2**64 - 1), UByte(255)),
        *(Short(-3), Long(-1), Timestamp(-5), Timestamp(2**63 - 1), float("nan"), Float(1e10)),
    )
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from((Symbol("k"), "s", 1)), inner, max_size=2),
        st.builds(Described, inner, inner),
    ),
    max_leaves=6,
)
_SHAPES = st.sampled_from(
    [performatives.SHAPES[name] for name in ("attach", "flow", "transfer", "disposition", "detach")]
)
_NAMES = st.sampled_from(
    ("x-cc", "CC", "x-death", "x-delivery-count", "x-basic-type", "x-message-id", "other")
)
_TABLES = st.dictionaries(st.one_of(_NAMES, _NAMES.map(Symbol)), _VALUES, min_size=1, max_size=3)
_SYMBOLS = ("amqp:header:map", "amqp:properties:map", "amqp:data:list", "amqp:header:list")


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A performative of any values, most of them in their place."""
    shape = draw(_SHAPES)
    items = [
        draw(st.one_of(_VALUES, st.sampled_from((UInt(0), UInt(1), True, False, "s", UByte(0)))))
        for _ in range(draw(st.integers(0, len(shape.fields))))
    ]
    return frame(0, values.described(shape.code, values.write(items)))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Sections of any contents, in their order."""
    sections = []
    if draw(st.booleans()):
        named = Described(Symbol(draw(st.sampled_from(_SYMBOLS))), draw(_VALUES))
        sections.append(values.write(named))
    for code in (0x70, 0x71, 0x72, 0x73, 0x74):
        if draw(st.booleans()):
            listed = st.lists(_LEAVES, max_size=5) if code in (0x70, 0x73) else _TABLES
            sections.append(values.described(code, values.write(draw(listed))))
    body: Any = draw(st.one_of(st.just(b"x"), _VALUES))
    sections.append(values.described(0x75 if isinstance(body, bytes) else 0x77, values.write(body)))
    return b"".join(sections)


@settings(deadline=None)
@given(st.lists(st.one_of(frames(), messages(), messages()), min_size=1, max_size=8))
def test_no_frame_and_no_message_harms_anybody_else(sent: list[bytes]) -> None:
    scene = Scene()
    dying = {"x-dead-letter-exchange": "amq.fanout", "x-max-length": 2}
    scene.broker.declare_queue("q", arguments=dying)
    scene.broker.declare_queue("dead")
    scene.broker.bind("amq.fanout", "dead")
    other, old = Client(scene).connect(), scene.client()
    other.receiver("/queues/dead", credit=100)
    old.send("basic.consume", queue="dead", no_ack=True)
    transfer = performatives.write("transfer", handle=0, delivery_id=0, delivery_tag=b"t")
    for each in sent:
        client = Client(scene).connect()
        client.sender("/queues/q", handle=0)
        client.receiver("/queues/q", handle=1, credit=1)
        unroutable = scene.broker._later[client.peer.id].unroutable
        # A frame begins with its size, a message with a descriptor.
        unit = each if each[:2] == b"\0\0" else frame(0, transfer + each)
        read_rows(IN, unit, Names(), unroutable)
        client.fake.send(unit)
        client.received()
    scene.advance(0)
    assert (other.peer.ended, old.peer.ended) == ("", "")
    other.sender("/exchanges/amq.fanout", handle=5)
    assert other.transfer(b"fine", handle=5)[-1].state == "accepted"
