"""Sends a consumer's messages: basic.deliver from rendered pieces, the content as it came."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, cast

from ..state.message import Message
from ..state.routing import Route
from ..wire.content import readdress
from ..wire.frames import HEADER, METHOD, head, method
from ..wire.methods import BY_NAME, shortstr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..records import Parts
    from ..state.consumer import Consumer
    from .channel import Channel

BULKY: Final = 32 * 1024
"""Pieces larger than this are not worth a copy to be joined."""
_BURST: Final = 512 * 1024
"""Weight of deliveries before they must be written and the loop served: their bytes, or less.

Of a content from `_LONG` bytes on a quarter counts. It costs less by the byte than small ones, and
to stop behind every few messages is to queue the next ones one by one. Of a `_VERY_LONG` one it is
an eighth: about what comes in one turn, or their queue would grow while a fast consumer waits. That
is what a socket takes at once; more would wait in the loop, and go out in small pieces.
"""
_LONG: Final = 4 * 1024
_VERY_LONG: Final = 256 * 1024
_FRAMING: Final = 64
"""About what a delivery costs beside its content."""

_FRAME_START: Final = 3
"""Bytes of a frame's type and channel."""

_tag = struct.Struct(">QB")
_DELIVER: Final = BY_NAME["basic.deliver"].prefix


