"""The fast path: a burst of bytes walked in one go, publishes and acks without an object each.

What it does. `walk` goes over all whole frames of a burst. Three shapes are frequent enough to be
worth a look of their own; every other frame goes, one by one, to the general path (`other`:
Connection._frame and Channels.receive), which assembles any content and serves any method.

  _publish      basic.publish as publishers repeat it: method frame, content header and one body
                frame (none for an empty body), one behind the other. What repeats from message to
                message is not parsed but compared: the method frame stands for its exchange and
                routing key (`Publication`, kept for each distinct frame), and method frame,
                content header and the body frame's head together stand for all that was checked
                of them (`Publication.latest`): a message that begins the same is one comparison.
                Where only values differ that nobody on the way reads (ids, times, priorities), what
                is before and behind them is compared; where they are in several places or bodies
                differ in size, one pattern is (`alike`). Where a few headers come in turn that
                differ otherwise, each is looked up (`recall`).
                The content is sliced off as it is and handed on; large ones that follow each other
                may go on as views of what was read (`Parts`).
  _acknowledge  basic.ack of one delivery each, a run of them for one channel.
  body          a large body frame of a message of several, as it lies in what was read (`_frame`
                has those that came whole). Its channel keeps the pieces, and copies them once.

When it may be taken. The channel is open, not closing, and not in the middle of another content;
the frames are whole, of this channel, end in 0xCE and are within the frame size; the content
header is one of class 60 with weight 0. The first message of each kind is examined
(Publishing.examine) before it counts as known, so what RabbitMQ refuses is refused here with the
same words.

What it leaves to the general path. Contents of several body frames or with heartbeats or other
channels' frames between them, acks with `multiple`, channels that are not ready, whatever is
malformed or too large. No framing error is raised for these shapes: the general path meets the same
bytes next. The refusals of a publish or an ack itself are the same calls on both paths.

What comes out is the same either way, byte for byte, count for count, event for event;
tests/brokers/amqp/test_burst.py compares them in every branch.
"""

import struct
from collections.abc import Callable
from typing import Final

