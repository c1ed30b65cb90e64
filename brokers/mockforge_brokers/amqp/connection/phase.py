"""Where a connection is between its header and its end."""

from enum import Enum, auto


class Phase(Enum):
    HEADER = auto()
    HANDSHAKE = auto()
    OPEN = auto()
    CLOSING = auto()
    """Our connection.close is sent; only its answer counts."""
    CLOSED = auto()
    """The client's connection.close is answered; hanging up is left to it."""
    ENDED = auto()
