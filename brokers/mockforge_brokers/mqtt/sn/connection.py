"""One MQTT-SN client, by its address, on a session of the MQTT broker.

`sleep` has the states of a client that is connected. Who is silent for longer than it said is lost,
and its will is published.

Bytes that are no message harm nobody: anybody can send them in another's name, and no answer is
due. They are reported, and with `--mqtt-lint strict` they end the connection.
"""

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from ...contract import Peer
from ...errors import InvalidInput, ProtocolError
from ...events import ProtocolViolated
from ...journal import IN, Past, Row, Splitter
from ...misbehaviour.decisions import Changes
from ...misbehaviour.skimming import Look, Skimmer
from .. import handshake, lint, rights
from ..codes import V311, Reason
from ..connection import MqttConnection
from ..explanations import Facts
from ..joining import refuse as refuse_connect
from ..state.session import Session
from ..wire.packets import Connect, Will
from . import joining, misbehaviour
from . import messages as sn
from .codec import SnSplitter, decode, pieces
from .gateway import Gateway
from .messages import QOS_MINUS_1, VERSION, ReturnCode, SnMessage
from .outlet import SnOutlet
from .requests import ANYBODY, HANDLERS, publish_minus_1
from .rows import kind_of, read_rows
from .sleep import Sleep, tolerated
from .topics import TopicIds

if TYPE_CHECKING:
    from ..broker import MqttBroker


