"""What a channel needs of the connection that it belongs to."""

from typing import TYPE_CHECKING, Protocol

from ...access import Guard
from ...contract import Peer
from ...fairness import Chores, Steps
from ...spine import Spine
from ...unserved import Unserved
from ..counting import MethodCounts
from ..lint import Lint
from ..state.consumer import Consumer
from ..state.virtual_host import VirtualHost
from .unroutable import Unroutable

if TYPE_CHECKING:
    from ..connection.handshake import Agreement
    from .channel import Channel
    from .publishing import Publishing


class Line(Protocol):
    """One connection, as its channels see it."""

    id: int
    peer: Peer
    out: list[bytes]
    bulky: bool
    outgoing: int
    """Bytes of deliveries in `out` since it was last empty."""
    vhost: VirtualHost
    user: str
    agreement: "Agreement"
    guard: Guard | None
    """What the user may do; None: all."""
    client: str
    max_payload: int
    """Bytes of one frame's payload that the client takes (0: any number)."""
    refilled: list[Consumer]
    """Consumers that got credit in this burst: they go on at its end."""
    relieved: list["Channel"]
    """Channels whose common prefetch got room in this burst."""
    unconfirmed: list["Publishing"]
    """Those of channels that owe confirms at the end of this burst."""
    unroutable: Unroutable
    """What this connection published for nobody."""
    spine: Spine
    lint: Lint
    counts: MethodCounts
    chores: Chores
    unserved: Unserved

    @property
    def flowing(self) -> bool:
        """False while the peer does not read, or enough waits to be written."""
        ...

    @property
    def cancel_notify(self) -> bool:
        """The client wants to be told when the broker ends a consumer."""
        ...

    def begin(self, steps: Steps) -> None:
        """Do what a frame asks for; the frames behind it wait until all of it is done."""
        ...

    def hold_back(self) -> None:
        """Enough waits to be written: deliveries go on in a later turn of the loop."""
        ...

    def name_queue(self, consumer_tag: str, queue: str) -> None:
        """Remember for the journal's rows which queue a consumer's messages come from."""
        ...
