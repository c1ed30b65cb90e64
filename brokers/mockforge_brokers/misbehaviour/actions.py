"""What a rule can do to a frame: one struct for each action, and one table of them all.

Prompt, completion, help, fixture files and the guide read `ACTIONS`: an action exists once.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from msgspec import Struct

from ..errors import InvalidInput

Kind = Literal[
    "duration", "flag", "code", "text", "count", "size", "rate", "part", "fields", "packet"
]
Part = Literal["payload", "body", "head"]
PARTS: Final[tuple[Part, ...]] = ("payload", "body", "head")
_MOST_COPIES: Final = 1_000
_MOST_BITS: Final = 10_000
_MOST_JOINED: Final = 10_000


def _within(action: str, name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInput(f"fault {action}: {name} is {least} to {most:,}, not {value:,}")


class Delay(Struct, frozen=True):
    """The frame waits `duration` s, give or take `jitter` s, and what stands behind it too.

    `log_normal`: `duration` is the median, which one frame in six exceeds by `jitter` or more.
    """

    duration: float
    jitter: float = 0.0
    log_normal: bool = False

    def __post_init__(self) -> None:
        for name, value in (("duration", self.duration), ("jitter", self.jitter)):
            if value < 0:
                raise InvalidInput(f"fault delay: {name} is 0 or more, not {value:g}")
        if self.log_normal and not (self.duration and self.jitter):
            raise InvalidInput("fault delay: log_normal needs a duration and a jitter above 0")


class Throttle(Struct, frozen=True):
    """A connection's frames go on at most so many `bytes` and `messages` a second."""

    bytes: int | None = None
    messages: float | None = None

    def __post_init__(self) -> None:
        if self.bytes is None and self.messages is None:
            raise InvalidInput("fault throttle: give bytes a second, messages a second, or both")
        if self.bytes == 0 or self.messages == 0:
            raise InvalidInput("fault throttle: above 0; a black hole lets nothing pass")


class Disconnect(Struct, frozen=True):
    """The connection ends: before the frame's effect or `after` it, with FIN or a `reset`.

    `mid`: after half of the frame's bytes, which a client sees of what it gets.
    """

    reset: bool = False
    after: bool = False
    mid: bool = False

    def __post_init__(self) -> None:
        if self.after and self.mid:
            raise InvalidInput(
                "fault disconnect: after the frame's effect, or in the midst of it (mid): not both"
            )


class Blackhole(Struct, frozen=True):
    """From this frame on nothing passes, both ways or the rule's, and the socket stays open.

    For `duration` s, or until the rule ends; then the connection is reset, since what was lost
    does not come again.
    """

    duration: float | None = None


class Partition(Struct, frozen=True):
    """The network between this client and this broker or node is cut, and the socket stays open.

    What either side sends waits, as TCP keeps it, and goes on when the cut is mended: after
    `duration` s or when the rule ends. Who gave up meanwhile is found gone then.
    """

    duration: float | None = None


class Drop(Struct, frozen=True):
    """The frame vanishes: nobody ever gets it."""


class Duplicate(Struct, frozen=True):
    """The frame comes so many times more, as after a retry whose first try had arrived.

    What answers the repetitions of a request does not reach its client. `dup`: MQTT's flag is
    set on them. Of a large frame there are fewer (see `effects`), so that none fills the memory.
    """

    copies: int = 1
    dup: bool = False

    def __post_init__(self) -> None:
        # All of them are handled, or written, in one turn of the loop.
        _within("duplicate", "copies", self.copies, 1, _MOST_COPIES)


class Reorder(Struct, frozen=True):
    """The frame goes behind the next `behind` ones, or on alone after `wait` s."""

    behind: int = 1
    wait: float = 1.0


class Corrupt(Struct, frozen=True):
    """So many `bits` of the frame are flipped; its length stays right."""

    part: Part = "payload"
    bits: int = 1

    def __post_init__(self) -> None:
        _within("corrupt", "bits", self.bits, 1, _MOST_BITS)


class SetFields(Struct, frozen=True):
    """Fields of the frame get other values; `fields` is text by their specification's names."""

    fields: Mapping[str, str]


class Block(Struct, frozen=True):
    """No more is read of the connection, a frame of its client's included: for `duration` s or
    until the rule ends. What the client gets goes on.

    AMQP clients that ask for it are notified (connection.blocked, connection.unblocked).
    """

    duration: float | None = None
    reason: str = "low on memory"


class Truncate(Struct, frozen=True):
    """Only the first `keep` bytes of the frame go on (None: half): what follows is misread."""

    keep: int | None = None


class Slice(Struct, frozen=True):
    """The frame goes on in pieces of `size` bytes, one each `wait` s: no read has all of it.

    Larger frames have larger pieces, so that none has more than a thousand.
    """

    size: int = 1
    wait: float = 0.001

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InvalidInput(f"fault slice: size is 1 byte or more, not {self.size}")


