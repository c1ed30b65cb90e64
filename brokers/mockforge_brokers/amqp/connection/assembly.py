"""A message whose frames come one by one: several body frames, or others between them."""

from collections.abc import Sequence
from typing import Any, Final

from ...errors import ProtocolError, RequestRefused
from ..codes import ReplyCode
from ..records import KEPT_AT_MOST, Parts
from ..wire.frames import BODY, HEADER, OVERHEAD, content_head

_BASIC: Final = 60
WASTE: Final = 512 * 1024
"""Bytes that pieces may keep of what was read beside their own, and as many as these."""

Pieces = Sequence[bytes | memoryview]


class BodyTooLarge(RequestRefused):
    """A message beyond our limit of one."""


class Spare:
    """What is left of that for all contents of a connection: each of its channels may have one."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = WASTE


class Assembly:
    """The content of one basic.publish on one channel, until its body is whole.

    Its frames are kept as they lie in what was read and joined once, at the end. A piece keeps all
    of the read that it is of, so they are joined before where that is more than twice their bytes.
    """

    __slots__ = (
        "_largest",
        "_missing",
        "_pieces",
        "_read",
        "_reads",
        "_spare",
        "_waste",
        "flags",
        "header",
        "method",
        "raw_size",
        "size",
    )

    def __init__(self, method: bytes, spare: Spare) -> None:
        self.method = method
        self.size = 0
        self.flags = 0
        self.header = b""
        self.raw_size = len(method)
        self._missing = -1
        self._largest = 0
        self._pieces: list[bytes | memoryview] = []
        self._read: object = None
        """What the last piece is of."""
        self._reads = 0
        """Bytes that all pieces keep."""
        self._spare = spare
        self._waste = 0
        """What it takes of `spare`."""

    @property
    def content(self) -> bytes:
        return b"".join(self._pieces)

    @property
    def parts(self) -> Parts | None:
        """The same without a copy; None where that would keep too much of what was read."""
        if self._reads > KEPT_AT_MOST * self.raw_size:
            return None
        return Parts(self._pieces, self._largest)

    def add(self, kind: int, pieces: Pieces, most: int) -> bool:
        """Take one whole frame; True when the message is whole.

        `most` is the largest body that is taken; more is a RequestRefused. Raises ProtocolError.
        """
        length = sum(map(len, pieces))
        if self._missing < 0:
            self._header(kind, b"".join(pieces), most)
        elif kind != BODY:
            raise ProtocolError(
                "expected content body, got non content body frame instead",
                ReplyCode.UNEXPECTED_FRAME,
            )
        else:
            self._missing -= length - OVERHEAD
            self._largest = max(self._largest, length - OVERHEAD)
            if self._missing < 0:
                raise ProtocolError(
                    f"the body is {-self._missing} bytes longer than the {self.size} of its header",
                    ReplyCode.FRAME_ERROR,
                )
        self.raw_size += length
        for piece in pieces:
            self._keep(piece)
        return self._missing == 0

    def _keep(self, piece: bytes | memoryview) -> None:
        read: Any = piece.obj if isinstance(piece, memoryview) else piece
        if read is not self._read:
            self._read = read
            self._reads += len(read)
        self._pieces.append(piece)
        waste = max(self._reads - 2 * self.raw_size, 0)
        self._spare.left -= waste - self._waste
        self._waste = waste
        if self._spare.left < 0:
            self._pieces = [self.content]
            self._read, self._reads = None, self.raw_size
            self.let_go()

    def let_go(self) -> None:
        """Its pieces are not kept any more."""
        self._spare.left += self._waste
        self._waste = 0

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
