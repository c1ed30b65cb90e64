"""Addresses and termini, and what is sent."""

# ruff: noqa: E501

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.values import (
    Described,
    Int,
    Symbol,
    UInt,
)

if TYPE_CHECKING:
    from ..amqp_1_0 import Talk

from .common import QUORUM, script, whole

_TARGETS: Final = (
    "/queues/a", "/queues/a/b", "/queues/", "/queues", "/queues/%61", "/queues/%zz", "/queues/%6",
    "/queues/none", "/queues/%C3%BC", "/queues/a%2Fb", "/exchanges/amq.direct/k",
    "/exchanges/amq.direct", "/exchanges/amq.direct/", "/exchanges//k", "/exchanges/",
    "/exchanges/none/k", "/exchanges/amq.default/k", "/exchanges/amq.default", "/exchanges/a/b/c",
    "/exchanges/amq.direct/%zz", "/exchanges/%61mq.direct/k%20k",
    "/exchanges/amq.rabbitmq.trace/k", "/exchanges/hidden/k", "/exchange/amq.direct",
    "/exchange/amq.direct/k", "/topic/k", "/topic", "/queue", "/queue/a", "/amq/queue/a",
    "/amq/queue/none", "a", "", "/", "/nothing", "/nothing/a", "/management/", "queues/a",
    "/exchanges/amq.direct/k/l", "/QUEUES/a",
)  # fmt: skip


@script
def targets(talk: Talk) -> None:
    talk.queue("a")
    talk.queue("a/b")
    talk.exchange("hidden", internal=True)
    client = talk.client()
    for handle, address in enumerate(_TARGETS):
        talk.say(address)
        client.again()
        client.sender(address, handle=handle)
    for address in (b"a", Symbol("/queues/a"), UInt(1), True):
        talk.say(repr(address))
        client.again()
        client.sender(address, handle=100)  # type: ignore[arg-type]
        client.again()
        client.send("detach", handle=100, closed=True)


