"""Takes bursts apart: whole publishes and acks at once, all other frames one by one."""

import struct
from collections.abc import Callable
from typing import Final

from ...errors import ProtocolError, RequestRefused
from ..channel.publication import Publication
from ..wire import methods
from ..wire.frames import (
    BODY,
    END,
    HEAD_SIZE,
    HEADER,
    HEARTBEAT,
    METHOD,
    OVERHEAD,
    content_head,
    head,
)
from .channels import Channels
from .failures import MethodFailed, frame_error

_PUBLISH: Final = methods.BY_NAME["basic.publish"]
_ACK: Final = b"\x00\x00\x00\x0d" + methods.BY_NAME["basic.ack"].prefix
"""Size and method of every basic.ack frame, from its fourth byte on."""
_ACK_METHOD: Final = int.from_bytes(methods.BY_NAME["basic.ack"].prefix, "big")
_ack: Final = struct.Struct(">BHIIQBB")
_BASIC: Final = 60
_SMALLEST_HEADER: Final = 14
_MOST_PUBLICATIONS: Final = 8192


class BurstReader:
    """`other(kind, channel, frame)` gets each whole frame that is neither publish nor ack.

    A publish is method, header and body frame. What repeats from one to the next is the method
    frame: it is compared, not parsed, and the content is sliced off as it is.
    """

    def __init__(self, channels: Channels, other: Callable[[int, int, bytes], None]) -> None:
        self.max_payload = 0
        self._channels = channels
        self._other = other
        self._last: Publication | None = None
        self._publications: dict[bytes, Publication] = {}

    def walk(self, data: bytes, at: int) -> int:
        """Handle the whole frames from `at` on; returns where the first incomplete one begins.

        Raises ProtocolError.
        """
        size = len(data)
        while at < size:
            if data.startswith(_PUBLISH.prefix, at + HEAD_SIZE):
                after = self._publish(data, at)
            elif data.startswith(_ACK, at + 3):
                after = self._acknowledge(data, at)
            else:
                after = self._frame(data, at)
            if after == at:
                break
            at = after
        return at

    def _publish(self, data: bytes, at: int) -> int:
        """The publishes of one method frame that follow each other, each with its content."""
        last = self._last
        if last is None or not last.channel.ready or not data.startswith(last.frame, at):
            last = self._last = self._publication(data, at)
            if last is None:
                return self._frame(data, at)
        channel = last.channel
        frame, method_size, number = last.frame, last.size, channel.number
        most, size_of_all = self.max_payload, len(data)
        count = 0
        try:
            while data.startswith(frame, at):
                start = at + method_size
                if size_of_all - start < content_head.size:
                    return at if _may_be(HEADER, data, start) else self._frame(data, at)
                kind, to, length, class_id, _, size, flags = content_head.unpack_from(data, start)
                body = start + length + OVERHEAD
                end: int = body + size + OVERHEAD if size else body
                if (
                    kind != HEADER
                    or to != number
                    or class_id != _BASIC
                    or size > most
                    or not _SMALLEST_HEADER <= length <= most
                ):
                    return self._frame(data, at)
                if end > size_of_all:
                    return at if _may_be(BODY, data, body) else self._frame(data, at)
                if (
                    data[body - 1] != END
                    or data[end - 1] != END
                    or (size and head.unpack_from(data, body) != (BODY, number, size))
                ):
                    return self._frame(data, at)
                at = end
                count += 1
                channel.publish(last, data[start:end], size, flags)
        except RequestRefused as refusal:
            self._channels.refuse(channel, refusal, _PUBLISH)
        except ProtocolError as error:
            raise MethodFailed(error, _PUBLISH) from error
        finally:
            self._channels.publishes += count
        return at

    def _publication(self, data: bytes, at: int) -> Publication | None:
        """What a publish's method frame stands for; None sends it the slow way."""
        _, number, size = head.unpack_from(data, at)
        frame = data[at : at + size + OVERHEAD]
        found = self._publications.get(frame)
        if found is None or not found.channel.ready:
            channel = self._channels.ready(number)
            if channel is None or frame[0] != METHOD or frame[-1] != END:
                return None
            if len(frame) != size + OVERHEAD:
                return None
            try:
                found = channel.publication(frame)
            except ProtocolError as error:
                raise MethodFailed(error, _PUBLISH) from error
            if len(self._publications) >= _MOST_PUBLICATIONS:
                self._publications.clear()
            self._publications[frame] = found
        return found

    def _acknowledge(self, data: bytes, at: int) -> int:
        """The acks of one delivery each that follow each other; others go the slow way."""
        first = at
        size_of_all = len(data)
        tags = []
        number = int.from_bytes(data[at + 1 : at + 3], "big")
        channel = self._channels.ready(number)
        while size_of_all - at >= _ack.size:
            kind, to, size, method, tag, bits, end = _ack.unpack_from(data, at)
            if (kind, to, size, method, bits, end) != (METHOD, number, 13, _ACK_METHOD, 0, END):
                break
            tags.append(tag)
            at += _ack.size
        if channel is None or not tags:
            return self._frame(data, first)
        try:
            channel.acknowledge(tags)
        except RequestRefused as refusal:
            self._channels.refuse(channel, refusal, methods.BY_NAME["basic.ack"])
        return at

    def _frame(self, data: bytes, at: int) -> int:
        """Any one frame; returns where it ends, or `at` if it is not whole."""
        if len(data) - at < HEAD_SIZE:
            return at
        kind, number, size = head.unpack_from(data, at)
        if size > self.max_payload:
            raise frame_error(kind, b"", f"{{frame_too_large,{size},{self.max_payload}}}")
        end: int = at + size + OVERHEAD
        if end > len(data):
            return at
        if data[end - 1] != END:
            payload = data[at + HEAD_SIZE : end - 1]
            raise frame_error(kind, payload, f"{{invalid_frame_end_marker,{data[end - 1]}}}")
        if kind not in (METHOD, HEADER, BODY, HEARTBEAT):
            raise frame_error(kind, data[at + HEAD_SIZE : end - 1], "unknown_frame")
        if kind != HEARTBEAT:
            self._other(kind, number, data[at:end])
        return end


def _may_be(kind: int, data: bytes, at: int) -> bool:
    """Whether the frame at `at`, of which not all is there, can be of this kind."""
    return at >= len(data) or data[at] == kind