class Delivery:
    """The `Sink` of one consumer. What repeats from message to message is rendered once."""

    __slots__ = ("_channel", "_line", "_out", "_prefix", "_route", "_start", "_static", "tag")

    def __init__(self, channel: Channel, tag: str) -> None:
        self.tag = tag
        self._channel = channel
        self._line = channel.line
        self._out = channel.line.out
        self._static = _DELIVER + shortstr(tag)
        self._start = bytes((HEADER,)) + channel.number.to_bytes(2, "big")
        self._prefix = b""
        self._route: Route | None = None

    def deliver(
        self, route: Route, content: bytes, size: int, redelivered: bool, unacked: Message | None
    ) -> None:
        channel = self._channel
        channel.last_tag = tag = channel.last_tag + 1
        if unacked is not None:
            channel.await_ack(tag, unacked)
        if route is not self._route:
            self._prepare(route)
        line = self._line
        # Published on another channel's number, or larger than this client's frames may be: only
        # then are its frames made anew.
        if not content.startswith(self._start) or size > line.max_payload:
            content = readdress(content, channel.number, line.max_payload)
        out = self._out
        length = len(content)
        if length < _LONG:
            weight = length + _FRAMING
        else:
            weight = length >> (2 if length < _VERY_LONG else 3)
        # An empty list: all before it is written, and nobody was woken for this one yet.
        if out:
            line.outgoing += weight
        else:
            line.outgoing = weight
            line.peer.wake()
        if length > BULKY:
            line.bulky = True
            out.append(self._prefix + _tag.pack(tag, redelivered) + route.rendered)
            out.append(content)
        else:
            out += (self._prefix, _tag.pack(tag, redelivered), route.rendered, content)
        if line.outgoing > _BURST:
            line.hold_back()

    def deliver_all(self, route: Route, contents: Sequence[bytes], size: int) -> int:
        line, length = self._line, len(contents[0])
        if length > BULKY or size > line.max_payload or not contents[0].startswith(self._start):
            return 0
        if route is not self._route:
            self._prepare(route)
        # From here on as `deliver`, up to where it holds back.
        out, channel = self._out, self._channel
        weight = length >> 2 if length >= _LONG else length + _FRAMING
        if not out:
            line.outgoing = 0
            line.peer.wake()
        count = min(max((_BURST - line.outgoing) // weight, 0) + 1, len(contents))
        tag, pack, prefix, rendered = channel.last_tag, _tag.pack, self._prefix, route.rendered
        for content in contents[:count]:
            tag += 1
            out += (prefix, pack(tag, False), rendered, content)
        channel.last_tag = tag
        line.outgoing += weight * count
        if line.outgoing > _BURST:
            line.hold_back()
        return count

    def deliver_parts(self, route: Route, contents: Iterable[Parts]) -> int:
        line, out, channel = self._line, self._out, self._channel
        if route is not self._route:
            self._prepare(route)
        # From here on as `deliver`, up to where it holds back or its frames are made anew.
        idle = not out
        outgoing = 0 if idle else line.outgoing
        tag = channel.last_tag
        for pieces, largest in contents:
            if largest > line.max_payload or pieces[0][:_FRAME_START] != self._start:
                break
            tag += 1
            out.append(self._prefix + _tag.pack(tag, False) + route.rendered)
            # Views go out as bytes do (contract.py).
            out += cast("Sequence[bytes]", pieces)
            length = sum(map(len, pieces))
            outgoing += length >> (2 if length < _VERY_LONG else 3)
            if outgoing > _BURST:
                break
        if tag > channel.last_tag:
            line.bulky = True
        return self._put_out(tag, outgoing, idle=idle)

    def deliver_messages(self, messages: Iterable[Message], *, no_ack: bool) -> int:
        channel, line, out = self._channel, self._line, self._out
        if channel.limit:
            return 0
        # As `deliver`, up to where it holds back or its frames are made anew.
        start, most, pack, unacked = self._start, line.max_payload, _tag.pack, channel.unacked
        idle = not out
        outgoing = 0 if idle else line.outgoing
        route, tag = self._route, channel.last_tag
        prefix, rendered = self._prefix, b"" if route is None else route.rendered
        for message in messages:
            content = message.content
            length = len(content)
            if length > BULKY or message.size > most or not content.startswith(start):
                break
            if message.route is not route:
                route = message.route
                self._prepare(route)
                prefix, rendered = self._prefix, route.rendered
            tag += 1
            if not no_ack:
                unacked[tag] = message
            out += (prefix, pack(tag, message.redelivered), rendered, content)
            outgoing += length >> 2 if length >= _LONG else length + _FRAMING
            if outgoing > _BURST:
                break
        return self._put_out(tag, outgoing, idle=idle)

    def _put_out(self, tag: int, outgoing: int, *, idle: bool) -> int:
        """All up to this tag is in `out`, of this weight with what was there; returns how many.

        `idle`: nothing was there, and nobody was woken yet.
        """
        channel, line = self._channel, self._line
        count = tag - channel.last_tag
        if count:
            channel.last_tag = tag
            if idle:
                line.peer.wake()
            line.outgoing = outgoing
            if outgoing > _BURST:
                line.hold_back()
        return count

    def work(self, call: Callable[[], object]) -> None:
        self._line.peer.work(call)

    def holds(self, consumer: Consumer) -> bool:
        return self._channel.holds(consumer)

    def activated(self, *, active: bool) -> None:
        """AMQP 0-9-1 has no word for it."""

    def cancelled(self, reason: str) -> None:
        self._channel.consumer_cancelled(self.tag, reason)

    def _prepare(self, route: Route) -> None:
        rendered = render(route)
        # All between the frame's head and its end mark: the tag and its flag take 9 bytes.
        size = len(self._static) + _tag.size + len(rendered) - 1
        self._prefix = head.pack(METHOD, self._channel.number, size) + self._static
        self._route = route


def render(route: Route) -> bytes:
    """The end of a basic.deliver: exchange, routing key and the frame's end mark."""
    if not route.rendered:
        route.rendered = shortstr(route.exchange.name) + shortstr(route.routing_key) + b"\xce"
    return route.rendered


def get_ok(channel: int, tag: int, message: Message, left: int, max_payload: int) -> list[bytes]:
    """The frames that answer basic.get; `left` messages stay behind."""
    route = message.route
    return [
        method(
            channel,
            "basic.get-ok",
            delivery_tag=tag,
            redelivered=message.redelivered,
            exchange=route.exchange.name,
            routing_key=route.routing_key,
            message_count=left,
        ),
        readdress(message.content, channel, max_payload),
    ]