from ...errors import ProtocolError, RequestRefused
from ...fairness import Steps, Turn
from ..channel.delivery import BULKY
from ..channel.publication import (
    MOST_VARIANTS,
    NOTHING,
    Known,
    Publication,
)
from ..codes import ReplyCode
from ..records import KEPT_AT_MOST, Alike, Parts
from ..wire import methods
from ..wire.frames import (
    BODY,
    END,
    FRAME_MIN_SIZE,
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
from .variants import keep_variant, liken, recall

_PUBLISH: Final = methods.BY_NAME["basic.publish"]
_PUBLISH_IDS: Final = _PUBLISH.prefix
_ACK: Final = b"\x00\x00\x00\x0d" + methods.BY_NAME["basic.ack"].prefix
"""Size and method of every basic.ack frame, from its fourth byte on."""
_ACK_METHOD: Final = int.from_bytes(methods.BY_NAME["basic.ack"].prefix, "big")
_ack: Final = struct.Struct(">BHIIQBB")
_BASIC: Final = 60
_SMALLEST_HEADER: Final = 14
_BETWEEN_LOOKS: Final = 16
"""Publishes to few queues between two looks at the time."""
_TOGETHER: Final = 256 * 1024
"""Bytes of alike ones that are as many, a full read: what is done for them is less than half of a
step each."""
_MOST_TOGETHER: Final = 256
"""So many more than may be kept come before the look at what is."""
_LOOKS: Final = 4
"""Behind several that came together: what the end of a read lacks is looked at twice, and once more
when it is whole, and alone."""
_MOST_PUBLICATIONS: Final = 8192
_LARGE: Final = 16 * 1024
"""Bytes of a body whose parts are not worth to be copied before the last one is there."""


class BurstReader:
    """`other(kind, channel, frame)` is the general path: it gets each frame that is left to it."""

    __slots__ = (
        "_at",
        "_channels",
        "_last",
        "_other",
        "_publications",
        "_several",
        "_turn",
        "held",
        "holding",
        "largest",
        "unfinished",
        "work",
    )

    def __init__(
        self, channels: Channels, other: Callable[[int, int, bytes], None], turn: Turn
    ) -> None:
        self.unfinished = False
        """Its turn was up before all whole frames were handled."""
        self.holding = False
        """Publishes are not taken now: the first one and all behind it wait."""
        self.held = False
        """One was there, and waits."""
        self.work: Steps | None = None
        """What a frame asked for and is not done yet: the frames behind it wait."""
        self._turn = turn
        self._at = 0
        """Where the frame begins, or the first of several, that was looked at last."""
        self.largest = FRAME_MIN_SIZE
        """Bytes of a frame's payload that are taken: eight more than RabbitMQ's texts say.

        AMQP 4.2.3: as long as nothing is agreed on frames have the smallest size.
        """
        self._channels = channels
        self._other = other
        self._last: Publication | None = None
        self._publications: dict[bytes, Publication] = {}
        self._several = 0
        """How many looks more are worth it, also at the first message of a read."""

    def walk(self, data: bytes, at: int) -> int:
        """Handle the whole frames from `at` on; returns where the first incomplete one begins.

        Raises ProtocolError.
        """
        size = len(data)
        turn, start = self._turn, at
        self.unfinished = False
        if self.work is not None:
            if turn.work(self.work):
                self.unfinished = True
                return at
            self.work = None
        while at < size:
            if (at > start and turn.now() > turn.until) or self.work is not None:
                self.unfinished = True
                break
            self._at = at
            if data.startswith(_PUBLISH_IDS, at + HEAD_SIZE):
                if self.holding:
                    self.held = True
                    break
                after = self._publish(data, at)
            elif data.startswith(_ACK, at + 3):
                after = self._acknowledge(data, at)
            else:
                after = self._frame(data, at)
            if after == at:
                break
            at = after
        if self.work is not None:
            self.unfinished = True
        return at

    def behind(self, data: bytes) -> int:
        """Where the frame ends that raised an error; at the latest: what is behind may be its."""
        length: int = head.unpack_from(data, self._at)[2]
        return self._at + length + OVERHEAD

    def begin(self, steps: Steps) -> None:
        """Do what a frame asks for; what there is no time for is done before the next frame."""
        if self._turn.work(steps):
            self.work = steps

    # A call more for each publish would cost a twentieth of its time.
    def _publish(self, data: bytes, at: int) -> int:  # noqa: C901
        """The publishes of one method frame that follow each other, each with its content."""
        last = self._last
        if last is None or not last.channel.ready or not data.startswith(last.frame, at):
            last = self._last = self._publication(data, at)
            if last is None:
                return self._frame(data, at)
        channel = last.channel
        publish = channel.publishing.publish
        frame, method_size = last.frame, last.size
        known, rest, rest_at, known_span, known_size, known_extra = last.latest
        most = min(self.largest, self._channels.largest)
        size_of_all = len(data)
        turn = self._turn
        count = span = 0
        together = True
        try:
            while data.startswith(frame, at):
                # Method frame, content header and the body frame's head in one comparison: the same
                # exchange, key, properties and size as the message before.
                if (
                    known
                    and data.startswith(known, at)
                    and not (rest and not data.startswith(rest, at + rest_at))
                ):
                    span, size, extra = known_span, known_size, known_extra
                    # Behind the first one: where keys come in turn each is another. Large ones
                    # are worth it, since none is copied then, and so are those of who sent several.
                    if (count or size > BULKY or self._several) and together:
                        more = self._together(last, data, at)
                        self._several = _LOOKS if more > 1 else max(0, self._several - 1)
                        if more:
                            at += more * span
                            count += more
                            if turn.now() > turn.until:
                                return at
                            continue
                        together = False
                elif (
                    last.alike
                    and (match := last.alike(data, at + method_size))
                    # No body has no body frame, and the pattern knows no limit.
                    and 0 < (size := int.from_bytes(match[match.lastindex or 0], "big")) <= most
                ):
                    span, extra = match.end() - at + size + 1, None
                else:
                    span = 0
                    # Variants first: where there are none that costs no call.
                    if not (last.variants and recall(last, data, at)) and not self._learn(
                        last, data, at
                    ):
                        return at if self._incomplete(last, data, at) else self._frame(data, at)
                    known, rest, rest_at, known_span, known_size, known_extra = last.latest
                    span, size, extra = known_span, known_size, known_extra
                end = at + span
                if end > size_of_all:
                    return at
                if data[end - 1] != END:
                    return self._frame(data, at)
                publish(last, data[at + method_size : end], size, extra)
                at = end
                count += 1
                if (last.wide or not count % _BETWEEN_LOOKS) and turn.now() > turn.until:
                    return at
        except RequestRefused as refusal:
            # What was refused is behind us: the channel closes, and drops what follows. A header
            # that was refused was just learned.
            at += span or last.latest.span
            self._channels.counts.published += 1
            self._channels.refuse(channel, refusal, _PUBLISH)
        except ProtocolError as error:
            self._channels.counts.published += 1
            raise MethodFailed(error, _PUBLISH) from error
        finally:
            self._channels.publishes += count
            self._channels.counts.published += count
        return at

    def _together(self, publication: Publication, data: bytes, at: int) -> int:
        """Publish some that follow each other and begin as the one that is known; returns how many.

        0: they are to be taken one by one.
        """
        known, rest, rest_at, span, size, extra = publication.latest
        publishing = publication.channel.publishing
        if extra is not None or not publishing.takes_all(publication):
            return 0
        start = publication.size
        most = min(max(_BETWEEN_LOOKS * span, _TOGETHER), _MOST_TOGETHER * span)
        behind = at
        for begin in range(at, min(at + most, len(data) - span + 1), span):
            if (
                not data.startswith(known, begin)
                or data[begin + span - 1] != END
                or (rest and not data.startswith(rest, begin + rest_at))
            ):
                break
            behind = begin + span
        if behind == at:
            return 0
        each = range(at, behind, span)
        if (
            size > BULKY
            and KEPT_AT_MOST * (behind - at) >= len(data)
            and publishing.takes_parts(publication)
        ):
            read = memoryview(data)
            parts = [Parts((read[begin + start : begin + span],), size) for begin in each]
            publishing.publish_parts(publication, parts, size)
        else:
            contents = [data[begin + start : begin + span] for begin in each]
            publishing.publish_all(publication, Alike(contents, data, at + start, span), size)
        return len(each)

    def _learn(self, publication: Publication, data: bytes, at: int) -> bool:
        """Look at what is behind the method frame; False: it is not for us, or not yet.

        Raises RequestRefused or ProtocolError for what the header says.
        """
        start = at + publication.size
        if len(data) - start < content_head.size:
            return False
        kind, number, length, class_id, weight, size, flags = content_head.unpack_from(data, start)
        body = start + length + OVERHEAD
        end = body + (size + OVERHEAD if size else 0)
        most = self.largest
        if (
            (kind, number, class_id, weight) != (HEADER, publication.channel.number, _BASIC, 0)
            or not _SMALLEST_HEADER <= length <= most
            or size > most
            or size > self._channels.largest
            or end > len(data)
            or data[body - 1] != END
            or (size and head.unpack_from(data, body) != (BODY, number, size))
            or data[end - 1] != END
        ):
            return False
        # Should the examination raise, the next message must not pass for a known one.
        before = publication.latest
        publication.latest = NOTHING._replace(span=end - at)
        header = data[start:body]
        extra = publication.channel.publishing.examine(publication, header, flags)
        begin = data[at : body + HEAD_SIZE] if size else data[at:body]
        if extra is not None and extra.header:
            begin = b""
        publication.latest = Known(begin, b"", 0, end - at, size, extra)
        if begin and publication.learned <= MOST_VARIANTS:
            keep_variant(publication, header)
            if size and extra is None and before.begin:
                liken(publication, before, header, flags)
        return True

    def _incomplete(self, publication: Publication, data: bytes, at: int) -> bool:
        """Whether the frames that are there could be the start of one whole publish."""
        start = at + publication.size
        left = len(data) - start
        if left < HEAD_SIZE:
            return not left or data[start] == HEADER
        kind, number, length = head.unpack_from(data, start)
        if (kind, number) != (HEADER, publication.channel.number):
            return False
        if not _SMALLEST_HEADER <= length <= self.largest:
            return False
        if left < content_head.size:
            return True
        class_id, weight, size, _ = content_head.unpack_from(data, start)[3:]
        if (class_id, weight) != (_BASIC, 0) or size > min(self.largest, self._channels.largest):
            return False
        body = start + length + OVERHEAD
        if body > len(data):
            return True
        if data[body - 1] != END or body + size + OVERHEAD <= len(data) or not size:
            return False
        # Of the body frame's head as much as there is must be right.
        return head.pack(BODY, number, size).startswith(data[body : body + HEAD_SIZE])

    def missing(self, data: bytes, at: int) -> int:
        """How many bytes a publish, or a large body frame, lacks that begins at `at`; else 0.

        A message of several frames is waited for frame by frame. A small publish is worth it where
        much stood before it: as much may come behind it, and is not copied with it then.
        """
        if len(data) - at >= HEAD_SIZE and data[at] == BODY:
            size: int = head.unpack_from(data, at)[2]
            return at + size + OVERHEAD - len(data) if size > _LARGE else 0
        last = self._last
        if last is None or not data.startswith(last.frame, at):
            return 0
        start = at + last.size
        if len(data) - start < content_head.size:
            return 0
        length, size = content_head.unpack_from(data, start)[2::3]
        body: int = start + length + OVERHEAD
        if len(data) - body < HEAD_SIZE or head.unpack_from(data, body)[::2] != (BODY, size):
            return 0
        return body + size + OVERHEAD - len(data) if size > _LARGE or at > _LARGE else 0

    def _publication(self, data: bytes, at: int) -> Publication | None:
        """What a publish's method frame stands for; None leaves it to the general path."""
        _, number, size = head.unpack_from(data, at)
        frame = data[at : at + size + OVERHEAD]
        found = self._publications.get(frame)
        if found is None or not found.channel.ready:
            channel = self._channels.ready(number)
            if channel is None or len(frame) != size + OVERHEAD:
                return None
            if frame[0] != METHOD or frame[-1] != END:
                return None
            try:
                found = channel.publishing.publication(frame)
            except ProtocolError:
                return None
            # Who puts an id into each routing key would make this grow for ever.
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
        # As `Channels.ready`, written out.
        channel = self._channels.open.get(number)
        if channel is None or channel.closing or channel.assembling:
            return self._frame(data, first)
        while size_of_all - at >= _ack.size:
            kind, to, size, method, tag, bits, end = _ack.unpack_from(data, at)
            if (kind, to, size, method, bits, end) != (METHOD, number, 13, _ACK_METHOD, 0, END):
                break
            tags.append(tag)
            at += _ack.size
        if not tags:
            return self._frame(data, first)
        self._channels.counts.received["basic.ack"] += len(tags)
        if channel.publishing.unconfirmed:
            channel.publishing.confirm()
        try:
            channel.acknowledge(tags)
        except RequestRefused as refusal:
            self._channels.refuse(channel, refusal, methods.BY_NAME["basic.ack"])
        return at

    def body(self, pieces: list[memoryview]) -> bool:
        """Take a large body frame that came in these pieces; False: `walk` has to see it joined."""
        if pieces[0][0] != BODY or pieces[-1][-1] != END:
            return False
        return self._channels.body(head.unpack_from(pieces[0])[1], pieces)

    def _frame(self, data: bytes, at: int) -> int:
        """Any one frame; returns where it ends, or `at` if it is not whole."""
        if len(data) - at < HEAD_SIZE:
            return at
        kind, number, size = head.unpack_from(data, at)
        if size > self.largest:
            raise frame_error(
                kind, b"", f"{{frame_too_large,{size},{self.largest - OVERHEAD}}}", fatal=True
            )
        end: int = at + size + OVERHEAD
        if end > len(data):
            return at
        if data[end - 1] != END:
            payload = data[at + HEAD_SIZE : end - 1]
            raise frame_error(
                kind, payload, f"{{invalid_frame_end_marker,{data[end - 1]}}}", fatal=True
            )
        if kind not in (METHOD, HEADER, BODY):
            _check_heartbeat(kind, number, data[at + HEAD_SIZE : end - 1])
            return end
        # A large body frame is not copied before all of its message is: see Assembly.
        large = kind == BODY and size > _LARGE
        if not (large and self._channels.body(number, [memoryview(data)[at:end]])):
            self._other(kind, number, data[at:end])
        return end


def _check_heartbeat(kind: int, number: int, payload: bytes) -> None:
    """AMQP 4.2.7: a heartbeat is an empty frame of channel 0; other types there are none."""
    if kind != HEARTBEAT or payload:
        raise frame_error(kind, payload, "unknown_frame")
    if number:
        raise ProtocolError(f"type {kind}, all octets = <<>>", ReplyCode.UNEXPECTED_FRAME)
