"""What transport, brokers and connections expect of each other."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from .access import Principal
from .events import BrokerRestarted, MessageSeen
from .journal import Origin, Owner, PastOwner, Row
from .listener import Listener
from .misbehaviour.decisions import Changes
from .misbehaviour.skimming import Look, Skimmer
from .snapshots import ConnectionView, DestinationView, GroupView, Metric
from .storage.facts import Kept, LogRows


class Peer(Protocol):
    """The other end of one connection, as the connection sees it. Nothing here waits."""

    id: int
    address: str
    """`127.0.0.1:50871`"""
    listener: Listener
    """The one that it came by."""
    opened: float
    """Wall time."""
    bytes_in: int
    bytes_out: int

    @property
    def principal(self) -> Principal:
        """Who it is, as far as that is known."""
        ...

    def identify(self, principal: Principal) -> None:
        """It is somebody else now: who logs it in says so, or whose connection got another name."""
        ...

    @property
    def local(self) -> tuple[str, int]:
        """The address and port that the client dialled; asked for while it is connected."""
        ...

    @property
    def node(self) -> str:
        """Which of those behind a forwarder's address it is (UDP); empty: the address itself."""
        ...

    @property
    def waiting(self) -> int:
        """Bytes written that the peer's socket has not taken yet."""
        ...

    def become(self, connection: "Connection") -> None:
        """Let another connection take over: its first bytes named another version."""
        ...

    def wake(self) -> None:
        """Somebody else gave this connection output: write it in the loop's next turn.

        What a connection appends to `out` while it handles its own bytes is written anyway.
        """
        ...

    def close(self, reason: str) -> None:
        """Write what is in `out`, then end the connection.

        Nothing more is received or written, and `connection_lost` was called when this returns.
        """
        ...

    def abort(self, reason: str) -> None:
        """End the connection at once with a reset; `connection_lost` as with `close`."""
        ...

    def work(self, call: Callable[[], object]) -> None:
        """Do later what this peer's bytes asked for, so that its answers wait for what it kept."""
        ...

    def leaving(self, reason: str) -> None:
        """The client has said that it goes, and why; it hangs up itself."""
        ...

    def ending(self) -> None:
        """The connection begins to end: what it has now is what people see of it later.

        Who gives up state before the peer is closed calls it first.
        """
        ...

    def pause_reading(self) -> None:
        """Take no more bytes from this peer until `resume_reading`."""
        ...

    def resume_reading(self) -> None: ...

    def pause_sending(self) -> None:
        """Ask the connection for no more output until `resume_sending`; both are counted."""
        ...

    def resume_sending(self) -> None: ...


def origin_of(peer: Peer) -> Origin:
    """Where its frames come from, as far as that is known by now."""
    principal = peer.principal
    return Origin(principal.name, peer.address, names_of(peer.listener), principal.vhost)


# Asked for at the end of each connection, and there are few listeners.
@lru_cache(maxsize=64)
def names_of(listener: Listener) -> tuple[str, str, str]:
    """What filters call it."""
    return (listener.name, listener.service, listener.place)


class Connection(Owner, Protocol):
    """One client's protocol state: bytes in, bytes out, no I/O."""

    out: list[bytes]
    """Pieces not yet written, whole frames in all; transport empties the list in place.

    Behind another one there may be a view of what was read in place of bytes (a large body): it is
    written, joined and measured as they are."""
    bulky: bool
    """Set when a piece of more than 32 KiB was appended: then pieces are not joined."""

    @property
    def missing(self) -> int:
        """Bytes that a frame lacks which came in part; 0: none, or it does not say. Never below."""
        ...

    @property
    def expected(self) -> int:
        """Bytes of large messages that may follow by what came so far, where none is missing; or 0.

        A guess: to ask the system for what is not there yet costs a call.
        """
        ...

    @property
    def unfinished(self) -> bool:
        """Its turn was up before `receive` had handled all whole frames.

        Then `receive(b"")` is called in a later turn, and the peer's bytes are left unread.
        """
        ...

    def receive(self, data: bytes) -> int:
        """Handle one burst; return how many bytes at its end belong to an incomplete frame.

        A ProtocolError is the connection's own affair: it writes the close and ends its peer.
        What it raises all the same is taken as a bug of ours.
        """
        ...

    def take_rest(self) -> bytes:
        """Hand back the incomplete frame's bytes and forget them."""
        ...

    def parts(self, rows: list[Row]) -> list[Row]:
        """What rules match of one frame: a row for each thing that it names on its own.

        `rows` are the frame's; a Kafka request names partitions, an MQTT SUBSCRIBE filters.
        """
        ...

    def glance(self, direction: int, frame: bytes) -> Look | None:
        """What a frame is, as far as that shows without reading it; None: not at all.

        Frames with the same value have the same operation, and where the second part is True
        the same destination too.
        """
        ...

    def skimmer(self, direction: int) -> Skimmer:
        """A new one: it finds out by `glance`, and faster, that a burst is nobody's concern."""
        ...

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        """Answer one whole incoming frame with an error code, without its effect.

        `parts` are those that are refused; where the protocol can, the others are served.
        """
        ...

    def edit(self, direction: int, frame: bytes, changes: Mapping[int, Changes]) -> bytes:
        """The frame with the messages of these numbers (as `rows` counts them, from 0) changed.

        Raises InvalidInput for what cannot be changed, with what can.
        """
        ...

    def set_fields(self, direction: int, frame: bytes, values: Mapping[str, str]) -> bytes:
        """The frame with other values in these fields, legal or not.

        Raises InvalidInput for a field that it does not have, or a value that cannot be written.
        """
        ...

    @property
    def malformed(self) -> Callable[[str], bytes] | None:
        """What makes a packet for this client that no correct broker sends; raises InvalidInput.

        It is asked for one of `Protocol.malformed`; None where there are none.
        """
        ...

    def notify_blocked(self, reason: str | None) -> None:
        """Say that nothing is read any more and why (None: it is again), if the protocol can."""
        ...

    def body(self, frame: bytes) -> range:
        """Where a frame's bytes may be damaged and its length is right all the same."""
        ...

    def repeat(self, frame: bytes, *, dup: bool) -> None:
        """Handle one whole incoming frame once more, as when its sender tried again.

        `dup`: marked as a repetition where the protocol has a mark.
        """
        ...

    def repeated(self, frame: bytes, *, dup: bool) -> bytes:
        """What is sent when an outgoing frame is sent once more."""
        ...

    def set_writable(self, writable: bool) -> None:
        """Output must wait (False: the peer is slow, or a fault is) or may go on (True)."""
        ...

    def connection_lost(self, reason: str) -> None:
        """The connection is over, whoever ended it; called once, also by `Peer.close`.

        Whatever it queued or parked is forgotten here: it takes no effect any more.
        """
        ...

    def past(self) -> PastOwner:
        """What the journal needs to read its frames once it has ended; asked for at the end.

        It holds nothing of the connection itself, since many of them are kept.
        """
        ...

    def let_go(self) -> None:
        """The last call: its socket is gone, and it is asked for nothing any more.

        What it knows and is known by would stay until the collector comes by, which costs more than
        all the rest of a short connection.
        """
        ...

    def shutdown(self) -> None:
        """The broker ends: put the protocol's close frame to `out` and close the peer."""
        ...


