"""The way out to one MQTT-SN client: what the broker has for it, as messages and topic ids.

A PUBLISH can name a topic only by an id that the client knows, so a new topic waits for REGISTER
and REGACK, and what is behind it waits with it, or messages of one topic would overtake each other.
QoS 1 and 2 have a window of one (6.6), which the session keeps; QoS 0 may pile up here, and is
bounded as what a slow client has not read is (`mqtt_backlog`), and in number as what waits in a
session is (`mqtt_session_queue`).

What waits of a topic that the client rejected is given up when its turn comes: to look for it among
all that waits would cost as much for each topic as there are messages.
"""

from collections import deque
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from ...clock import Clock
from ...contract import Peer
from ...errors import ProtocolError
from ...journal import OUT
from ..codes import FAILURE, PacketType, Reason
from ..counting import PacketCounts
from ..explanations import Facts
from ..outlet import Outlet
from ..records import Message, cost_of
from ..wire.packets import Ack, Connack, Disconnect, Packet, Pingresp, Suback, Unsuback
from ..wire.publish import PublishRenderer
from . import messages as sn
from .codec import TYPE_OF, encode
from .messages import ReturnCode, SnMessage, TopicIdType
from .retries import Retries

if TYPE_CHECKING:
    from .gateway import Gateway
    from .topics import TopicIds

LARGEST: Final = 65_507 - 255
"""Octets of a message: what a datagram of IPv4 takes, less what a forwarder needs."""

REGISTER: Final = "REGISTER"
"""The key of the one REGISTER that may be unanswered."""

CONGESTED: Final = frozenset(
    {
        Reason.SERVER_UNAVAILABLE,
        Reason.SERVER_BUSY,
        Reason.SERVER_SHUTTING_DOWN,
        Reason.QUOTA_EXCEEDED,
        Reason.MESSAGE_RATE_TOO_HIGH,
        Reason.CONNECTION_RATE_EXCEEDED,
        Reason.RECEIVE_MAXIMUM_EXCEEDED,
    }
)
_NO_TOPIC: Final = frozenset({Reason.TOPIC_NAME_INVALID, Reason.TOPIC_ALIAS_INVALID})


def return_code(code: int) -> ReturnCode:
    """What MQTT-SN has for a reason code: of 5.3.10 there are three to say no with."""
    if code < FAILURE:
        return ReturnCode.ACCEPTED
    if code in CONGESTED:
        return ReturnCode.CONGESTION
    return ReturnCode.INVALID_TOPIC_ID if code in _NO_TOPIC else ReturnCode.NOT_SUPPORTED


class _Waiting(NamedTuple):
    number: int
    """In the order in which they came."""
    packet_id: int
    message: Message
    dup: bool


class Client(Protocol):
    """What the connection hears of its outlet."""

    def rejected(self, topic_name: str, packet_id: int) -> None:
        """The client takes nothing of this topic; `packet_id` is that of a message, or 0."""
        ...

    def topics_full(self) -> None:
        """No topic id is free; that is counted."""
        ...

    def no_answer(self, text: str) -> None:
        """It did not answer what it was asked several times."""
        ...

    def has_room(self, count: int, backlog: int) -> bool:
        """Whether a QoS 0 message may wait behind so many of so many bytes.

        One that may not is counted.
        """
        ...


