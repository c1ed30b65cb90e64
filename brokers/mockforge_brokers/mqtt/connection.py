"""One MQTT client's connection: bursts in, packets out, from CONNECT to the end."""

from collections.abc import Callable, Hashable, Mapping
from functools import cache, partial
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Final

from ..access import Guard
from ..bytes_io import ByteReader
from ..contract import Peer
from ..errors import ProtocolError
from ..events import ProtocolViolated
from ..fairness import Steps
from ..first_bytes import misdirected
from ..journal import IN, Past, Row, Splitter
from ..misbehaviour.actions import Changes
from ..misbehaviour.skimming import Skim, Skimmer
from . import authentication, handshake, lint, misbehaviour, rights, setting
from .authentication import Proving
from .burst import walk
from .codes import V5, V311, VERSION_NAMES, PacketType, Reason, dialect
from .events import ConnectionRefused
from .explanations import Facts, facts_of
from .handlers import HANDLERS
from .lint_warnings import DOUBTFUL_TOPIC
from .outlet import Outlet
from .rows import read_rows
from .state.router import Verbatim
from .state.session import Session
from .wire.decode import UnsupportedVersion, decode_body
from .wire.frames import PacketSplitter
from .wire.packets import Auth, Connack, Connect, Disconnect, Will
from .wire.properties import Properties

if TYPE_CHECKING:
    from .broker import MqttBroker


_NO_ALIASES: Final[dict[int, str]] = {}


# Of thousands of tapes whose connections ended nearly all are read alike: they share these two.
@cache
def _reader(version: int) -> Callable[[int, bytes], list[Row]]:
    return partial(read_rows, version=version, aliases=_NO_ALIASES)


@cache
def _cutter(limit: int) -> Callable[[int], Splitter]:
    return partial(_splitter, limit)


def _splitter(limit: int, direction: int) -> Splitter:
    return PacketSplitter(limit) if direction == IN else PacketSplitter()


