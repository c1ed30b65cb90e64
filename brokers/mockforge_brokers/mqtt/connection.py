"""One MQTT client's connection: bursts in, packets out, from CONNECT to the end."""

from collections.abc import Mapping
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Final

from ..access import Guard
from ..bytes_io import ByteReader
from ..contract import Peer
from ..errors import ProtocolError
from ..fairness import Steps
from ..journal import Past, Row, Splitter
from ..misbehaviour.decisions import Changes
from ..misbehaviour.skimming import Look, ShapeSkimmer, Skimmer
from . import joining, lint, malformed, misbehaviour, rights, setting
from .again import again, remember_detailed
from .authentication import Proving
from .burst import ACK_SIZE, acknowledge, walk
from .codes import V5, V311, VERSION_NAMES, PacketType, Reason, dialect
from .explanations import Facts
from .handlers import HANDLERS, unexpected
from .lint_warnings import DOUBTFUL_TOPIC
from .listeners import AS_ALL
from .outlet import Outlet
from .past import past_of, splitter
from .rows import read_rows
from .state.session import LARGE, Session
from .state.verbatim import UNLIKE, Verbatim
from .wire.decode import decode_body
from .wire.packets import Disconnect, Publish, Will
from .wire.properties import Properties

if TYPE_CHECKING:
    from .broker import MqttBroker

_PUBLISH: Final = int(PacketType.PUBLISH)