class SnOutlet(Outlet):
    """`Outlet` of a client that speaks MQTT-SN; `awake` while it may be sent to."""

    __slots__ = (
        "_client",
        "_going_on",
        "_last",
        "_message_id",
        "_queue",
        "_queued_bytes",
        "_registered_again",
        "_rejected",
        "answering",
        "awake",
        "granted",
        "retries",
        "topics",
    )

    topics: "TopicIds"
    """Those of its client, from CONNECT on."""

    def __init__(
        self,
        clock: Clock,
        renderer: PublishRenderer,
        counts: PacketCounts,
        peer: Peer,
        close: Callable[[Reason, str], None],
        gateway: "Gateway",
        client: Client,
    ) -> None:
        super().__init__(clock, renderer, counts, peer, close)
        self.maximum = LARGEST
        self.awake = True
        self.answering = 0
        """The topic id of the PUBLISH that is served: PUBACK repeats it."""
        self.granted: dict[int, int] = {}
        """Topic ids for SUBACK, by message id."""
        self._client = client
        options = gateway.options
        self.retries = Retries(clock, options.sn_retry, options.sn_retries, self._again, self._lost)
        self._message_id = 0
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        """Of payloads and topic names."""
        self._last = 0
        """The number of the message that came last."""
        self._rejected: dict[str, int] = {}
        """Topics that the client rejected, with the last message that came before it did."""
        self._going_on = False
        self._registered_again = 0
        """The packet id of a message whose topic had to be registered once more."""

    @property
    def dialect(self) -> int:
        """It takes no packet of MQTT as it is."""
        return 0

    @property
    def answers_publish(self) -> bool:
        return True

    @property
    def asleep(self) -> bool:
        return not self.awake

    @property
    def backlog(self) -> int:
        return super().backlog + self._queued_bytes

    @property
    def idle(self) -> bool:
        """Nothing waits for a topic id or for the client to wake up."""
        return not self._queue

    def write(self, message: SnMessage) -> None:
        """Append a message that needs no answer."""
        self.out.append(encode(message))
        self._counts.other(OUT, TYPE_OF[type(message)].name)
        self.wake()

    def ask(self, key: Hashable, message: SnMessage) -> None:
        """Append one that the client has to answer."""
        data = encode(message)
        self.out.append(data)
        self._counts.other(OUT, TYPE_OF[type(message)].name)
        self.retries.expect(key, TYPE_OF[type(message)].name, data)
        self.wake()

    def _again(self, data: bytes) -> None:
        self.out.append(data)
        self.wake()

    def _lost(self, what: str, tries: int) -> None:
        text = f"it did not answer {what}, nor {tries} retransmissions [MQTT-SN 6.13]"
        self._client.no_answer(text)

    # What MQTT's handlers answer, as MQTT-SN has it.

    def let_in(self, *, present: bool) -> None:
        # Its CONNACK does not say whether the session was there.
        self.write(sn.Connack(ReturnCode.ACCEPTED))

    def send(self, packet: Packet) -> bool:
        match packet:
            case Pingresp():
                self.write(sn.Pingresp())
            case Suback(packet_id=message_id, codes=[code]):
                topic_id = self.granted.pop(message_id, 0)
                refused = return_code(code)
                self.write(sn.Suback(0 if refused else topic_id, message_id, refused, code & 3))
            case Unsuback(packet_id=message_id):
                self.write(sn.Unsuback(message_id))
            case Ack():
                self.acknowledge(packet.type, packet.packet_id, packet.code)
            case Disconnect():
                self.write(sn.Disconnect())
            case _:
                raise AssertionError(f"{packet!r} is not for an MQTT-SN client")
        return True

    def takes(self, packet: Packet) -> bool:
        return True

    def answer(self, packet: Packet) -> None:
        self.send(packet)

    def explain(self, packet: Suback | Unsuback | Ack, text: str, facts: Facts = ()) -> None:
        self.send(packet)

    def refuse(self, packet: Connack | Disconnect, text: str, facts: Facts = ()) -> None:
        self.send(packet)

    def refuse_connect(self, error: ProtocolError) -> None:
        # Whatever is wrong has a return code here, at least "not supported".
        self.write(sn.Connack(return_code(error.code or 0) or ReturnCode.NOT_SUPPORTED))

    def acknowledge(self, kind: PacketType, packet_id: int, code: int = 0) -> None:
        refused = return_code(code)
        if kind is PacketType.PUBACK or refused:
            # A PUBLISH is refused by PUBACK whatever its QoS (6.6).
            self.write(sn.Puback(self.answering, packet_id, refused))
        elif kind is PacketType.PUBREC:
            self.write(sn.Pubrec(packet_id))
        elif kind is PacketType.PUBREL:
            self.ask(packet_id, sn.Pubrel(packet_id))
        else:
            self.write(sn.Pubcomp(packet_id))

    # Messages.

    def deliver(self, packet_id: int, message: Message, dup: bool = False) -> bool:
        size = len(message.payload)
        if size + len(message.topic_name.encode()) + 16 > LARGEST:
            # What fits neither REGISTER nor PUBLISH is given up without a word (6.10).
            return False
        waiting = 0 if packet_id else len(self._queue)
        if waiting and not self._client.has_room(waiting, self.backlog):
            return True
        self._last += 1
        self._queue.append(_Waiting(self._last, packet_id, message, dup))
        self._queued_bytes += cost_of(message)
        self.go_on()
        return True

    def go_on(self) -> None:
        """Send what waits, up to the first message whose topic the client does not know."""
        if self._going_on:
            # A message was given up, and so the session hands the next one to `deliver`: the loop
            # below goes on with it. In a call of its own each would be as deep as all before it.
            return
        self._going_on = True
        try:
            while self._queue and self.awake and not self.registering:
                self._send_first()
        finally:
            self._going_on = False
        if not self._queue:
            self._rejected.clear()

    def _send_first(self) -> None:
        """Or ask for an id of its topic; without one it is given up."""
        first = self._queue[0]
        topic_name = first.message.topic_name
        if first.number <= self._rejected.get(topic_name, 0):
            self._give_up_first()
            return
        kind, number = self.topics.id_for(topic_name)
        if number:
            self._take_first()
            self._publish(first.packet_id, first.message, first.dup, kind, number)
        elif not self._register(topic_name):
            # There are as many ids as may be: nothing of this topic can be sent.
            self._client.topics_full()
            self._give_up_first()

    def _take_first(self) -> _Waiting:
        first = self._queue.popleft()
        self._queued_bytes -= cost_of(first.message)
        return first

    def _give_up_first(self) -> None:
        first = self._take_first()
        self._client.rejected(first.message.topic_name, first.packet_id)

    @property
    def registering(self) -> bool:
        return self.retries.expects(REGISTER)

    def _publish(
        self, packet_id: int, message: Message, dup: bool, kind: TopicIdType, number: int
    ) -> None:
        packet = sn.Publish(
            number, bytes(message.payload), message.qos, message.retain, packet_id, kind, dup
        )
        data = encode(packet)
        self.out.append(data)
        self.messages_out += 1
        self._counts.payload_out += len(message.payload)
        if packet_id:
            # The flags' highest bit is DUP: behind the length and the type.
            again = bytearray(data)
            again[4 if data[0] == 1 else 2] |= 0x80
            self.retries.expect(packet_id, f"PUBLISH {packet_id}", bytes(again))
        self.wake()

    def _register(self, topic_name: str) -> bool:
        """Tell the client an id; False when none is free."""
        number = self.topics.register(topic_name)
        if number:
            self._message_id = self._message_id % 0xFFFF + 1
            self.ask(REGISTER, sn.Register(self._message_id, topic_name, number))
        return number > 0

    def registered(self, answer: sn.Regack) -> None:
        """REGACK: what waited for it goes on, or is given up with its topic (6.10)."""
        name = self.topics.names.get(answer.topic_id)
        if name is None or answer.message_id != self._message_id:
            return
        if answer.code == ReturnCode.CONGESTION or not self.retries.settle(REGISTER):
            # It is asked again when its time is up.
            return
        if answer.code == ReturnCode.ACCEPTED:
            self.topics.known.add(name)
        else:
            self._rejected[name] = self._last
            self._client.rejected(name, 0)
        self.go_on()

    def unknown(self, topic_id: int, packet_id: int) -> bool:
        """The client does not know the id of a PUBLISH: True when it is registered once more."""
        name = self.topics.names.get(topic_id)
        if name is not None:
            self.topics.known.discard(name)
        again = bool(packet_id) and name is not None and packet_id != self._registered_again
        self._registered_again = packet_id if again else 0
        return again

    def pause(self) -> None:
        """The client sleeps: what it has not acknowledged is sent again by its session."""
        self.awake = False
        self.retries.settle_all()
        self._queue = deque(each for each in self._queue if not each.packet_id)
        self._queued_bytes = sum(cost_of(each.message) for each in self._queue)

    def take_over(self, other: "SnOutlet") -> None:
        """What waits at another address of the same client is sent here."""
        self._queue, other._queue = other._queue, deque()
        self._queued_bytes, other._queued_bytes = other._queued_bytes, 0
        self._rejected, self._last = other._rejected, other._last
        self.topics = other.topics
        # The ids are the same, the client has not moved away from itself.
        self._message_id = other._message_id
