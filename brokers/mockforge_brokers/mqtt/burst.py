"""The hot road: a burst of bytes walked in one go, plain publishes without an object each.

A stretch of packets of one kind is one call of a function below, which works on local variables
and stops in front of the first packet that is not plain; that one is decoded as any other. A sink
with output was woken for it already, so that only the first of a burst costs the call.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..bytes_io import ByteReader
from .codes import V5
from .records import Message
from .wire.encode import IDS
from .wire.frames import check_size, decode_varint

if TYPE_CHECKING:
    from .connection import MqttConnection

_QOS_0: Final = 0x30
_QOS_1: Final = 0x32
_PUBACK: Final = 0x40
_PUBACK_HEAD: Final = b"\x40\x02"
_NO_ID: Final = b"\0\0"


def walk(connection: "MqttConnection", data: bytes) -> int:
    """Handle all whole packets; returns the position of the first byte left over."""
    position, end = 0, len(data)
    while end - position > 1 and not connection.closed:
        first = data[position]
        if connection.session is None:
            connection.expect_connect(first)
        elif first in _PLAIN:
            reached = _PLAIN[first](connection, data, position, end)
            if reached != position:
                position = reached
                continue
        length, body = decode_varint(data, position + 1, end)
        if length < 0:
            break
        stop = body + length
        check_size(stop - position, connection.limit)
        if stop > end:
            connection.wanted = stop - position
            break
        connection.handle(first, ByteReader(data, body, stop))
        position = stop
    return position


def _forward(connection: "MqttConnection", data: bytes, position: int, end: int) -> int:
    """QoS 0: what one route takes is handed on as one slice of the burst."""
    routes = connection.verbatim
    plain = connection.version == V5
    published = 0
    last = None
    while position + 4 <= end and data[position] == _QOS_0:
        length, body = data[position + 1], position + 2
        if length > 0x7F:
            length, body = decode_varint(data, position + 1, end)
        stop = body + length
        if stop > end or length < 0:
            break
        topic_end = body + 2 + (data[body] << 8) + data[body + 1]
        route = routes.get(data[body + 2 : topic_end])
        if route is None or topic_end + plain > stop or (plain and data[topic_end]):
            break
        start, count = position, 1
        if route is last:
            # Twice the same topic: look for packets with the very same header and size. Looking
            # after each packet would cost more than it saves where topics take turns.
            head, size = data[position : topic_end + plain], stop - position
            while data.startswith(head, stop) and stop + size <= end:
                stop += size
                count += 1
        last = route
        piece = data[start:stop]
        for sink in route.sinks:
            if not sink.out:
                sink.wake()
            sink.out.append(piece)
            sink.messages_out += count
        route.counts.published += count
        route.counts.delivered += count * len(route.sinks)
        published += count
        position = stop
    connection.messages_in += published
    return position


def _accept(connection: "MqttConnection", data: bytes, position: int, end: int) -> int:
    """QoS 1: each subscriber's packet gets its own id, the publisher its PUBACK."""
    routes = connection.verbatim
    plain = connection.version == V5
    packet_ids: list[bytes] = []
    route = last = None
    head, size = b"", 0
    while position + 6 <= end and data[position] == _QOS_1:
        if route is not None and route is last and data.startswith(head, position):
            # The header of the packet before, as above.
            stop, topic_end = position + size, position + len(head)
        else:
            length, body = data[position + 1], position + 2
            if length > 0x7F:
                length, body = decode_varint(data, position + 1, end)
            stop = body + length if length >= 0 else end + 1
            topic_end = body + 2 + (data[body] << 8) + data[body + 1] if stop <= end else end
            last, route = route, routes.get(data[body + 2 : topic_end])
            head, size = data[position:topic_end], stop - position
        rest = topic_end + 2
        if route is None or route.sessions is None or stop > end or rest + plain > stop:
            break
        packet_id, tail = data[topic_end:rest], data[rest:stop]
        if packet_id == _NO_ID or (plain and data[rest]):
            break
        message = Message(route.topic_name, tail[1:] if plain else tail, 1)
        for session in route.sessions:
            own_id = session.begin(message)
            sink = session.sink
            if own_id and sink is not None:
                out = sink.out
                if not out:
                    sink.wake()
                out += (head, IDS[own_id], tail)
                sink.messages_out += 1
        packet_ids.append(packet_id)
        route.counts.published += 1
        route.counts.delivered += len(route.sessions)
        position = stop
    if packet_ids:
        connection.out.append(_PUBACK_HEAD + _PUBACK_HEAD.join(packet_ids))
        connection.messages_in += len(packet_ids)
    return position


def _settle(connection: "MqttConnection", data: bytes, position: int, end: int) -> int:
    """PUBACKs without a reason code, of messages that are in flight."""
    session = connection.session
    if session is None:
        return position
    inflight = session.inflight
    while position + 4 <= end and data[position] == _PUBACK and data[position + 1] == 2:
        packet_id = data[position + 2] << 8 | data[position + 3]
        message = inflight.get(packet_id)
        if message is None or message.qos != 1:
            break
        del inflight[packet_id]
        position += 4
    session.pump()
    return position


_PLAIN: Final[dict[int, Callable[["MqttConnection", bytes, int, int], int]]] = {
    _QOS_0: _forward,
    _QOS_1: _accept,
    _PUBACK: _settle,
}
