"""The way out to one client: packets and messages as bytes, by its version and its limits."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from ..clock import Clock
from ..contract import Peer
from ..errors import ProtocolError
from ..journal import OUT
from . import handshake
from .codes import V5, V311, PacketType, Reason, dialect
from .counting import PacketCounts
from .explanations import Facts, explanations, facts_of
from .records import Message
from .state.session import LARGE
from .wire.encode import IDS, encode_ack, encode_packet
from .wire.packets import Ack, Auth, Connack, Disconnect, Packet, Suback, Unsuback
from .wire.publish import PublishRenderer, render_publish, with_dup

_CONNACK: Final = int(PacketType.CONNACK)
_LET_IN: Final = (b"\x20\2\0\0", b"\x20\2\1\0")
"""CONNACK, without and with Session Present."""


class Outlet:
    """What is written to one client: the `Sink` that its session has while it is connected."""

    __slots__ = (
        "_aliases",
        "_clock",
        "_counts",
        "_peer",
        "_renderer",
        "alias_maximum",
        "bulky",
        "close",
        "connection",
        "explains",
        "maximum",
        "messages_out",
        "out",
        "version",
        "wake",
        "work",
    )

    def __init__(
        self,
        clock: Clock,
        renderer: PublishRenderer,
        counts: PacketCounts,
        peer: Peer,
        close: Callable[[Reason, str], None],
    ) -> None:
        self.connection = peer.id
        self.out: list[bytes] = []
        self.bulky = False
        self.wake = peer.wake
        self.work = peer.work
        self.close = close
        self.version = V311
        self.maximum: int | None = None
        """The client's Maximum Packet Size."""
        self.explains = True
        """It takes reason strings (Request Problem Information)."""
        self.alias_maximum = 0
        self.messages_out = 0
        self._clock = clock
        self._counts = counts
        self._peer = peer
        self._renderer = renderer
        self._aliases: dict[str, int] | None = None
        """By topic, where any was set."""

    def let_go(self) -> None:
        """Know its connection no more."""
        self.close = _closed

    @property
    def dialect(self) -> int:
        """0 for a client with limits of its own: it takes no packet as it is."""
        if self.maximum is not None or self.alias_maximum:
            return 0
        return dialect(self.version)

    @property
    def answers_publish(self) -> bool:
        """A refused PUBLISH is answered with why; before MQTT 5 there is no word for it."""
        return self.version == V5

    @property
    def asleep(self) -> bool:
        return False

    @property
    def backlog(self) -> int:
        return self._peer.waiting

    def send(self, packet: Packet) -> bool:
        """Append a packet; False when it is larger than the client takes."""
        data = encode_packet(packet, self.version)
        if self.maximum is not None and len(data) > self.maximum:
            return False
        self.out.append(data)
        self._count(data[0] >> 4, packet)
        self.wake()
        return True

    def let_in(self, *, present: bool) -> None:
        """CONNACK with code 0 and no properties: as all get it before MQTT 5."""
        self.out.append(_LET_IN[present])
        self._counts.sent[_CONNACK] += 1
        self.wake()

    def _count(self, kind: int, packet: Packet) -> None:
        self._counts.sent[kind] += 1
        match packet:
            case Suback() | Unsuback():
                self._counts.codes(OUT, kind, packet.codes, self.version)
            case Connack() | Disconnect() | Ack() | Auth() if packet.code:
                self._counts.codes(OUT, kind, (packet.code,), self.version)

    def takes(self, packet: Packet) -> bool:
        """Whether the client takes a packet of this size."""
        return self.maximum is None or len(encode_packet(packet, self.version)) <= self.maximum

    def answer(self, packet: Packet) -> None:
        """Append what the client waits for; one that it does not take ends the connection."""
        if not self.send(packet):
            kind = type(packet).__name__.upper()
            self.close(
                Reason.PACKET_TOO_LARGE,
                f"{kind} is larger than the client's Maximum Packet Size of {self.maximum} "
                "[MQTT-3.1.2-24]",
            )

    def explain(self, packet: Suback | Unsuback | Ack, text: str, facts: Facts = ()) -> None:
        """`answer`, with as much of the explanation as the client takes [MQTT-3.1.2-29]."""
        if not (self.explains and self._send_explained(packet, text, facts)):
            self.answer(packet)

    def refuse(self, packet: Connack | Disconnect, text: str, facts: Facts = ()) -> None:
        """The last packet of a connection: without what makes it too large for the client.

        Request Problem Information leaves these two to the server [MQTT-3.1.2-29].
        """
        if not (self._send_explained(packet, text, facts) or self.send(packet)):
            self.send(replace(packet, properties={}))

    def refuse_connect(self, error: ProtocolError) -> None:
        """The CONNACK that says no, if this client's version has one for it."""
        answer = handshake.refusal(self.version, error)
        if answer is not None:
            self.refuse(answer, error.text, facts_of(error))

    def _send_explained(
        self, packet: Suback | Unsuback | Ack | Connack | Disconnect, text: str, facts: Facts
    ) -> bool:
        """False when nothing of it has room [MQTT-3.4.2-2] [MQTT-3.4.2-3]."""
        return (
            self.version == V5
            and text != ""
            and any(
                self.send(replace(packet, properties=packet.properties | more))
                for more in explanations(text, facts)
            )
        )

    def acknowledge(self, kind: PacketType, packet_id: int, code: int = 0) -> None:
        """Append a PUBACK, PUBREC, PUBREL or PUBCOMP; only MQTT 5 has a code."""
        code = code if self.version == V5 else 0
        self.out.append(encode_ack(kind, packet_id, code))
        self._counts.sent[kind] += 1
        if code:
            self._counts.codes(OUT, kind, (code,), V5)
        self.wake()

    def release(self, packet_id: int) -> None:
        self.acknowledge(PacketType.PUBREL, packet_id)

    def deliver(self, packet_id: int, message: Message, dup: bool = False) -> bool:
        """Append a PUBLISH; False when it is larger than the client takes."""
        if self.alias_maximum:
            head, tail = self._with_alias(message)
        else:
            head, tail = self._renderer.render(message, self.version, self._clock.now())
        if self.maximum is not None and len(head) + len(tail) + 2 * bool(packet_id) > self.maximum:
            return False
        if self.alias_maximum:
            self._keep_alias(message.topic_name)
        if dup:
            head = with_dup(head)
        # Three pieces in the place of one copy: head and tail are rendered once for all takers, and
        # only the packet identifier is this client's own.
        self.out += (head, IDS[packet_id], tail) if packet_id else (head, tail)
        if len(tail) > LARGE:
            self.bulky = True
        self.messages_out += 1
        self._counts.payload_out += len(message.payload)
        self.wake()
        return True

    def _with_alias(self, message: Message) -> tuple[bytes, bytes]:
        aliases = self._aliases or {}
        alias = aliases.get(message.topic_name)
        known = alias is not None
        # The first topics keep their aliases; all others are sent with their names.
        if alias is None and len(aliases) < self.alias_maximum:
            alias = len(aliases) + 1
        now = self._clock.now()
        return render_publish(message, self.version, now, alias=alias or 0, topic=not known)

    def _keep_alias(self, topic_name: str) -> None:
        # Only once its packet goes out: of one that is too large the client hears nothing.
        if self._aliases is None:
            self._aliases = {}
        if topic_name not in self._aliases and len(self._aliases) < self.alias_maximum:
            self._aliases[topic_name] = len(self._aliases) + 1


def _closed(code: Reason, reason: str) -> None:
    """A connection that is over is closed."""
