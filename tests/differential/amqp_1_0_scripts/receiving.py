"""Credit, settlement, and the ends of links."""

# ruff: noqa: E501

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.values import (
    Described,
    Int,
    Symbol,
    UInt,
    ULong,
)

if TYPE_CHECKING:
    from ..amqp_1_0 import Talk

from .common import QUORUM, fill, script, whole


@script
def credit_of_a_receiver(talk: Talk) -> None:
    client = talk.client()
    for queue, kind in (("c", "classic"), ("q", QUORUM)):
        talk.say(kind)
        talk.queue(queue, queue_type=kind)
        fill(talk, queue, 8)
        client.receiver(f"/queues/{queue}", handle=1)
        client.grant(1, 0, echo=True)
        client.grant(1, 2, delivery_count=0, next_incoming_id=0)
        client.grant(1, 0, delivery_count=2, echo=True, next_incoming_id=2)
        client.grant(1, 1, delivery_count=1, next_incoming_id=2)
        client.grant(1, 1, delivery_count=2, next_incoming_id=2, echo=True)
        client.grant(1, 100, delivery_count=3, next_incoming_id=3, drain=True)
        client.grant(1, 5, delivery_count=103, next_incoming_id=8, drain=True, echo=True)
        client.grant(1, 5, delivery_count=108, next_incoming_id=8)
        client.grant(1, 5, delivery_count=108, next_incoming_id=8, drain=True)
        client.grant(1, 3, delivery_count=113, next_incoming_id=8)
        talk.old.publish("", queue, b"late")
        client.received()
        client.grant(1, 0, delivery_count=114, next_incoming_id=9)
        talk.old.publish("", queue, b"later")
        client.received()
        client.send("detach", handle=1, closed=True)
        client.send("end")
        client.begin()


@script
def credit_without_a_count(talk: Talk) -> None:
    client = talk.client()
    talk.queue("c")
    fill(talk, "c", 5)
    client.receiver("/queues/c")
    client.grant(1, 1)
    client.grant(1, 2)
    client.grant(1, None)  # type: ignore[arg-type]
    client.grant(1, None, echo=True)  # type: ignore[arg-type]
    client.grant(1, 4, available=7, properties={Symbol("a"): 1})


@script
def windows_of_a_receiver(talk: Talk) -> None:
    client = talk.client(window=2)
    talk.queue("c")
    fill(talk, "c", 6)
    client.receiver("/queues/c")
    client.grant(1, 10, incoming_window=2)
    client.send(
        "flow", next_incoming_id=2, incoming_window=1, next_outgoing_id=0, outgoing_window=9
    )
    client.send(
        "flow",
        next_incoming_id=3,
        incoming_window=5,
        next_outgoing_id=0,
        outgoing_window=9,
        echo=True,
    )
    client.send(
        "flow", next_incoming_id=100, incoming_window=5, next_outgoing_id=0, outgoing_window=9
    )


@script
def settling(talk: Talk) -> None:
    client = talk.client()
    for queue, kind in (("c", "classic"), ("q", QUORUM)):
        talk.say(kind)
        talk.queue("dead" + queue)
        talk.queue(
            queue,
            queue_type=kind,
            dead_letter_exchange="",
            dead_letter_routing_key="dead" + queue,
        )
        client.receiver(f"/queues/{queue}", credit=100)
        number = 0
        for name, fields in (
            ("accepted", {}),
            ("rejected", {}),
            ("rejected", {"error": Composite("error", {"condition": Symbol("a:b"), "description": "why"})}),
            ("released", {}),
            ("modified", {}),
            ("modified", {"delivery_failed": True}),
            ("modified", {"undeliverable_here": True}),
            ("modified", {"delivery_failed": True, "undeliverable_here": True}),
            ("modified", {"message_annotations": {Symbol("x-opt-a"): "1", Symbol("x-b"): 2}}),
        ):  # fmt: skip
            talk.say(f"{name} {sorted(fields)}")
            talk.old.publish("", queue, name.encode())
            came = client.received()
            number = next(got["delivery_id"] for got in came if got.name == "transfer")
            client.settle(number, name, **fields)
            for got in client.settle(number + 1, "accepted", last=number + 5):
                assert got
        talk.say("dead letters")
        for _ in range(6):
            talk.ask("basic.get", queue="dead" + queue, no_ack=True)
        client.send("detach", handle=1, closed=True)
        client.send("end")
        client.begin()


@script
def settling_oddly(talk: Talk) -> None:
    client = talk.client()
    talk.queue("c")
    fill(talk, "c", 8)
    client.receiver("/queues/c", credit=100)

    def say(**fields: Any) -> None:
        talk.say(repr(sorted(fields)))
        client.again()
        client.send("disposition", **{"role": True, "first": 0, "settled": True, **fields})

    accepted = Composite("accepted", {})
    say(state=accepted, first=100)
    say(state=accepted, first=0, settled=False)
    say(first=1)
    say(first=2, state=accepted, last=3, batchable=True)
    say(first=2, state=accepted, last=3)
    say(first=4, settled=None, state=accepted)
    say(
        first=5,
        state=Composite("received", {"section_number": UInt(0), "section_offset": ULong(0)}),
    )
    talk.ask("queue.declare", queue="c", passive=True)