class Join(Struct, frozen=True):
    """The frame waits until there are so many `frames`, itself included, and all go on in one
    piece: what comes behind it, whatever it is, is among them. At most `wait` s.
    """

    frames: int = 10
    wait: float = 0.1

    def __post_init__(self) -> None:
        _within("join", "frames", self.frames, 2, _MOST_JOINED)


class Refuse(Struct, frozen=True):
    """The request gets its protocol's own answer with an error code, and has no effect.

    `codes` is what the name `code` stands for, by protocol; other protocols' frames pass.
    """

    code: str
    codes: Mapping[str, int]
    text: str = ""


class Inject(Struct, frozen=True):
    """Bytes that no correct broker sends go to the client behind the frame, or `instead` of it.

    `packet` is one of the protocol's malformed packets by its name (`Protocol.malformed`), or the
    bytes themselves in hex, behind 0x.
    """

    packet: str
    instead: bool = False


class Watch(Struct, frozen=True):
    """The frame goes on as it is; the rule counts it, and others act on it all the same."""


Action = (
    Delay
    | Throttle
    | Disconnect
    | Blackhole
    | Partition
    | Drop
    | Duplicate
    | Reorder
    | Corrupt
    | Truncate
    | Slice
    | Join
    | SetFields
    | Inject
    | Watch
    | Block
    | Refuse
)


class Parameter(Struct, frozen=True):
    """A field of an action that people set; the one that is `leading` needs no name.

    A leading one is needed unless it is `optional`.
    """

    name: str
    kind: Kind
    help: str
    leading: bool = False
    optional: bool = False


class ActionKind(Struct, frozen=True):
    """An action as people meet it."""

    name: str
    action: type[Any]
    summary: str
    client_sees: str
    correct_client: str
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()


