"""Handshakes, limits, and what breaks the rules."""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.values import (
    Symbol,
)

if TYPE_CHECKING:
    from ..amqp_1_0 import Talk

from mockforge_brokers.amqp.v1_0.wire.frames import SASL_HEADER, sasl

from .common import script


@script
def opens(talk: Talk) -> None:
    for given in (
        {}, {"hostname": "localhost"}, {"hostname": "vhost:/"}, {"hostname": "vhost:none"},
        {"hostname": "vhost:"}, {"container_id": ""}, {"max_frame_size": 511},
        {"max_frame_size": 512}, {"max_frame_size": 2**32 - 1}, {"max_frame_size": 0},
        {"channel_max": 0}, {"channel_max": 65535}, {"channel_max": 63}, {"channel_max": 64},
        {"idle_time_out": 0}, {"idle_time_out": 999}, {"idle_time_out": 1000},
        {"idle_time_out": 2**32 - 1}, {"desired_capabilities": ("a",)},
        {"offered_capabilities": ("ANONYMOUS-RELAY",), "properties": {Symbol("product"): "p"}},
        {"incoming_locales": ("en-US",), "outgoing_locales": ("en-US",)},
    ):  # fmt: skip
        talk.say(repr(given))
        client = talk.stranger()
        client.silent = True
        client.login()
        client.fake.send(b"AMQP\x00\x01\x00\x00")
        client.silent = False
        client.send("open", **{"container_id": "c1", **given})


@script
def headers(talk: Talk) -> None:
    for first in (
        "414d515000010000", "414d515003010000", "414d515002010000", "414d515003010001",
        "414d515003020000", "414d515001010000",
    ):  # fmt: skip
        talk.say(first)
        client = talk.stranger()
        client.fake.send(bytes.fromhex(first))
        client.received()
    for mechanism, response in (
        ("PLAIN", b"\0guest\0wrong"), ("ANONYMOUS", None), ("ANONYMOUS", b"me"), ("NONE", b""),
        ("PLAIN", b"\0guest\0guest"), ("PLAIN", b"other\0guest\0guest"), ("plain", b"\0guest\0guest"),
    ):  # fmt: skip
        talk.say(f"{mechanism} {response!r}")
        client = talk.stranger()
        client.silent = True
        client.fake.send(SASL_HEADER)
        client.received()
        client.silent = False
        client.fake.send(sasl("sasl-init", mechanism=mechanism, initial_response=response))
        client.received()


@script
def violations(talk: Talk) -> None:
    talk.queue("a")

    def told(name: str, act: Callable[[Any], object], **open_fields: Any) -> None:
        talk.say(name)
        act(talk.client(**open_fields))

    flow = {"incoming_window": 10, "next_outgoing_id": 0, "outgoing_window": 10}
    told("transfer without a link", lambda c: c.transfer(handle=7))
    told("flow without a link", lambda c: c.grant(7, 1))
    told("detach without a link", lambda c: c.send("detach", handle=7))
    told("end without a session", lambda c: c.send("end", channel=9))
    told(
        "attach without a session",
        lambda c: c.send("attach", channel=9, name="n", handle=0, role=True),
    )
    told("channel 63", lambda c: c.begin(63))
    told("channel 64", lambda c: c.begin(64))
    told("channel above ours", lambda c: c.begin(5), channel_max=4)
    told("handle 255", lambda c: c.sender("/queues/a", handle=255))
    told("handle 256", lambda c: c.sender("/queues/a", handle=256))
    told(
        "handles of ours",
        lambda c: c.send(
            "begin",
            channel=1,
            next_outgoing_id=0,
            incoming_window=1,
            outgoing_window=1,
            handle_max=3,
        ),
    )
    told(
        "windows of nothing",
        lambda c: c.send(
            "begin", channel=1, next_outgoing_id=5, incoming_window=0, outgoing_window=0
        ),
    )
    told("handle in use", lambda c: (c.sender("/queues/a"), c.sender("/queues/a", name="b")))
    told(
        "a frame of too much",
        lambda c: (c.fake.send(b"\x7f\xff\xff\xff\x02\x00\x00\x00"), c.received()),
    )
    told(
        "a frame of too little",
        lambda c: (c.fake.send(b"\x00\x00\x00\x07\x02\x00\x00\x00"), c.received()),
    )
    told(
        "a frame of another type",
        lambda c: (c.fake.send(b"\x00\x00\x00\x08\x02\x03\x00\x00"), c.received()),
    )
    told(
        "a data offset of 1",
        lambda c: (c.fake.send(b"\x00\x00\x00\x08\x01\x00\x00\x00"), c.received()),
    )
    told(
        "a data offset of 3",
        lambda c: (c.fake.send(b"\x00\x00\x00\x0c\x03\x00\x00\x00\x00\x00\x00\x00"), c.received()),
    )
    told("a flow that leads", lambda c: c.send("flow", next_incoming_id=5, **flow))
    told("close", lambda c: c.send("close"))
    told(
        "end with an error",
        lambda c: c.send(
            "end", error=Composite("error", {"condition": Symbol("a:b"), "description": "d"})
        ),
    )
    told(
        "disposition of nothing",
        lambda c: c.send(
            "disposition", role=True, first=0, settled=True, state=Composite("accepted", {})
        ),
    )
    told("no credit", _too_many)


def _too_many(client: Any) -> None:
    client.silent = True
    client.sender("/queues/a")
    client.send(
        "flow", next_incoming_id=0, incoming_window=0, next_outgoing_id=0, outgoing_window=5000
    )
    client.silent = False