@script
def what_is_unsettled_at_an_end(talk: Talk) -> None:
    for queue, kind in (("c", "classic"), ("q", QUORUM)):
        talk.say(kind)
        talk.queue(queue, queue_type=kind)
        client = talk.client()
        fill(talk, queue, 2)
        client.receiver(f"/queues/{queue}", credit=100)
        client.send("detach", handle=1, closed=True)
        client.receiver(f"/queues/{queue}", credit=100)
        client.send("detach", handle=1, closed=False)
        client.receiver(f"/queues/{queue}", credit=100)
        client.send("detach", handle=1)
        client.receiver(f"/queues/{queue}", credit=100)
        client.send("end")
        client.begin()
        client.receiver(f"/queues/{queue}", credit=100)
        client.send("close")
        other = talk.client()
        other.receiver(f"/queues/{queue}", credit=100)
        other.send("close", error=Composite("error", {"condition": Symbol("a:b")}))


@script
def a_queue_that_goes_away(talk: Talk) -> None:
    client = talk.client()
    for queue, kind in (("c", "classic"), ("q", QUORUM), ("s", "stream")):
        talk.queue(queue, queue_type=kind)
        client.receiver(f"/queues/{queue}", credit=100)
        talk.old.send("queue.delete", queue=queue)
        client.received()
        client.grant(1, 10)
        client.again()
        client.send("detach", handle=1, closed=True)


@script
def large_messages(talk: Talk) -> None:
    talk.queue("a")
    client = talk.client(max_frame_size=600)
    client.sender("/queues/a")
    content = whole(b"a" * 1500)
    client.transfer(payload=content[:500], delivery_id=0, more=True)
    client.transfer(payload=content[500:1000], delivery_id=None, delivery_tag=None, more=True)
    client.transfer(payload=content[1000:], delivery_id=None, delivery_tag=None)
    client.receiver("/queues/a", credit=1)
    client.settle(0, "released")
    client.send("detach", handle=1, closed=True)
    other = talk.client(max_frame_size=1000)
    other.receiver("/queues/a", credit=1, max_message_size=1600)
    third = talk.client()
    third.receiver("/queues/a", credit=1, max_message_size=100)
    third.again()
    other.settle(0, "accepted")


@script
def priorities_of_receivers(talk: Talk) -> None:
    client = talk.client()
    for queue, kind in (("c", "classic"), ("q", QUORUM)):
        talk.queue(queue, queue_type=kind)
        for handle, priority in ((1, None), (2, Int(5)), (3, Int(-5))):
            properties = None if priority is None else {Symbol("rabbitmq:priority"): priority}
            client.receiver(f"/queues/{queue}", handle=handle, credit=1, properties=properties)
        for _ in range(3):
            talk.old.publish("", queue, b"x")
            client.received()
        client.send("end")
        client.begin()


@script
def a_single_active_receiver(talk: Talk) -> None:
    client = talk.client()
    for queue, kind in (("c", "classic"), ("q", QUORUM)):
        talk.queue(queue, queue_type=kind, single_active_consumer=True)
        for handle in (1, 2):
            client.receiver(f"/queues/{queue}", handle=handle, credit=5)
        fill(talk, queue, 1)
        client.received()
        client.send("detach", handle=1, closed=True)
        client.received()
        client.send("end")
        client.begin()


@script
def an_exclusive_queue(talk: Talk) -> None:
    talk.old.send("queue.declare", queue="mine", exclusive=True)
    client = talk.client()
    client.sender("/queues/mine")
    client.transfer()
    client.again()
    client.receiver("/queues/mine", handle=2)
    client.again()
    talk.queue("taken")
    talk.old.send("basic.consume", queue="taken", exclusive=True)
    client.receiver("/queues/taken", handle=3)
    talk.ask("queue.declare", queue="mine", passive=True)


@script
def dynamic_nodes(talk: Talk) -> None:
    client = talk.client()
    temporary, volatile = (Symbol("temporary-queue"),), (Symbol("rabbitmq:volatile-queue"),)
    link, session = Symbol("link-detach"), Symbol("session-end")
    handle = 0
    for given in (
        {}, {"capabilities": temporary}, {"capabilities": (Symbol("queue"),)},
        {"capabilities": temporary, "expiry_policy": link},
        {"capabilities": temporary, "expiry_policy": session},
        {"capabilities": temporary, "address": "/queues/a"},
        {"capabilities": temporary, "durable": UInt(1)},
        {"capabilities": temporary, "timeout": UInt(1)},
        {"capabilities": temporary, "dynamic_node_properties": {Symbol("lifetime-policy"): Described(Symbol("amqp:delete-on-close:list"), [])}},
        {"capabilities": volatile}, {"capabilities": volatile, "expiry_policy": link},
        {"capabilities": volatile, "expiry_policy": link, "durable": UInt(0), "timeout": UInt(0)},
    ):  # fmt: skip
        for mode in (None, 1):
            talk.say(f"{given} {mode}")
            client.again()
            fields = {"dynamic": True, **given}
            handle += 2
            client.sender(
                None, handle=handle, snd_settle_mode=mode, target=Composite("target", fields)
            )
            client.again()
            client.send(
                "attach",
                name=f"r{handle}",
                handle=handle + 1,
                role=True,
                snd_settle_mode=mode,
                source=Composite("source", fields),
                target=Composite("target", {}),
            )
