"""Messages between both versions of AMQP, and streams."""

# ruff: noqa: E501

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from mockforge_brokers.amqp.records import Field
from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.amqp.v1_0.wire.values import (
    Array,
    Byte,
    Char,
    Described,
    Float,
    Int,
    Long,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

if TYPE_CHECKING:
    from ..amqp_1_0 import Talk

from .common import QUORUM, described, script, whole


@script
def messages_of_0_9_1(talk: Talk) -> None:
    client = talk.client()
    long = "l" * 300
    numbers = {
        "b": Field("b", -1), "B": Field("B", 200), "s": Field("s", -300), "u": Field("u", 60000),
        "I": Field("I", -70000), "i": Field("i", 4000000000), "l": Field("l", -(2**40)),
        "f": Field("f", 0.5), "d": Field("d", 0.25), "t": Field("t", True), "V": Field("V", None),
        "T": Field("T", 1000), "x": Field("x", b"\x00\xff"), "S": Field("S", "text"),
        "A": Field("A", (Field("S", "a"),)), "F": Field("F", {"k": Field("I", 1)}),
    }  # fmt: skip
    for queue, kind in (("c", "classic"), ("q", QUORUM), ("s", "stream")):
        talk.queue(queue, queue_type=kind)
        talk.say(kind)
        filters = {
            Symbol("rabbitmq:stream-offset-spec"): Described(
                Symbol("rabbitmq:stream-offset-spec"), "first"
            )
        }
        client.receiver(
            f"/queues/{queue}", credit=100, source={"filter": filters} if kind == "stream" else {}
        )
        for given in (
            {},
            {"delivery_mode": 2, "priority": 7, "expiration": "60000"},
            {"delivery_mode": 1, "priority": 0},
            {"content_type": "text/plain", "content_encoding": "gzip", "app_id": "app", "type": "kind", "user_id": "guest"},
            {"message_id": "m", "correlation_id": "c", "reply_to": "back/to ü", "timestamp": 1000},
            {"message_id": "urn:uuid:11111111-2222-3333-4444-555555555555", "correlation_id": "12"},
            {"headers": numbers},
            {"headers": {"x-a": Field("S", "1"), "x-b": Field("I", 2), "x-t": Field("F", {"a": Field("I", 1)}), "x-l": Field("A", (Field("I", 1),))}},
            {"headers": {"CC": Field("A", (Field("S", "other"),))}},
            {"headers": {"BCC": Field("A", (Field("S", "other"),))}},
            {"headers": {"x-death": Field("S", "no")}},
            {"headers": {"x-message-id": Field("S", long), "x-correlation-id": Field("x", b"bin")}},
            {"headers": {"x-delivery-count": Field("I", 5), "x-stream-filter-value": Field("S", "v")}},
            {"type": "amqp-1.0"},
            {"headers": {"x-opt-a": Field("S", "1"), "x-basic-a": Field("S", "1"), "ü": Field("S", "ü")}},
            {"headers": {"bin": Field("S", b"\xff\x00".decode("utf-8", "surrogateescape"))}},
        ):  # fmt: skip
            talk.say(repr(given))
            body = message.value_section("v") if given.get("type") == "amqp-1.0" else b"b"
            talk.old.publish("", queue, body, **given)
            client.received()
        client.send("end")
        client.begin()


_SENT: Final[dict[str, bytes]] = {
    "nothing": whole(b""),
    "header": whole(header={"durable": True, "priority": UByte(7), "ttl": UInt(60000), "first_acquirer": True, "delivery_count": UInt(3)}),
    "durable false": whole(header={"durable": False}),
    "properties": whole(
        message_id="m", user_id=b"guest", to="/queues/a", subject="s", reply_to="/queues/back%2Fto",
        correlation_id="c", content_type=Symbol("text/plain"), content_encoding=Symbol("gzip"),
        absolute_expiry_time=Timestamp(5000), creation_time=Timestamp(1000999), group_id="g",
        group_sequence=UInt(3), reply_to_group_id="r",
    ),
    "identity of ulong": whole(message_id=ULong(7), correlation_id=ULong(2**63)),
    "identity of uuid": whole(message_id=UUID(int=1), correlation_id=UUID(int=2)),
    "identity of binary": whole(message_id=b"\x00\xff", correlation_id=b"text"),
    "identity of much": whole(message_id="i" * 300, correlation_id="c" * 300),
    "reply to nobody": whole(reply_to="plain"),
    "reply to an exchange": whole(reply_to="/exchanges/a/b"),
    "annotations": whole(annotations={"x-a": "1", "x-opt-b": Int(2), "x-basic-type": "kind", "x-exchange": "no", "x-cc": ["other"], "x-list": [1], "x-map": {"a": 1}}),
    "char and uuid": whole(application={"char": Char("c"), "uuid": UUID(int=3)}),
    "reserved": whole(annotations={"c": "no"}),
    "application": whole(application={
        "null": None, "true": True, "ubyte": UByte(1), "ushort": UShort(2), "uint": UInt(3), "ulong": ULong(4),
        "byte": Byte(-1), "short": Short(-2), "int": Int(-3), "long": Long(-4), "float": Float(0.5), "double": 0.25,
        "timestamp": Timestamp(5000), "binary": b"\x00\xff",
        "string": "ü", "symbol": Symbol("sym"), "x-app": "x",
    }),
    "application of much": whole(application={"n" * 200: "v" * 300}),
    "value string": message.value_section("v"),
    "value binary": message.value_section(b"v"),
    "value null": message.value_section(None),
    "value map": message.value_section({"a": 1}),
    "value array": message.value_section(Array(0x71, (Int(1), Int(2)))),
    "sequence": bytes.fromhex("00 53 76 c0 04 01 a1 01 61"),
    "two datas": message.data_section(b"a") + message.data_section(b"b"),
    "footer": message.data_section(b"a") + bytes.fromhex("00 53 78 c1 07 02 a3 01 66 a1 01 76"),
    "delivery annotations": bytes.fromhex("00 53 71 c1 07 02 a3 01 66 a1 01 76") + message.data_section(b"a"),
}  # fmt: skip


@script
def messages_of_1_0_by_0_9_1(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client()
    client.sender("/queues/a")
    for name, content in _SENT.items():
        if name in ("char and uuid", "footer"):
            # RabbitMQ 4.3.6 has no bytes of 0-9-1 for them, and ends the connection (541).
            continue
        talk.say(name)
        if any(got.name == "detach" for got in client.transfer(payload=content)):
            client.sender("/queues/a")
        talk.ask("basic.get", queue="a", no_ack=True)


@script
def messages_of_1_0_by_1_0(talk: Talk) -> None:
    for queue, kind in (("c", "classic"), ("q", QUORUM), ("s", "stream")):
        talk.say(kind)
        talk.queue(queue, queue_type=kind)
        client = talk.client()
        client.sender(f"/queues/{queue}")
        client.receiver(f"/queues/{queue}", credit=100)
        for name, content in _SENT.items():
            talk.say(f"{kind} {name}")
            if any(got.name == "detach" for got in client.transfer(payload=content)):
                client.sender(f"/queues/{queue}")


@script
def dead_letters_of_1_0(talk: Talk) -> None:
    for queue, kind in (("c", "classic"), ("q", QUORUM)):
        talk.say(kind)
        talk.queue("dead" + queue)
        talk.queue(
            queue, queue_type=kind, dead_letter_exchange="", dead_letter_routing_key="dead" + queue
        )
        client = talk.client()
        client.sender(f"/queues/{queue}")
        client.receiver(f"/queues/{queue}", credit=100)
        client.receiver(f"/queues/dead{queue}", handle=2, credit=100)
        client.transfer(
            payload=whole(b"1", {"ttl": UInt(60000)}, {"x-a": "1"}, {"p": 1}, message_id="m")
        )
        client.settle(0, "rejected")
        client.transfer(payload=whole(b"2", annotations={"x-cc": ["none"]}))
        client.settle(
            2, "modified", undeliverable_here=True, message_annotations={Symbol("x-why"): "no"}
        )
        client.settle(1, "released")
        client.send("detach", handle=2, closed=True)
        for _ in range(2):
            talk.ask("basic.get", queue="dead" + queue, no_ack=True)


@script
def deliveries_counted(talk: Talk) -> None:
    for queue, kind, more in (
        ("c", "classic", {}), ("q", QUORUM, {}), ("l", QUORUM, {"delivery_limit": 2}),
    ):  # fmt: skip
        for outcome, fields in (
            ("released", {}), ("modified", {}), ("modified", {"delivery_failed": True}), ("end", {}),
        ):  # fmt: skip
            talk.say(f"{queue} {outcome} {sorted(fields)}")
            talk.queue(queue, queue_type=kind, **more)
            talk.old.send("queue.purge", queue=queue)
            client = talk.client()
            client.receiver(f"/queues/{queue}", credit=5)
            talk.old.publish("", queue, b"x")
            client.received()
            for number in range(4):
                if outcome == "end":
                    client.send("end")
                    client.begin()
                    client.receiver(f"/queues/{queue}", credit=5)
                else:
                    client.settle(number, outcome, **fields)
            client.send("close")
            talk.ask("basic.get", queue=queue, no_ack=True)


@script
def streams(talk: Talk) -> None:
    talk.queue("s", queue_type="stream")
    client = talk.client()
    client.sender("/queues/s")
    client.silent = True
    for number in range(6):
        value = {"x-stream-filter-value": "odd" if number % 2 else "even"}
        client.transfer(
            payload=whole(b"%d" % number, None, value, {"n": Int(number)}, subject=f"s{number}")
        )
    client.silent = False
    offset, by = "rabbitmq:stream-offset-spec", "rabbitmq:stream-filter"
    properties, application = "amqp:properties-filter", "amqp:application-properties-filter"
    sql = {Symbol("sql-filter"): Described(Symbol("amqp:sql-filter"), "n > 3")}
    first = described(offset, "first")
    for handle, given in enumerate(
        (
            None, {}, first, described(offset, "last"), described(offset, "next"),
            described(offset, "wrong"), described(offset, ULong(4)), described(offset, Int(4)),
            described(offset, Timestamp(0)), described(offset, "1h"), described(offset, b"first"),
            {Symbol("offset"): Described(Symbol(offset), "first")},
            {Symbol(offset): "first"}, {Symbol("none"): Described(Symbol("none:filter"), 1), **first},
            {**first, **described(by, "odd")}, {**first, **described(by, ["odd", "even"])},
            {**first, **described(by, "odd"), **described("rabbitmq:stream-match-unfiltered", True)},
            {**first, **described(by, 1)},
            {**first, **described(properties, {Symbol("subject"): "s4"})},
            {**first, **described(properties, {Symbol("subject"): "&s:5"})},
            {**first, **described(application, {"n": Int(3)})},
            {**first, **described(application, {"n": ULong(3)})},
            {**first, **described(application, {"n": "3"})},
            {**first, **described(application, {})},
            {**first, Symbol("a"): Described(ULong(0x173), {Symbol("subject"): "s1"})},
            {**first, **sql}, {**first, Symbol("sql-filter"): Described(ULong(0x120), "n = 2")},
            {**first, Symbol("sql-filter"): Described(Symbol("amqp:sql-filter"), "n >")},
            {**first, Symbol("other"): Described(Symbol("amqp:sql-filter"), "n = 2")},
        )
    ):  # fmt: skip
        talk.say(repr(given))
        client.again()
        client.receiver(
            "/queues/s",
            handle=10 + handle,
            credit=50,
            source={} if given is None else {"filter": given},
        )
        client.again()
    client.again()
    client.receiver("/queues/s", handle=1, credit=2, source={"filter": first})
    client.settle(0, "accepted")
    client.send("end")
    client.begin()
    client.receiver("/queues/s", handle=1, source={"filter": first})
    client.grant(1, 2)
    for outcome in ("rejected", "released", "modified"):
        client.settle(0, outcome)
    client.grant(1, 9, delivery_count=2, drain=True)
    client.receiver("/queues/s", handle=3, snd_settle_mode=1, credit=2, source={"filter": first})
