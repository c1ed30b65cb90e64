"""The management node, and its links."""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.values import (
    Long,
    Symbol,
    UInt,
    ULong,
)

if TYPE_CHECKING:
    from ..amqp_1_0 import Talk

from .common import fill, script

PAIRED: Final = {Symbol("paired"): True}


def _pair(client: Any) -> None:
    node, me = {"address": "/management"}, {"address": "me"}
    client.send(
        "attach", name="m", handle=0, role=False, snd_settle_mode=1, initial_delivery_count=0,
        source=Composite("source", me), target=Composite("target", node), properties=PAIRED,
    )  # fmt: skip
    client.send(
        "attach", name="m", handle=1, role=True, snd_settle_mode=1, properties=PAIRED,
        source=Composite("source", node), target=Composite("target", me),
    )  # fmt: skip
    client.grant(credit=200)


def _asking(talk: Talk, client: Any) -> Callable[..., None]:
    def ask(method: str | None, path: str | None, body: Any = None, **more: Any) -> None:
        talk.say(f"{method} {path} {body}")
        if client.ended:
            client.again()
            client.silent = True
            _pair(client)
            client.silent = False
        properties = {"message_id": ULong(9), "to": path, "subject": method, "reply_to": "$me"}
        payload = message.bare_message({**properties, **more}, {}, message.value_section(body))
        client.transfer(payload=payload, settled=True)

    return ask


@script
def management_of_queues(talk: Talk) -> None:
    client = talk.client()
    _pair(client)
    ask = _asking(talk, client)
    talk.old.send("queue.declare", queue="theirs", exclusive=True)
    for name in ("a", "b", "amq.x", "q1", "q2", "q3", "q4", "s1", "t1", "t2", "e1"):
        talk.made(name)
    ask("PUT", "/queues/a", {})
    ask("PUT", "/queues/a", {})
    ask(
        "PUT",
        "/queues/a",
        {"durable": True, "auto_delete": False, "exclusive": False, "arguments": {}},
    )
    ask("PUT", "/queues/a", {"durable": False})
    ask("PUT", "/queues/a", {"auto_delete": True})
    ask("PUT", "/queues/a", {"arguments": {"x-max-length": ULong(5)}})
    ask("PUT", "/queues/b", {"arguments": {"x-max-length": Long(5), "x-queue-type": "classic"}})
    ask("PUT", "/queues/b", {"arguments": {"x-max-length": UInt(5), "x-queue-type": "classic"}})
    ask("PUT", "/queues/b", {"arguments": {"x-max-length": Long(6), "x-queue-type": "classic"}})
    ask("PUT", "/queues/q1", {"arguments": {"x-queue-type": "quorum"}})
    ask("PUT", "/queues/q1", {"arguments": {"x-queue-type": "classic"}})
    ask("PUT", "/queues/q2", {"durable": False, "arguments": {"x-queue-type": "quorum"}})
    ask("PUT", "/queues/q3", {"exclusive": True, "arguments": {"x-queue-type": "quorum"}})
    ask("PUT", "/queues/q4", {"arguments": {"x-queue-type": "none"}})
    ask("PUT", "/queues/q4", {"arguments": {"x-message-ttl": Long(-1)}})
    ask("PUT", "/queues/q4", {"arguments": {"x-message-ttl": "a"}})
    ask("PUT", "/queues/q4", {"arguments": {"x-unknown": "a"}})
    ask("PUT", "/queues/q4", {"arguments": {Symbol("x-max-length"): ULong(5)}})
    ask("PUT", "/queues/q4", {"arguments": {"x-list": [1, "a"], "x-map": {"a": 1}}})
    ask("PUT", "/queues/s1", {"arguments": {"x-queue-type": "stream"}})
    ask("PUT", "/queues/t1", {"durable": False})
    ask("PUT", "/queues/t2", {"durable": False, "exclusive": True})
    ask("PUT", "/queues/e1", {"exclusive": True, "auto_delete": True})
    ask("PUT", "/queues/theirs", {"durable": False, "exclusive": True})
    ask("GET", "/queues/theirs")
    ask("DELETE", "/queues/theirs")
    ask("DELETE", "/queues/theirs/messages")
    ask("PUT", "/queues/amq.x", {})
    ask("PUT", "/queues/", {})
    ask("PUT", "/queues/a%0Ab", {})
    ask("PUT", "/queues/" + "n" * 256, {})
    ask("PUT", "/queues/%zz", {})
    ask("PUT", "/queues/c", {"size": 1})
    ask("PUT", "/queues/c", {"durable": 1})
    talk.made("c")
    ask("GET", "/queues/a")
    ask("GET", "/queues/q1")
    ask("GET", "/queues/s1")
    ask("GET", "/queues/none")
    ask("GET", "/queues/")
    fill(talk, "a", 3)
    ask("GET", "/queues/a")
    ask("DELETE", "/queues/a/messages")
    ask("DELETE", "/queues/none/messages")
    ask("DELETE", "/queues/s1/messages")
    ask("DELETE", "/queues/none")
    ask("DELETE", "/queues/a")