class SnConnection(MqttConnection):
    """`MqttConnection` with MQTT-SN on the wire; what MQTT answers with an end has answers here."""

    __slots__ = ("_waiting", "gateway", "joining", "sleep", "will")

    outlet: SnOutlet

    def __init__(self, broker: "MqttBroker", gateway: Gateway, peer: Peer) -> None:
        super().__init__(broker, peer)
        self._waiting: deque[bytes] = deque()
        """Messages behind one whose work is not done."""
        self.gateway = gateway
        clock = broker.environment.clock
        self.outlet = SnOutlet(
            clock, broker.renderer, self.counts, peer, self.disconnect, gateway, self
        )
        self.outlet.topics = TopicIds(broker.options.sn_topics, 0)
        self.out = self.outlet.out
        self.version = self.outlet.version = V311
        self.sleep = Sleep(self)
        self.joining: joining.Joining | None = None
        """A CONNECT whose will is asked for."""
        self.will: Will | None = None
        """The will as the client gave it: it outlives a DISCONNECT (6.3)."""

    # What transport calls.

    def receive(self, data: bytes) -> int:
        if self.closed:
            return 0
        self.last_heard = self._now()
        self._waiting += pieces(data)
        while not self.closed and self.work_on() and self._waiting:
            self._serve(self._waiting.popleft())
        if self.sleep.awake and not self.closed:
            self._doze()
        return 0

    def set_writable(self, writable: bool) -> None:
        if self.sleep.active:
            super().set_writable(writable)

    def past(self) -> Past:
        names = partial(TopicIds.name, self.outlet.topics)
        reader = partial(read_rows, names=names)
        weight = sum(map(len, self.outlet.topics.names.values()))
        return Past(self.client, _splitter, reader, weight)

    def connection_lost(self, reason: str) -> None:
        self.outlet.retries.settle_all()
        super().connection_lost(reason)

    def splitter(self, direction: int) -> Splitter:
        return SnSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return read_rows(direction, frame, self.outlet.topics.name)

    def parts(self, rows: list[Row]) -> list[Row]:
        return rows

    def glance(self, direction: int, frame: bytes) -> Look | None:
        """A topic id says nothing without reading it."""
        return None

    def skimmer(self, direction: int) -> Skimmer:
        return Skimmer()

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        if not self.closed:
            misbehaviour.refuse(self, frame, code, text)

    def edit(self, direction: int, frame: bytes, changes: Mapping[int, Changes]) -> bytes:
        return misbehaviour.edit(frame, changes)

    def set_fields(self, direction: int, frame: bytes, values: Mapping[str, str]) -> bytes:
        return misbehaviour.set_fields(frame, values)

    def malformed(self, name: str) -> bytes:
        raise InvalidInput(f"MQTT-SN has no malformed message {name}: give the bytes (0x...)")

    def body(self, frame: bytes) -> range:
        return misbehaviour.body(frame)

    def repeated(self, frame: bytes, *, dup: bool) -> bytes:
        return misbehaviour.repeated(frame) if dup else frame

    # What happens in here.

    def version_name(self) -> str:
        return VERSION

    def state(self) -> str:
        return self.sleep.state if self.session is not None and self.asleep else super().state()

    @property
    def topic_ids(self) -> int:
        return len(self.outlet.topics)

    def add_detail(self, detail: dict[str, object]) -> None:
        detail["topic_ids"] = dict(self.outlet.topics.names)
        if self.peer.node:
            detail["node"] = self.peer.node
        if self.asleep:
            detail["sleeps"] = self.sleep.duration
        if self.outlet.retries.count:
            detail["retransmissions"] = self.outlet.retries.count

    @property
    def asleep(self) -> bool:
        return not self.sleep.active

    @property
    def in_session(self) -> Session:
        assert self.session is not None
        return self.session

    def find_routes(self) -> None:
        """It takes no way past `handle`."""

    def _serve(self, frame: bytes) -> None:
        try:
            message = decode(frame)
            if not isinstance(message, sn.Publish):
                self.counts.other(IN, kind_of(message))
            if len(frame) > self.limit:
                raise self._too_large(message, len(frame))
            self._handle(message)
        except ProtocolError as error:
            self._violated(error, frame)

    def _too_large(self, message: SnMessage, size: int) -> ProtocolError:
        self.broker.environment.usage.count("mqtt_packet")
        if isinstance(message, sn.Publish) and message.qos in (1, 2) and self.session is not None:
            # Or it would come again and again.
            code = ReturnCode.NOT_SUPPORTED
            self.outlet.write(sn.Puback(message.topic_id, message.message_id, code))
        return ProtocolError(
            f"{kind_of(message)} of {size} octets, and {self.limit} are taken here (packet)",
            Reason.PACKET_TOO_LARGE,
        )

    def _handle(self, message: SnMessage) -> None:
        handler = ANYBODY.get(type(message)) or joining.HANDLERS.get(type(message))
        if handler is not None:
            handler(self, message)
            return
        if isinstance(message, sn.Publish) and message.qos == QOS_MINUS_1:
            publish_minus_1(self, message)
            return
        handler = HANDLERS.get(type(message))
        if handler is None:
            raise ProtocolError(f"{kind_of(message)} is not for a client to send [MQTT-SN 5.4]")
        if self.session is None and not joining.found(self, message):
            # It is to connect again (6.12).
            self.outlet.write(sn.Disconnect())
            raise ProtocolError(f"{kind_of(message)} without a connection [MQTT-SN 6.12]")
        handler(self, message)

    def report(self, text: str) -> None:
        """The client broke the protocol, and has its answer."""
        lint.count_violation(self, ProtocolError(text, Reason.PROTOCOL_ERROR))
        event = ProtocolViolated("mqtt", self.peer.id, self.client, text)
        self.broker.environment.spine.emit(event)

    def _violated(self, error: ProtocolError, data: bytes) -> None:
        self.report(error.text)
        if self.broker.options.lint == "strict":
            self.disconnect(Reason.PROTOCOL_ERROR, error.text)

    def topics_full(self) -> None:
        """No topic id is free."""
        self.broker.environment.usage.met(
            "mqtt", "mqtt_sn_topics", f"client {self.client}", "topics not registered: {lost:,}"
        )

    def denial_unconnected(self, topic_name: str) -> str:
        """Why who is not connected may not publish there; empty if it may."""
        if self.session is None and not rights.lets_anonymous(self):
            why = "a user is wanted here, and MQTT-SN has none (--anonymous lets all in)"
            rights.report(self, "", f"publish {topic_name}", why)
            return why
        if self.session is None:
            self.renew_guard()
        return rights.denial_of_publish(self, topic_name)

    # CONNECT.

    def join(self, connect: sn.Connect, will: Will | None) -> None:
        """All that a CONNECT needs is here."""
        self.client = connect.client_id
        packet = Connect(
            connect.client_id,
            V311,
            connect.clean_session,
            connect.duration,
            will,
            # One QoS 1 or 2 message at a time (6.6).
            properties={"receive_maximum": 1},
        )
        try:
            handshake.check(packet, self.options)
            self.broker.redirects.check(packet.client_id)
            rights.log_in(self, packet)
            # Before it gets a place among those of whom more is kept.
            handshake.check_room(self, packet, connect.client_id)
            self._let_go(connect)
            kept = self.gateway.take_up(connect.client_id, clean=connect.clean_session)
            packet.will = self.will = will if connect.will else kept.will
            self.outlet.topics = kept.topics
            handshake.accept(self, packet)
        except handshake.Refused as error:
            refuse_connect(self, error)
            return
        if not connect.clean_session:
            self.gateway.keep(connect.client_id, kept, self.will)
        self.broker.silence.allow(self, tolerated(connect.duration))

    def _let_go(self, connect: sn.Connect) -> None:
        """A client that connects again where it is connected has its session from itself."""
        session, self.session = self.session, None
        self.sleep.end()
        self.outlet.awake = True
        if session is None:
            return
        if session.client_id != connect.client_id:
            self.broker.registry.close(session, publish_will=True)
            return
        self.broker.registry.leave_will(session, None)
        session.detach()

    def _doze(self) -> None:
        """Back to sleep once it has got and acknowledged everything."""
        session = self.in_session
        if not (session.queue or session.inflight) and self.outlet.idle:
            self.outlet.write(sn.Pingresp())
            self.sleep.again()

    # What the outlet reports.

    def rejected(self, topic_name: str, packet_id: int) -> None:
        session = self.session
        if session is None:
            return
        # A REGISTER that is rejected unsubscribes from its topic (6.10).
        self.broker.router.unsubscribe(session, topic_name)
        if packet_id:
            session.acknowledge(packet_id)

    def no_answer(self, text: str) -> None:
        if self.sleep.awake:
            # It went back to sleep without our PINGRESP.
            self.sleep.again()
        else:
            self.disconnect(Reason.KEEP_ALIVE_TIMEOUT, text)

    def has_room(self, count: int, backlog: int) -> bool:
        limits = self.broker.environment.limits
        met = "mqtt_backlog" if backlog >= limits.mqtt_backlog else ""
        if count >= limits.mqtt_session_queue:
            met = "mqtt_session_queue"
        if not met or self.session is None:
            return True
        self.session.dropped += 1
        self.broker.router.overflowed(self.session, met)
        return False

    # Its end.

    def silent_too_long(self) -> None:
        if self.session is not None and self.asleep:
            seconds = self.sleep.duration
            text = f"it said that it sleeps for {seconds} s and did not wake up [MQTT-SN 6.14]"
            self.disconnect(Reason.KEEP_ALIVE_TIMEOUT, text)
            return
        if self.session is None:
            # Nothing is wrong with who only looked for a gateway, or published with QoS -1.
            self.closed = True
            self.peer.close(f"nothing came for {self.allowed:g} s")
            return
        super().silent_too_long()

    def disconnect(self, code: Reason, text: str, server: str = "", facts: Facts = ()) -> None:
        if self.closed:
            return
        self.closed = True
        if self.session is not None:
            self.outlet.write(sn.Disconnect())
        self.peer.ending()
        self._leave(publish_will=True)
        self.peer.close(text)

    def _leave(self, *, publish_will: bool) -> None:
        self.sleep.end()
        super()._leave(publish_will=publish_will)


def _splitter(direction: int) -> Splitter:
    return SnSplitter()
