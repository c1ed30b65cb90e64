"""The words of AMQP that a rule may ask for: methods of 0-9-1, performatives of 1.0, codes."""

from typing import Final

from .codes import ReplyCode
from .rows import KINDS, PROTOCOL_HEADER, UNREADABLE
from .v1_0.wire.performatives import SHAPES
from .wire.methods import BY_NAME

_PERFORMATIVES: Final = (range(0x10, 0x19), range(0x40, 0x45))
"""Codes of what a frame begins with (2.7, 5.3.3); others stand within."""

OPERATIONS: Final = tuple(
    dict.fromkeys(
        (
            *BY_NAME,
            *(
                name
                for name, shape in SHAPES.items()
                if any(shape.code in codes for codes in _PERFORMATIVES)
            ),
            *KINDS.values(),
            PROTOCOL_HEADER,
            UNREADABLE,
        )
    )
)

_STATES: Final = range(0x23, 0x28)
"""What 1.0 says of a delivery (3.4)."""

NUMBERED: Final = ("frame type {}",)
"""What a frame is called that is of no kind."""

CODES: Final = (
    *(code.name for code in ReplyCode),
    "REQUEUED",
    *(name.upper() for name, shape in SHAPES.items() if shape.code in _STATES),
)
"""Behind the reply codes: what becomes of a delivery."""