class Nodes(Protocol):
    """The nodes of a cluster, each of which can go away alone."""

    @property
    def ids(self) -> Sequence[int]: ...

    @property
    def stopped(self) -> Sequence[int]: ...

    def stop(self, node: int, *, hard: bool = False) -> int:
        """End its connections; returns how many there were."""
        ...

    def start(self, node: int) -> None: ...

    def place(self, node: int) -> int:
        """The number of its listeners (`Listener.node`)."""
        ...

    def add(self, node: int) -> None:
        """Another node; raises InvalidInput."""
        ...

    def remove(self, node: int, *, hard: bool = False) -> int:
        """As `stop`, and for good. Raises InvalidInput."""
        ...


class Broker(Protocol):
    """One protocol's server, ready to be given connections."""

    protocol: str
    address_name: str
    """What the ready line calls the address that clients look for first (bootstrap, url)."""
    refusals: Mapping[str, int]
    """The codes with which a request can be refused, by their names in upper case."""

    @property
    def nodes(self) -> Nodes | None:
        """None where the protocol knows of one server only."""
        ...

    def connect(self, peer: Peer) -> Connection: ...

    def address(self, listener: Listener) -> str:
        """How clients are told of a listener: as an address, or as the URL that they take."""
        ...

    def settings_at(self, listener: Listener) -> Mapping[str, object]:
        """By name what is otherwise for who comes by this listener."""
        ...

    def connections(self) -> list[ConnectionView]: ...

    def clients(self) -> Iterator[str]:
        """The names of those that are connected, without the work of their views."""
        ...

    def connection(self, number: int) -> ConnectionView | None:
        """One of them by its number; None once it is gone."""
        ...

    def destinations(self) -> list[DestinationView]: ...

    def groups(self) -> list[GroupView]: ...

    def metrics(self) -> list[Metric]: ...

    def disconnect(
        self, connection: int, reason: str, *, reset: bool = False, code: int | None = None
    ) -> bool:
        """End one connection by the protocol's close (or a reset); False if unknown.

        `code` is one of `refusals` that the close says in place of its usual one. Raises
        InvalidInput where the protocol's close has no code, or not this one.
        """
        ...

    def watch(
        self, callback: Callable[[MessageSeen], object], destination: str | None = None
    ) -> Callable[[], None]:
        """Call with each message that enters (to one destination or all); returns how to stop.

        Destinations are a Kafka topic, an MQTT topic filter, an AMQP exchange or `queue:NAME`.
        """
        ...

    def reset(self) -> None:
        """Back to empty: all topics, queues, sessions and groups go; connections are closed."""
        ...

    # What the protocol keeps over a restart, and only that.

    def dump(self) -> dict[str, object]:
        """What outlives a restart, as values that msgspec.msgpack can encode.

        Times are wall times. Taking it changes nothing, also while clients are connected.
        """
        ...

    def restore(self, values: Mapping[str, Any]) -> None:
        """Take up what `dump` gave, as it was or decoded again; the broker must be empty."""
        ...

    def logs_in(self, kept: Kept) -> Iterable[LogRows]:
        """What its logs are to people, of what is on disk; takes nothing out."""
        ...

    def take_up(self, kept: Kept) -> None:
        """Begin with what is on disk, in `environment.store`; the broker must be empty."""
        ...

    def restart(self, *, hard: bool = False) -> BrokerRestarted:
        """Stop and start in one go, as far as clients see: the listeners stay.

        All connections end as they do when the broker is stopped; then dump, empty, restore.
        `hard` is a kill: the connections are reset without a word, and what their ends bring
        about is not kept; nor is what `environment.store` has not written yet.
        Returns the event that was emitted.
        """
        ...