class MqttConnection:
    """The protocol's life on one socket; `contract.Connection` says who calls what."""

    __slots__ = (
        "_now",
        "_opened",
        "_pieces",
        "aliases",
        "allowed",
        "bridge",
        "broker",
        "client",
        "closed",
        "counts",
        "guard",
        "incomplete",
        "keep_alive",
        "last_heard",
        "lasting",
        "like",
        "limit",
        "linted",
        "listener_options",
        "messages_in",
        "method",
        "named_choices",
        "options",
        "out",
        "outlet",
        "peer",
        "place",
        "proving",
        "receive_maximum",
        "session",
        "turn",
        "unanswered",
        "unfinished",
        "verbatim",
        "version",
        "wanted",
        "work",
    )

    def __init__(self, broker: "MqttBroker", peer: Peer) -> None:
        environment = broker.environment
        self.broker = broker
        self.peer = peer
        self.counts = counts = broker.counts
        self.outlet = Outlet(environment.clock, broker.renderer, counts, peer, self.disconnect)
        self.out = self.outlet.out
        self.client = ""
        self.bridge = False
        """Another broker's: it gets nothing back that it sent, and retain flags as they are."""
        self.version = V311
        self.keep_alive = 0
        self._now = environment.clock.now
        self.last_heard = self._opened = self._now()
        self.allowed = 0.0
        """Seconds that it may be silent, as `SilenceWatch.allow` was told; 0: for ever."""
        self.place = place = peer.listener.name
        """What its listener is called."""
        self.listener_options = own = broker.listeners.get(place, AS_ALL)
        self.options = broker.options if own is AS_ALL else broker.options_with(own)
        """The broker's, as they are at its listener."""
        self.limit = own.packet or environment.limits.mqtt_packet
        """Our Maximum Packet Size."""
        self.receive_maximum = self.options.receive_maximum
        self.turn = environment.turn
        self.unfinished = False
        self.work: Steps | None = None
        """What a packet asked for and is not done yet: the packets behind it wait."""
        self.session: Session | None = None
        """Set from CONNACK on, until somebody else has it."""
        self.lasting = False
        """Its CONNECT asked for a session that outlives it, whether or not we let it."""
        self.method = ""
        """By which enhanced authentication it came in."""
        self.proving: Proving | None = None
        self.closed = False
        self.guard: Guard | None = None
        self.verbatim: dict[bytes, Verbatim] = {}
        self.like = UNLIKE
        self.aliases: dict[int, str] = {}
        """What the client's topic aliases stand for; kept for the journal's rows."""
        self.messages_in = 0
        self.wanted = 0
        """Bytes of the packet that is incomplete, where its header is there."""
        self.linted: frozenset[str] = frozenset()
        """Statements and habits that lint reported of it."""
        self.named_choices: frozenset[str] = frozenset()
        """Choices that were reported of it, of those that act again and again."""
        self.unanswered = 0
        """QoS 1 publishes of this burst, of which the client has no PUBACK yet."""
        self._pieces: list[bytes | memoryview] = []
        self.incomplete = 0
        """Bytes of the pieces, which begin a packet that is incomplete or was not handled yet."""
        broker.silence.allow(self, broker.options.connect_timeout)

    def version_name(self) -> str:
        return VERSION_NAMES[self.version]

    def state(self) -> str:
        """How people see it."""
        if self.session is None:
            return "handshake"
        return "open" if self.session.ready else "slow"

    @property
    def topic_ids(self) -> int:
        """How many topics it registered to name them by numbers (MQTT-SN)."""
        return 0

    def add_detail(self, detail: dict[str, object]) -> None:
        """What people see of it beside what all connections have."""

    # What transport calls.

    @property
    def bulky(self) -> bool:
        return self.outlet.bulky

    @bulky.setter
    def bulky(self, value: bool) -> None:
        self.outlet.bulky = value

    def receive(self, data: bytes) -> int:
        if self.closed:
            return 0
        self.last_heard = self._now()
        if data:
            # Without bytes the same burst goes on, for which its last turn had no time.
            self.unanswered = 0
            like = self.like
            if like.size and data[0] == like.first:
                if again(self, data, like):
                    return 0
            elif len(data) == ACK_SIZE and acknowledge(self, data):
                return 0
        return self._take(data)

    def _take(self, data: bytes) -> int:
        """Walk over what came; returns how many bytes of it wait for more, or for their turn."""
        position, walked = 0, data
        try:
            if self._pieces:
                missing = self.wanted - self.incomplete
                if missing > len(data):
                    return self._keep(data)
                if 0 < missing < len(data) - LARGE:
                    # To put that packet together alone spares what comes behind it two copies: of
                    # large packets each burst ends in the midst of one.
                    self._keep(data[:missing])
                    walked = self.take_rest()
                    walk(self, walked, 0)
                    position = missing
                else:
                    self._keep(data)
                    data = self.take_rest()
            self.wanted = 0
            walked = data
            # As `work_on`, written out for what most are.
            self.unfinished = False
            if self.work is None or self.work_on():
                position = walk(self, data, position)
        except ProtocolError as error:
            joining.violated(self, error, walked)
            return 0
        if self.closed:
            return 0
        return self._keep(data, position) if position < len(data) else 0

    def _keep(self, data: bytes, position: int = 0) -> int:
        """Bytes from there on wait for more, or for their turn; returns how many do now."""
        left = len(data) - position
        # A view costs no copy, and keeps a whole burst.
        self._pieces.append(data[position:] if left < LARGE else memoryview(data)[position:])
        self.incomplete += left
        return self.incomplete

    @property
    def missing(self) -> int:
        # Of the next packet there may be a byte already that does not say how long it is.
        return max(0, self.wanted - self.incomplete)

    @property
    def expected(self) -> int:
        return 0

    def take_rest(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self.incomplete = 0
        return data

    def set_writable(self, writable: bool) -> None:
        # While the peer is slow its bytes are left unread: its silence is our doing.
        self.last_heard = self.broker.environment.clock.now() if writable else inf
        if self.session is not None:
            self.broker.router.set_ready(self.session, writable)
        self.unfinished = writable and self.work is not None

    def connection_lost(self, reason: str) -> None:
        self.closed = True
        self.work = None
        self._leave(publish_will=True)
        self.broker.silence.allow(self, 0)
        self.broker.forget(self)

    def let_go(self) -> None:
        self.outlet.let_go()

    def shutdown(self) -> None:
        self.disconnect(Reason.SERVER_SHUTTING_DOWN, "the broker ended")

    def past(self) -> Past:
        return past_of(self.client, self.limit, self.version, self.aliases)

    def splitter(self, direction: int) -> Splitter:
        return splitter(self.limit, direction)

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return read_rows(direction, frame, self.version, self.aliases)

    def parts(self, rows: list[Row]) -> list[Row]:
        return misbehaviour.parts(rows)

    def glance(self, direction: int, frame: bytes) -> Look | None:
        return misbehaviour.glance(frame)

    def skimmer(self, direction: int) -> Skimmer:
        return ShapeSkimmer(misbehaviour.find)

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        if not self.closed:
            self.last_heard = self.broker.environment.clock.now()
            try:
                misbehaviour.refuse(self, frame, parts, code, text)
            except ProtocolError as error:
                # It may be wrong beside that: a filter behind the one that is refused.
                joining.violated(self, error, frame)

    def edit(self, direction: int, frame: bytes, changes: Mapping[int, Changes]) -> bytes:
        return misbehaviour.edit(self.version, frame, changes)

    def set_fields(self, direction: int, frame: bytes, values: Mapping[str, str]) -> bytes:
        return setting.set_fields(self.version, frame, values)

    def malformed(self, name: str) -> bytes:
        return malformed.packet(name, self.version)

    def notify_blocked(self, reason: str | None) -> None:
        """MQTT has no words for it."""

    def body(self, frame: bytes) -> range:
        return misbehaviour.body(frame)

    def repeat(self, frame: bytes, *, dup: bool) -> None:
        self.receive(self.repeated(frame, dup=dup))

    def repeated(self, frame: bytes, *, dup: bool) -> bytes:
        return misbehaviour.repeated(frame) if dup else frame

    # What happens in here.

    def renew_guard(self) -> None:
        """What the client may do: who it is is known, or rules changed."""
        rules, session = self.broker.environment.access.rules, self.session
        self.guard = guard = rights.guard_of(self) if rules else None
        self.find_routes()
        if session is not None:
            session.reads = None if guard is None else rights.reads(guard)

    def find_routes(self) -> None:
        """Where the fast path looks; with a guard it finds nothing, since it asks nobody, nor where
        less is taken than by the listeners for which the routes were made."""
        broker = self.broker
        if self.guard is None and self.options.maximum_qos >= broker.options.maximum_qos:
            every = DOUBTFUL_TOPIC in self.linted
            self.verbatim = broker.router.verbatim(dialect(self.version), every)
        else:
            self.verbatim = {}
        if self.like is not UNLIKE:
            self._compare_with_nothing()

    def _compare_with_nothing(self) -> None:
        """The next publish is not like the last one, or there is none."""
        self.broker.router.alike.discard(self.like)
        self.like = UNLIKE

    def may_leave(self, will: Will) -> bool:
        """A will that may not be published is none; its client is let in, as Mosquitto does."""
        return not rights.denial_of_publish(self, will.topic_name)

    def handle(self, first: int, reader: ByteReader) -> None:
        """One packet that the fast path did not take; raises ProtocolError."""
        kind = first >> 4
        if kind != _PUBLISH:
            self.counts.received[kind] += 1
        if self.session is None:
            joining.take(self, first, reader)
            return
        packet = decode_body(first, reader, self.version)
        lint.check_text(self, packet)
        handler = HANDLERS.get(type(packet))
        if handler is None:
            raise unexpected(PacketType(kind))
        handler(self, packet)
        if isinstance(packet, Publish) and packet.properties and not self.closed:
            remember_detailed(self, reader.data)

    def begin(self, steps: Steps) -> None:
        """Do what a packet asks for; what there is no time for is done before the next packet."""
        self.work = steps if self.work is None else chain(self.work, steps)
        self.work_on()

    def work_on(self) -> bool:
        """Go on with what a packet asked for; True when nothing of it is left."""
        session, turn = self.session, self.turn
        self.unfinished = False
        if self.work is None:
            return True
        if session is not None and not session.ready:
            # The client takes no more for now: `set_writable` goes on.
            return False
        for _ in self.work:
            # What is large is written before more of it is made.
            if self.closed or turn.now() > turn.until or self.bulky:
                self.unfinished = True
                return False
            if session is not None and not session.ready:
                return False
        self.work = None
        return True

    @property
    def silent_since(self) -> float:
        """By the clock; before CONNECT single bytes do not count."""
        return self._opened if self.session is None else self.last_heard

    def silent_too_long(self) -> None:
        if self.session is None:
            text = f"no CONNECT within {self.allowed:g} s"
        else:
            # [MQTT-3.1.2-22] of MQTT 5, [MQTT-3.1.2-24] of 3.1.1.
            silent = self._now() - self.last_heard
            text = f"silent for {silent:.0f} s with a keep alive of {self.keep_alive} s"
        self.disconnect(Reason.KEEP_ALIVE_TIMEOUT, text)

    def disconnect(self, code: Reason, text: str, server: str = "", facts: Facts = ()) -> None:
        """End the connection from our side; MQTT 5 clients get the reason [MQTT-4.13.1-1].

        `server` is where they are to go (Server Reference).
        """
        if self.closed:
            return
        self.closed = True
        if self.version == V5 and self.session is not None:
            where: Properties = {"server_reference": server} if server else {}
            self.outlet.refuse(Disconnect(code, where), text, facts)
        self.peer.ending()
        self._leave(publish_will=True)
        self.peer.close(text)

    def disconnected(self, *, publish_will: bool) -> None:
        """The client said DISCONNECT."""
        self.closed = True
        self.peer.ending()
        self._leave(publish_will=publish_will)
        self.peer.close("the client disconnected")

    def _leave(self, *, publish_will: bool) -> None:
        if self.like is not UNLIKE:
            self._compare_with_nothing()
        session, self.session = self.session, None
        if session is not None and session.sink is self.outlet:
            self.broker.registry.close(session, publish_will=publish_will)