@script
def management_of_exchanges(talk: Talk) -> None:
    client = talk.client()
    _pair(client)
    ask = _asking(talk, client)
    ask("PUT", "/exchanges/x", {})
    ask("PUT", "/exchanges/x", {"type": "direct", "durable": True})
    ask("PUT", "/exchanges/x", {"type": "topic"})
    ask("PUT", "/exchanges/x", {"durable": False})
    ask(
        "PUT",
        "/exchanges/y",
        {"type": "topic", "internal": True, "auto_delete": True, "durable": False},
    )
    ask("PUT", "/exchanges/z", {"type": "none"})
    ask("PUT", "/exchanges/z", {"type": ""})
    ask("PUT", "/exchanges/z", {"type": "x-consistent-hash"})
    ask("PUT", "/exchanges/z", {"type": Symbol("x-consistent-hash")})
    ask("PUT", "/exchanges/amq.topic", {"type": "topic"})
    ask("PUT", "/exchanges/amq.topic", {"type": "direct"})
    ask("PUT", "/exchanges/amq.none", {})
    ask("PUT", "/exchanges/", {})
    ask("PUT", "/exchanges/a%0Db", {})
    ask("PUT", "/exchanges/" + "n" * 256, {})
    ask("PUT", "/exchanges/w", {"kind": "a"})
    ask("PUT", "/exchanges/w", {"arguments": {"alternate-exchange": "x"}})
    ask("PUT", "/exchanges/w", {"arguments": {"alternate-exchange": "y"}})
    ask("PUT", "/exchanges/v", {"arguments": {"alternate-exchange": 1}})
    talk.old.send("queue.declare", queue="q", durable=True)
    talk.made("q")
    bound = {"source": "x", "destination_queue": "q", "binding_key": "k", "arguments": {}}
    ask("POST", "/bindings", bound)
    ask("POST", "/bindings", bound)
    ask("POST", "/bindings", {**bound, "arguments": {"a": "1", "b": 2}})
    ask("POST", "/bindings", {**bound, "binding_key": "k/ü k"})
    ask(
        "POST",
        "/bindings",
        {"source": "x", "destination_exchange": "z", "binding_key": "1", "arguments": {}},
    )
    ask(
        "POST",
        "/bindings",
        {"source": "none", "destination_queue": "q", "binding_key": "k", "arguments": {}},
    )
    ask(
        "POST",
        "/bindings",
        {"source": "x", "destination_queue": "none", "binding_key": "k", "arguments": {}},
    )
    ask(
        "POST",
        "/bindings",
        {"source": "", "destination_queue": "q", "binding_key": "k", "arguments": {}},
    )
    ask(
        "POST",
        "/bindings",
        {"source": "x", "destination_exchange": "", "binding_key": "k", "arguments": {}},
    )
    ask("POST", "/bindings", {**bound, "other": 1})
    ask("GET", "/bindings?src=x&dstq=q&key=k")
    ask("GET", "/bindings?src=x&dste=z&key=1")
    ask("GET", "/bindings?src=x&dstq=q&key=k%2F%C3%BC%20k")
    ask("GET", "/bindings?src=x&dstq=q&key=none")
    ask("GET", "/bindings?src=none&dstq=q&key=k")
    ask("GET", "/bindings?src=x&key=k")
    ask("GET", "/bindings?src=&dstq=q&key=q")
    ask("DELETE", "/bindings/src=x;dstq=q;key=k;args=")
    ask("DELETE", "/bindings/src=x;dstq=q;key=k;args=")
    ask("DELETE", "/bindings/src=x;dste=z;key=1;args=")
    ask("DELETE", "/bindings/src=x;dstq=none;key=k;args=")
    ask("DELETE", "/bindings/src=none;dstq=q;key=k;args=")
    ask("DELETE", "/bindings/src=x;dstq=q;key=k")
    ask("DELETE", "/bindings/nonsense")
    ask("DELETE", "/exchanges/x")
    ask("DELETE", "/exchanges/x")
    ask("DELETE", "/exchanges/")
    ask("DELETE", "/exchanges/amq.topic")
    for name in ("y", "z", "w", "v"):
        ask("DELETE", f"/exchanges/{name}")


@script
def management_links(talk: Talk) -> None:
    node, me = {"address": "/management"}, {"address": "me"}

    def attach(client: Any, role: bool, handle: int, **given: Any) -> None:
        source, target = (node, me) if role else (me, node)
        client.send(
            "attach",
            **{
                "name": "m", "handle": handle, "role": role, "snd_settle_mode": 1,
                "initial_delivery_count": None if role else 0, "properties": PAIRED,
                "source": Composite("source", source), "target": Composite("target", target),
                **given,
            },
        )  # fmt: skip

    for given in (
        {}, {"properties": None}, {"properties": {Symbol("paired"): False}}, {"snd_settle_mode": None},
        {"snd_settle_mode": 0}, {"rcv_settle_mode": 1},
        {"name": "other"}, {"max_message_size": 10},
    ):  # fmt: skip
        talk.say(repr(given))
        client = talk.client()
        attach(client, False, 0, **given)
        client.again()
        attach(client, True, 1, **given)
    talk.say("requests")
    payload = message.bare_message(
        {"message_id": "1", "to": "/queues/a", "subject": "GET"}, {}, message.value_section(None)
    )
    for fields, credit in (({"settled": True}, 0), ({"settled": True}, 5)):
        client = talk.client()
        attach(client, False, 0)
        client.transfer(payload=payload, **fields)
        client.again()
        client = talk.client()
        attach(client, False, 0)
        attach(client, True, 1)
        if credit:
            client.grant(1, credit)
        client.transfer(payload=payload, **fields)
        client.again()
    talk.say("ends")
    client = talk.client()
    attach(client, False, 0)
    attach(client, True, 1)
    client.grant(1, 5, echo=True)
    client.grant(1, 5, drain=True)
    client.send("detach", handle=1, closed=True)
    client.transfer(payload=payload, settled=True)