class MqttConnection:
    """The protocol's life on one socket; `contract.Connection` says who calls what."""

    __slots__ = (
        "_allowed",
        "_now",
        "_opened",
        "_rest",
        "aliases",
        "bridge",
        "broker",
        "client",
        "closed",
        "guard",
        "keep_alive",
        "last_heard",
        "limit",
        "linted",
        "messages_in",
        "method",
        "others_in",
        "out",
        "outlet",
        "peer",
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
        self.outlet = Outlet(environment.clock, broker.renderer, peer, self.disconnect)
        self.out = self.outlet.out
        self.client = ""
        self.bridge = False
        """Another broker's: it gets nothing back that it sent, and retain flags as they are."""
        self.version = V311
        self.keep_alive = 0
        self._now = environment.clock.now
        self.last_heard = self._opened = self._now()
        self._allowed = 0.0
        self.limit = environment.limits.mqtt_packet
        """Our Maximum Packet Size."""
        self.receive_maximum = broker.options.receive_maximum
        self.turn = environment.turn
        self.unfinished = False
        self.work: Steps | None = None
        """What a packet asked for and is not done yet: the packets behind it wait."""
        self.session: Session | None = None
        """Set from CONNACK on, until somebody else has it."""
        self.method = ""
        """By which enhanced authentication it came in."""
        self.proving: Proving | None = None
        self.closed = False
        self.guard: Guard | None = None
        self.verbatim: dict[bytes, Verbatim] = {}
        self.aliases: dict[int, str] = {}
        """What the client's topic aliases stand for; kept for the journal's rows."""
        self.messages_in = 0
        self.others_in = 0
        """Packets that are no PUBLISH."""
        self.wanted = 0
        """Bytes of the packet that is incomplete, where its header is there."""
        self.linted: frozenset[str] = frozenset()
        """Statements and habits that lint reported of it."""
        self.unanswered = 0
        """QoS 1 publishes of this burst, of which the client has no PUBACK yet."""
        self._rest = bytearray()
        self.allow_silence(broker.options.connect_timeout)

    @property
    def version_name(self) -> str:
        return VERSION_NAMES[self.version]

    @property
    def answers_publish(self) -> bool:
        """A refused PUBLISH is answered with why (MQTT 5)."""
        return self.version == V5

    @property
    def state(self) -> str:
        """How people see it."""
        if self.session is None:
            return "handshake"
        return "open" if self.session.ready else "slow"

    @property
    def topic_ids(self) -> int:
        """How many topics it registered to name them by numbers (MQTT-SN)."""
        return 0

    @property
    def detail(self) -> dict[str, object]:
        """What people see of it beside what all connections have."""
        return {}

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
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self.wanted:
                return len(rest)
            data = bytes(rest)
            rest.clear()
        self.wanted = self.unanswered = 0
        try:
            position = walk(self, data) if self.work_on() else 0
        except ProtocolError as error:
            self._violated(error, data)
            return 0
        if self.closed:
            return 0
        if position < len(data):
            rest += data[position:]
        return len(rest)

    @property
    def incomplete(self) -> int:
        """Bytes of a packet that came in part."""
        return len(self._rest)

    def take_rest(self) -> bytes:
        data = bytes(self._rest)
        self._rest.clear()
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
        self.allow_silence(0)
        self.broker.forget(self)
        self.outlet.let_go()

    def shutdown(self) -> None:
        self.disconnect(Reason.SERVER_SHUTTING_DOWN, "the broker ended")

    def past(self) -> Past:
        version, aliases = self.version, self.aliases
        if not aliases:
            return Past(self.client, _cutter(self.limit), _reader(version))
        reader = partial(read_rows, version=version, aliases=aliases)
        return Past(self.client, _cutter(self.limit), reader, sum(map(len, aliases.values())))

    def splitter(self, direction: int) -> Splitter:
        return _splitter(self.limit, direction)

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return read_rows(direction, frame, self.version, self.aliases)

    def parts(self, rows: list[Row]) -> list[Row]:
        return misbehaviour.parts(rows)

    def glance(self, direction: int, frame: bytes) -> tuple[Hashable, bool] | None:
        return misbehaviour.glance(frame)

    def skimmer(self, direction: int) -> Skim:
        return Skimmer(misbehaviour.find)

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        if not self.closed:
            self.last_heard = self.broker.environment.clock.now()
            misbehaviour.refuse(self, frame, parts, code, text)

    def edit(self, direction: int, frame: bytes, changes: Mapping[int, Changes]) -> bytes:
        for number, each in changes.items():
            frame = misbehaviour.edit(self.version, frame, number, each)
        return frame

    def set_fields(self, direction: int, frame: bytes, values: Mapping[str, str]) -> bytes:
        return setting.set_fields(self.version, frame, values)

    def notify_blocked(self, reason: str | None) -> None:
        """MQTT has no words for it."""

    def body(self, frame: bytes) -> range:
        return misbehaviour.body(frame)

    def repeat(self, frame: bytes, *, dup: bool) -> None:
        self.receive(misbehaviour.repeated(frame) if dup else frame)

    def repeated(self, frame: bytes, *, dup: bool) -> bytes:
        return misbehaviour.repeated(frame) if dup else frame

    # What happens in here.

    def renew_guard(self) -> None:
        """What the client may do: who it is is known, or rules changed."""
        rights.renew_guard(self)

    def find_routes(self) -> None:
        """Where the fast path looks; with a guard it finds nothing, since it asks nobody."""
        every = DOUBTFUL_TOPIC in self.linted
        ours = self.guard is None
        self.verbatim = self.broker.router.verbatim(dialect(self.version), every) if ours else {}

    def may_leave(self, will: Will | None) -> bool:
        """A will that may not be published is none; its client is let in, as Mosquitto does."""
        return will is None or not rights.denial_of_publish(self, will.topic_name)

    def handle(self, first: int, reader: ByteReader) -> None:
        """One packet that the fast path did not take; raises ProtocolError."""
        if first >> 4 != PacketType.PUBLISH:
            self.others_in += 1
        if self.session is None:
            if self.proving is None:
                self._begin(first, reader)
            else:
                self._go_on(first, reader)
            return
        packet = decode_body(first, reader, self.version)
        lint.check_text(self, packet)
        handler = HANDLERS.get(type(packet))
        if handler is None:
            kind = PacketType(first >> 4)
            text = f"{kind.name} is not for a client to send [MQTT 2.1.2]"
            if kind is PacketType.CONNECT:
                text = "a second CONNECT on one connection [MQTT-3.1.0-2]"
            raise ProtocolError(text, Reason.PROTOCOL_ERROR)
        handler(self, packet)

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

    def allow_silence(self, seconds: float) -> None:
        """End the connection when nothing comes for so long; 0: never."""
        silence, before = self.broker.silence, self._allowed
        if seconds == before:
            return
        self._allowed = seconds
        if before > 0:
            silence.remove(self, before)
        if seconds > 0:
            silence.add(self, seconds)

    def silent_too_long(self) -> None:
        if self.session is None:
            self.disconnect(Reason.KEEP_ALIVE_TIMEOUT, f"no CONNECT within {self._allowed:g} s")
            return
        # [MQTT-3.1.2-22] of MQTT 5, [MQTT-3.1.2-24] of 3.1.1.
        silent = self.broker.environment.clock.now() - self.last_heard
        self.disconnect(
            Reason.KEEP_ALIVE_TIMEOUT,
            f"silent for {silent:.0f} s with a keep alive of {self.keep_alive} s",
        )

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
        self._leave(publish_will=True)
        self.peer.close(text)

    def disconnected(self, *, publish_will: bool) -> None:
        """The client said DISCONNECT."""
        self.closed = True
        self._leave(publish_will=publish_will)
        self.peer.close("the client disconnected")

    def expect_connect(self, first: int) -> None:
        """Before CONNECT nothing else is worth waiting for its end."""
        kind = first >> 4
        if self.proving is not None:
            if kind not in (PacketType.AUTH, PacketType.DISCONNECT):
                raise ProtocolError(
                    f"packet type {kind} before CONNACK: AUTH or DISCONNECT was due "
                    "[MQTT-3.1.2-30]",
                    Reason.PROTOCOL_ERROR,
                )
        elif kind != PacketType.CONNECT:
            raise ProtocolError(
                f"the first packet is of type {kind}, not CONNECT [MQTT-3.1.0-1]",
                Reason.PROTOCOL_ERROR,
            )

    def _begin(self, first: int, reader: ByteReader) -> None:
        try:
            packet = decode_body(first, reader, self.version)
        except UnsupportedVersion as error:
            # A client of a version that we do not know reads what 3.1.1 has for this.
            self.refuse_connect(Connack(1), error)
            return
        assert isinstance(packet, Connect)
        self.version = self.outlet.version = packet.version
        # For a refusal too [MQTT-3.2.2-19].
        self.outlet.maximum = packet.properties.get("maximum_packet_size")
        self.client = packet.client_id
        self.bridge = packet.bridge
        lint.check_text(self, packet)
        try:
            handshake.check(packet, self.broker.options)
            self.broker.redirects.check(packet.client_id)
            if "authentication_method" in packet.properties:
                authentication.begin(self, packet)
            else:
                rights.log_in(self, packet)
                handshake.accept(self, packet)
        except handshake.Refused as error:
            if isinstance(error, handshake.NotServed):
                self.broker.environment.unserved.report(
                    "mqtt", self.peer.id, self.client, error.feature, error.text
                )
            self._refuse(error)

    def _go_on(self, first: int, reader: ByteReader) -> None:
        """AUTH or DISCONNECT between CONNECT and CONNACK."""
        packet = decode_body(first, reader, self.version)
        if not isinstance(packet, Auth):
            self.disconnected(publish_will=False)
            return
        try:
            authentication.go_on(self, packet)
        except handshake.Refused as error:
            self._refuse(error)

    def _refuse(self, error: handshake.Refused) -> None:
        """A CONNECT is not taken; where it began to prove who it is, that failed."""
        if self.proving is not None:
            authentication.failed(self, error)
        self.refuse_connect(handshake.refusal(self.version, error), error)

    def refuse_connect(self, answer: Connack | None, error: ProtocolError) -> None:
        """Answer a CONNECT that is refused, and end."""
        self.closed = True
        lint.count_violation(self, error)
        self._answer_refusal(answer, error)
        self.broker.environment.spine.emit(
            ConnectionRefused("mqtt", self.peer.id, self.client, error.code, error.text)
        )
        self.peer.close(error.text)

    def _answer_refusal(self, answer: Connack | None, error: ProtocolError) -> None:
        if answer is not None:
            self.outlet.refuse(answer, error.text, facts_of(error))

    def _violated(self, error: ProtocolError, data: bytes) -> None:
        environment = self.broker.environment
        if error.code == Reason.PACKET_TOO_LARGE:
            environment.usage.count("mqtt_packet")
        stray = self.session is None and misdirected(
            data, self.peer.listener, environment.listeners
        )
        if stray:
            error.text = stray
        else:
            lint.count_violation(self, error)
        environment.spine.emit(ProtocolViolated("mqtt", self.peer.id, self.client, error.text))
        if self.session is None and (self.proving or handshake.begins_as_mqtt_5(data)):
            # A broken CONNECT too is answered where its version can be read [MQTT-4.13.1-2].
            self.version = self.outlet.version = V5
            self._answer_refusal(handshake.refusal(V5, error), error)
        code = Reason(error.code or Reason.MALFORMED_PACKET)
        self.disconnect(code, error.text, facts=facts_of(error))

    def _leave(self, *, publish_will: bool) -> None:
        self.peer.ending()
        session, self.session = self.session, None
        if session is not None and session.sink is self.outlet:
            self.broker.registry.close(session, publish_will=publish_will)