_KINDS: Final = (
    ActionKind(
        "delay",
        Delay,
        "lets the frame wait",
        "a slow network; what it sent behind the frame is late too",
        "waits, or gives up after its own time-out and tries again without doubling",
        (
            Parameter("duration", "duration", "how long", leading=True),
            Parameter("jitter", "duration", "more or less delay"),
            Parameter("log_normal", "flag", "most are quick, few are very late"),
        ),
        ("latency",),
    ),
    ActionKind(
        "throttle",
        Throttle,
        "lets a connection's frames go on at so many bytes or messages a second",
        "a thin line: answers and messages later and later, and backpressure on what it sends",
        "slows down with it, keeps its buffers bounded, and does not take slow for dead",
        (
            Parameter("bytes", "size", "bytes a second", leading=True, optional=True),
            Parameter("messages", "rate", "messages a second"),
        ),
        ("bandwidth",),
    ),
    ActionKind(
        "disconnect",
        Disconnect,
        "ends the connection",
        "the connection closed (or reset), its request perhaps carried out, perhaps not",
        "connects again with a growing pause and resends what was not confirmed",
        (
            Parameter("reset", "flag", "with a TCP reset"),
            Parameter("after", "flag", "the frame takes effect first"),
            Parameter("mid", "flag", "in the midst of the frame"),
        ),
    ),
    ActionKind(
        "blackhole",
        Blackhole,
        "lets nothing pass from here on, and leaves the socket open",
        "silence and no end of the connection: no answer, no heartbeat; a reset when it is over",
        "finds out by its own time-out, keep alive or heartbeat, and connects anew",
        (Parameter("duration", "duration", "how long", leading=True, optional=True),),
        ("timeout",),
    ),
    ActionKind(
        "partition",
        Partition,
        "cuts the network between some clients and a broker or node; when it is mended, what waited"
        " goes on",
        "silence while it lasts; then, if neither side gave up, all that was sent, in order. Other"
        " clients see nothing of it meanwhile: its will or its session's end at most",
        "gives up by its own time-out, connects elsewhere or anew, and expects that what it sent"
        " before may still arrive",
        (Parameter("duration", "duration", "how long", leading=True, optional=True),),
    ),
    ActionKind(
        "drop",
        Drop,
        "makes the frame vanish",
        "silence: no answer, no message",
        "times out and asks again",
    ),
    ActionKind(
        "duplicate",
        Duplicate,
        "repeats the frame",
        "a message twice: Kafka stores the batch again (once, if the producer is idempotent), MQTT"
        " delivers again, AMQP routes again; what comes to the client comes twice",
        "is idempotent: knows a message by its id, and ignores an answer that it does not expect",
        (
            Parameter("copies", "count", "how many more"),
            Parameter("dup", "flag", "with MQTT's DUP flag"),
        ),
    ),
    ActionKind(
        "reorder",
        Reorder,
        "lets the frame go behind those that follow it",
        "messages in another order; a Kafka response that is not the next one expected",
        "goes by keys, sequence numbers or times; closes a connection whose answers are mixed up",
        (
            Parameter("behind", "count", "behind how many"),
            Parameter("wait", "duration", "goes on alone after this"),
        ),
    ),
    ActionKind(
        "corrupt",
        Corrupt,
        "flips bits of the payload, the body or the head of the frame",
        "payload: another message, in Kafka a checksum that does not match (CORRUPT_MESSAGE);"
        " body and head: fields that make no sense, a malformed packet",
        "checks what it reads, closes a connection that makes no sense, and never crashes",
        (
            Parameter("part", "part", "payload, body or head", leading=True, optional=True),
            Parameter("bits", "count", "how many"),
        ),
    ),
    ActionKind(
        "truncate",
        Truncate,
        "cuts the end of the frame off",
        "what follows is read as the rest of the frame, so that nothing after it makes sense",
        "closes the connection at the first frame that makes no sense, or when it waits too long",
        (Parameter("keep", "size", "bytes that go on", leading=True, optional=True),),
    ),
    ActionKind(
        "slice",
        Slice,
        "lets the frame go on in pieces, one after the other",
        "the same bytes, and fewer with each read: its head may end within a length",
        "waits for the rest of a frame, and reads the same as without",
        (
            Parameter("size", "size", "bytes of a piece", leading=True, optional=True),
            Parameter("wait", "duration", "between two pieces"),
        ),
        ("slicer",),
    ),
    ActionKind(
        "join",
        Join,
        "lets the frame wait for those behind it, and all go on in one piece",
        "several frames with one read; a small buffer ends within one of them",
        "takes all frames that a read has, one after the other, and forgets none of them",
        (
            Parameter("frames", "count", "how many", leading=True, optional=True),
            Parameter("wait", "duration", "goes on with fewer after this"),
        ),
        ("coalesce",),
    ),
    ActionKind(
        "set",
        SetFields,
        "sets fields of the frame, by their specification's names",
        "what a broker says that it does not mean: Kafka throttle_time_ms, error_code,"
        " high_watermark; MQTT session_present, server_keep_alive, receive_maximum; AMQP frame_max,"
        " redelivered",
        "believes it: waits, asks again, keeps to the limit; and ends what makes no sense",
        (Parameter("fields", "fields", "NAME=VALUE,...", leading=True),),
    ),
    ActionKind(
        "watch",
        Watch,
        "counts the frame, which goes on as it is; other faults act on it all the same",
        "nothing of it",
        "is expected to send or to get it: `expect fault` waits for so many",
    ),
    ActionKind(
        "inject",
        Inject,
        "sends a malformed packet by its name, or bytes of choice (0xC000), behind what the client"
        " gets",
        "bytes that make no sense, or a packet that nothing asked for (MQTT: help malformed)",
        "ends the connection with the reason, connects anew, never hangs or crashes, and ignores"
        " what it need not mind",
        (
            Parameter("packet", "packet", "its name, or 0x and hex digits", leading=True),
            Parameter("instead", "flag", "in the frame's place"),
        ),
    ),
    ActionKind(
        "block",
        Block,
        "reads no more of the connection",
        "what it sends piles up; AMQP: connection.blocked, and connection.unblocked at the end",
        "stops publishing, keeps its buffers bounded and its heartbeats, and goes on afterwards",
        (
            Parameter("duration", "duration", "how long", leading=True, optional=True),
            Parameter("reason", "text", "the words of connection.blocked"),
        ),
    ),
    ActionKind(
        "refuse",
        Refuse,
        "answers the request with an error code, without its effect",
        "Kafka: the error code in the response. MQTT: the reason code in CONNACK, SUBACK, PUBACK,"
        " PUBREC or DISCONNECT (before MQTT 5, where the packet has none, the connection ends)."
        " AMQP: channel.close, connection.close, basic.return (NO_ROUTE) or basic.nack (NACK)",
        "tries again where the code says that it helps, and reports it where not",
        (
            Parameter("code", "code", "the code's name or number", leading=True),
            Parameter("text", "text", "the words that go with it"),
        ),
        ("error",),
    ),
)

ACTIONS: Final[Mapping[str, ActionKind]] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""By name; `find` knows the aliases too."""

NAMES: Final[Mapping[type[Any], str]] = MappingProxyType(
    {kind.action: kind.name for kind in _KINDS}
)
"""What each action is called, by its type."""


def find(name: str) -> ActionKind | None:
    """The action of a name or alias."""
    for kind in _KINDS:
        if name == kind.name or name in kind.aliases:
            return kind
    return None


def make_action(kind: ActionKind, values: Mapping[str, Any]) -> Action:
    """The action with these parameters; raises InvalidInput for one that it does not take."""
    takes = [parameter.name for parameter in kind.parameters]
    for name in values:
        if name not in takes and name != "codes":
            known = f"it takes {', '.join(takes)}" if takes else "it takes nothing"
            raise InvalidInput(f"fault {kind.name}: no parameter {name!r}; {known}")
    made: Action = kind.action(**values)
    return made


def name_of(action: Action) -> str:
    return NAMES[type(action)]
