"""A message whose frames come one by one: several body frames, or others between them."""

from ...errors import ProtocolError, RequestRefused
from ..codes import ReplyCode
from ..wire.frames import BODY, HEAD_SIZE, HEADER, content_head

_BASIC = 60


class BodyTooLarge(RequestRefused):
    """A message beyond our limit of one."""


class Assembly:
    """The content of one basic.publish on one channel, until its body is whole."""

    __slots__ = ("_missing", "_pieces", "flags", "header", "method", "raw_size", "size")

    def __init__(self, method: bytes) -> None:
        self.method = method
        self.size = 0
        self.flags = 0
        self.header = b""
        self.raw_size = len(method)
        self._missing = -1
        self._pieces: list[bytes] = []

    @property
    def content(self) -> bytes:
        return b"".join(self._pieces)

    def add(self, kind: int, frame: bytes, most: int) -> bool:
        """Take one whole frame; True when the message is whole. Raises ProtocolError.

        `most` is the largest body that is taken; more is a RequestRefused.
        """
        if self._missing < 0:
            self._header(kind, frame, most)
        elif kind != BODY:
            raise ProtocolError(
                "expected content body, got non content body frame instead",
                ReplyCode.UNEXPECTED_FRAME,
            )
        else:
            self._missing -= len(frame) - HEAD_SIZE - 1
            if self._missing < 0:
                raise ProtocolError(
                    f"the body is {-self._missing} bytes longer than the {self.size} of its header",
                    ReplyCode.FRAME_ERROR,
                )
        self._pieces.append(frame)
        self.raw_size += len(frame)
        return self._missing == 0

    def _header(self, kind: int, frame: bytes, most: int) -> None:
        if kind != HEADER or len(frame) <= content_head.size:
            raise ProtocolError(
                "expected content header for class 60, got non content header frame instead",
                ReplyCode.UNEXPECTED_FRAME,
            )
        class_id, weight, self.size, self.flags = content_head.unpack_from(frame)[3:]
        if class_id != _BASIC:
            raise ProtocolError(
                f"expected content header for class 60, got one for class {class_id} instead",
                ReplyCode.UNEXPECTED_FRAME,
            )
        if weight:
            # AMQP 2.3.5.2: it must be zero. RabbitMQ takes the frame for no header at all then.
            raise ProtocolError(
                "expected content header for class 60, got non content header frame instead",
                ReplyCode.UNEXPECTED_FRAME,
            )
        self.header = frame
        if self.size > most:
            raise BodyTooLarge(
                ReplyCode.PRECONDITION_FAILED,
                f"message size {self.size} is larger than configured max size {most}",
            )
        self._missing = self.size