@script
def sources(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client()
    for handle, address in enumerate(_TARGETS):
        talk.say(address)
        client.again()
        client.receiver(address, handle=handle)


@script
def no_terminus(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client()
    for handle, given in enumerate(
        (
            {"source": None},
            {"target": Composite("target", {})},
            {"target": Composite("coordinator", {})},
            {"target": Composite("target", {"address": "/queues/a", "durable": UInt(2)})},
            {
                "target": Composite(
                    "target",
                    {
                        "address": "/queues/a",
                        "expiry_policy": Symbol("never"),
                        "timeout": UInt(5),
                        "capabilities": (Symbol("queue"),),
                    },
                )
            },
        )
    ):
        talk.say(repr(sorted(given)))
        client.again()
        client.sender(None, handle=handle, **given)
    for handle, more in enumerate(({"source": None}, {"target": None}), 50):
        talk.say(repr(sorted(more)))
        client.again()
        client.send("attach", name=f"r{handle}", handle=handle, role=True, **more)


@script
def addresses_without_their_targets(talk: Talk) -> None:
    """The anonymous terminus."""
    talk.queue("a")
    talk.exchange("hidden", internal=True)
    client = talk.client()
    client.sender(None, target=Composite("target", {}))
    for number, to in enumerate(
        (None, "/queues/a", "/queues/none", "/queues/%zz", "/exchanges/amq.direct/k", "a",
         "/exchanges/none/k", "/exchanges/hidden/k", "/exchanges/amq.rabbitmq.trace/k", "",
         "/queue/a", "/management", "/queues/"),
    ):  # fmt: skip
        for settled in (False, True):
            talk.say(f"{to} {settled}")
            client.again()
            if client.sender(None, handle=1 + 2 * number + settled):
                client.transfer(
                    payload=whole(to=to), handle=1 + 2 * number + settled, settled=settled
                )


@script
def attach_again(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client()
    client.sender("/queues/a", handle=0, name="n")
    client.sender("/queues/a", handle=1, name="n")
    client.receiver("/queues/a", handle=2, name="n")
    client.receiver("/queues/a", handle=3, name="n")
    client.sender("/queues/a", handle=0, name="m")


@script
def attach_fields(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client()
    properties = {Symbol("p"): 1, Symbol("rabbitmq:priority"): Int(3)}
    for handle, given in enumerate(
        (
            {"snd_settle_mode": 0}, {"snd_settle_mode": 1}, {"snd_settle_mode": 2},
            {"rcv_settle_mode": 0}, {"rcv_settle_mode": 1}, {"properties": properties},
            {"snd_settle_mode": 1, "rcv_settle_mode": 1}, {"max_message_size": 100},
            {"desired_capabilities": ("x",), "offered_capabilities": ("y",)},
            {"unsettled": {}}, {"unsettled": {b"t": None}}, {"incomplete_unsettled": True},
            {"initial_delivery_count": 2**32 - 1}, {"rcv_settle_mode": 2},
        )
    ):  # fmt: skip
        talk.say(repr(given))
        client.again()
        client.sender("/queues/a", handle=2 * handle, **given)
        client.again()
        client.receiver("/queues/a", handle=2 * handle + 1, **given)


@script
def sources_fields(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client()
    accepted, modified = Symbol("amqp:accepted:list"), Symbol("amqp:modified:list")
    for handle, source in enumerate(
        (
            {"outcomes": (accepted,)},
            {"outcomes": (accepted, modified)},
            {"outcomes": (Symbol("amqp:declared:list"),)},
            {"default_outcome": Composite("accepted", {})},
            {"default_outcome": Composite("modified", {"delivery_failed": True})},
            {"distribution_mode": Symbol("copy")},
            {"distribution_mode": Symbol("move")},
            {"durable": UInt(2), "expiry_policy": Symbol("never"), "timeout": UInt(9)},
            {"capabilities": (Symbol("queue"),)},
            {"filter": {}},
            {"filter": {Symbol("selector"): Described(Symbol("apache.org:selector-filter:string"), "a")}},
            {"filter": {Symbol("rabbitmq:stream-offset-spec"): Described(Symbol("rabbitmq:stream-offset-spec"), "first")}},
            {"dynamic_node_properties": {Symbol("a"): 1}},
        )
    ):  # fmt: skip
        talk.say(repr(source))
        client.again()
        client.receiver("/queues/a", handle=handle, source=source)


@script
def settle_modes(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client()
    handle = 0
    for mode in (None, 0, 1, 2):
        for settled in (None, True, False):
            talk.say(f"{mode} {settled}")
            client.again()
            client.sender("/queues/a", handle=handle, snd_settle_mode=mode)
            client.transfer(handle=handle, settled=settled)
            handle += 1
    client.sender("/queues/a", handle=100)
    client.transfer(handle=100, rcv_settle_mode=1)
    client.again()
    client.sender("/queues/a", handle=101)
    client.transfer(handle=101, rcv_settle_mode=1, settled=True)
    client.transfer(handle=101, message_format=1)
    client.again()
    client.sender("/queues/a", handle=102)
    client.transfer(handle=102, delivery_tag=b"")
    client.again()
    client.sender("/queues/a", handle=103)
    client.transfer(handle=103, delivery_tag=b"t" * 33)
    client.transfer(handle=103, delivery_tag=None)
    client.transfer(handle=103, state=Composite("accepted", {}), resume=True, batchable=True)


@script
def several_transfers(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client()
    content = whole(b"a" * 60)
    cases: tuple[tuple[dict[str, Any], ...], ...] = (
        ({"delivery_id": 1, "more": True}, {"delivery_id": 1}),
        ({"delivery_id": 2, "more": True}, {"delivery_id": None, "delivery_tag": None}),
        ({"delivery_id": 3, "more": True}, {"delivery_id": 4}),
        ({"delivery_id": 5, "more": True}, {"delivery_id": 5, "settled": True}),
        ({"delivery_id": 6, "more": True, "settled": True}, {"delivery_id": 6, "settled": False}),
        ({"delivery_id": 7, "more": True}, {"delivery_id": 7, "aborted": True}),
        ({"delivery_id": 8, "more": True}, {"delivery_id": 8, "delivery_tag": b"other"}),
        ({"delivery_id": 9, "more": True, "settled": True}, {"delivery_id": 9}),
        ({"delivery_id": 10, "aborted": True}, {"delivery_id": 11, "more": False}),
    )
    for number, case in enumerate(cases):
        talk.say(repr(case))
        client.again()
        client.sender("/queues/a", handle=number)
        for at, fields in enumerate(case):
            last = at == len(case) - 1
            part = content if len(case) == 1 else content[40:] if last else content[:40]
            client.transfer(handle=number, payload=part, **fields)


@script
def bad_messages(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client()
    data, value = message.data_section(b"x"), message.value_section("v")
    sequence = bytes.fromhex("00 53 76 c0 03 01 a1 00")
    for number, content in enumerate(
        (
            b"", b"\x00", b"plain", whole(None), whole(None, subject="s"), data + data,
            value + value, data + value, value + data, sequence, sequence + sequence,
            sequence + value, data + message.header(durable=True),
            message.header(durable=True) + message.header(durable=True) + data,
            message.annotations({Symbol("x-a"): 1}) + message.header(durable=True) + data,
            bytes.fromhex("00 53 7f a1 00") + data, data[:-1], data + b"\xff",
            message.bare_message({"subject": "s"}, {}, b"") * 2 + data,
            message.bare_message({}, {"a": 1}, b"") + message.bare_message({"subject": "s"}, {}, data),
            data + bytes.fromhex("00 53 78 c1 01 00"),
            bytes.fromhex("00 53 71 c1 01 00") + data, bytes.fromhex("00 53 70 c1 01 00") + data,
            bytes.fromhex("00 53 72 45") + data, bytes.fromhex("00 53 74 c1 01 00") + data,
            message.bare_message({"user_id": b"other"}, {}, data),
            message.bare_message({"user_id": b"guest"}, {}, data),
            whole(annotations={"x-cc": ["b"]}), whole(annotations={"x-cc": "b"}),
            whole(annotations={"x-cc": [1]}),
        )
    ):  # fmt: skip
        talk.say(content.hex(" "))
        client.again()
        client.sender("/queues/a", handle=number)
        client.transfer(handle=number, payload=content)
    talk.ask("queue.declare", queue="a", passive=True)


@script
def outcomes_of_what_is_sent(talk: Talk) -> None:
    client = talk.client()
    talk.queue("full", max_length=1, overflow="reject-publish")
    talk.queue("fullq", queue_type=QUORUM, max_length=1, overflow="reject-publish")
    talk.queue("two")
    talk.exchange("x", "fanout")
    for queue in ("full", "two"):
        talk.old.send("queue.bind", queue=queue, exchange="x")
    for handle, address in enumerate(
        ("/queues/full", "/queues/fullq", "/exchanges/x", "/exchanges/amq.direct/nobody")
    ):
        client.sender(address, handle=handle)
        for number in range(4):
            client.transfer(b"%d" % number, handle=handle)
            client.transfer(b"%d" % number, handle=handle, settled=True)


@script
def a_target_that_goes_away(talk: Talk) -> None:
    client = talk.client()
    talk.queue("a")
    talk.exchange("x")
    client.sender("/queues/a")
    client.sender("/exchanges/x/k", handle=1)
    talk.old.send("queue.delete", queue="a")
    talk.old.send("exchange.delete", exchange="x")
    client.transfer(handle=0)
    client.transfer(handle=0, settled=True)
    client.transfer(handle=1, settled=True)
    client.transfer(handle=1)
    client.sender("/queues/a", handle=3)


@script
def credit_of_a_sender(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client(window=5000)
    client.sender("/queues/a")
    client.silent = True
    for _ in range(84):
        client.transfer()
    client.silent = False
    client.transfer()
    client.transfer()
    client.send("flow", incoming_window=10, next_outgoing_id=0, outgoing_window=10, echo=True)
    client.grant(0, 0, echo=True)
