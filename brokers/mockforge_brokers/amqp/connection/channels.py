"""The channels of one connection: opened, served frame by frame, closed."""

from typing import Any, Final

from ...errors import NotServed, ProtocolError, RequestRefused
from ...events import RequestDenied
from ...fairness import Steps
from ...usage import Usage
from ..channel.channel import Channel
from ..channel.delivery import BULKY
from ..channel.handlers import HANDLERS, strip_line_ends
from ..channel.line import Line
from ..channel.permissions import check
from ..codes import ReplyCode, reply_text
from ..events import AMQP, ChannelClosed, ChannelOpened
from ..lint import DECLARED_OTHERWISE
from ..profiles import LARGE_BODY, MOST_OF_4_0
from ..state.message import Message
from ..state.refusals import Inequivalent
from ..wire import methods
from ..wire.frames import BODY, HEAD_SIZE, METHOD
from ..wire.frames import method as method_frame
from .assembly import Assembly, BodyTooLarge, Pieces, Spare
from .failures import MethodFailed, read_method, unexpected_frame
from .quotas import Quotas

_PUBLISH: Final = methods.BY_NAME["basic.publish"]
_DECLARING: Final = ("exchange.", "queue.")
"""How methods are called that change what is declared."""


class Channels:
    """`channel_max`: how many may be open; `largest`: how many bytes a body may have.

    `publishes` counts the messages that came, however their frames did.
    """

    __slots__ = (
        "_assemblies",
        "_delivered_before",
        "_line",
        "_quotas",
        "_spare",
        "_usage",
        "channel_max",
        "counts",
        "largest",
        "method_frame",
        "open",
        "publishes",
    )

    def __init__(self, line: Line, largest: int, usage: Usage, quotas: Quotas) -> None:
        """`usage` counts the messages that were larger."""
        self._usage = usage
        self._quotas = quotas
        self.channel_max = 0
        self.publishes = 0
        self.method_frame = method_frame
        self.counts = line.counts
        self.open: dict[int, Channel] = {}
        self._line = line
        self.largest = largest
        self._assemblies: dict[int, Assembly] = {}
        self._spare = Spare()
        self._delivered_before = 0
        """Messages delivered on channels that are closed now."""

    @property
    def delivered(self) -> int:
        """Messages that went out to consumers, on all channels that there ever were."""
        return self._delivered_before + sum(one.last_tag for one in self.open.values())

    @property
    def incomplete(self) -> int:
        """Bytes of contents that came in part."""
        # Asked behind each burst, and hardly ever is there any.
        if not self._assemblies:
            return 0
        return sum(item.raw_size for item in self._assemblies.values())

    def ready(self, number: int) -> Channel | None:
        """The channel, if it is open and between two methods."""
        channel = self.open.get(number)
        return channel if channel is not None and channel.ready else None

    def receive(self, kind: int, number: int, frame: bytes) -> None:
        """Take one whole frame of a channel; raises ProtocolError."""
        channel = self.open.get(number)
        if channel is not None and channel.assembling and not channel.closing:
            # First, and without a copy of its payload: most of what comes in large messages.
            self._content(channel, kind, (frame,))
            return
        if channel is not None and not channel.closing and channel.publishing.repeats(frame):
            self._assemble(channel, frame)
            return
        payload = frame[HEAD_SIZE:-1]
        if channel is None:
            self._open(number, kind, payload)
        elif channel.closing:
            self._await_close_ok(channel, kind, payload)
        elif kind != METHOD:
            raise unexpected_frame()
        else:
            method, values = read_method(payload)
            if method is _PUBLISH:
                self._assemble(channel, frame)
                return
            self.counts.received[method.name] += 1
            try:
                self._serve(channel, method, values)
            except MethodFailed:
                raise
            except ProtocolError as error:
                raise MethodFailed(error, method) from error

    def body(self, number: int, pieces: Pieces) -> bool:
        """Take a whole body frame as it lies in what was read; False: it is for `receive`."""
        channel = self.open.get(number)
        if channel is None or channel.closing or not channel.assembling:
            return False
        self._content(channel, BODY, pieces)
        return True

    def refuse(
        self, channel: Channel, refusal: RequestRefused, method: methods.Method | None
    ) -> None:
        """A request of a channel was refused: the channel ends, the connection lives on.

        `method` is None where the client asked for nothing.
        """
        line = self._line
        reason = reply_text(refusal.code, refusal.text)
        channel.publishing.confirm()
        channel.send(
            "channel.close",
            reply_code=refusal.code,
            reply_text=reason,
            class_id=method.class_id if method else 0,
            method_id=method.method_id if method else 0,
        )
        channel.end(reason)
        code = int(refusal.code)
        # People read who made what is there; the client was sent RabbitMQ's words.
        origin = ""
        if isinstance(refusal, Inequivalent):
            origin = f" ({refusal.origin})"
            channel.lint(DECLARED_OTHERWISE, refusal.text + origin)
        self.counts.closed("channel", code)
        if isinstance(refusal, NotServed):
            line.unserved.report(AMQP, line.id, line.client, refusal.feature, refusal.text)
        else:
            line.spine.emit(
                RequestDenied(
                    AMQP,
                    line.id,
                    line.client,
                    method.name if method else "consumer_timeout",
                    code,
                    refusal.text + origin,
                )
            )
        line.spine.emit(ChannelClosed(AMQP, line.id, channel.number, code, reason + origin))

    def unacked(self) -> list[Message]:
        """Messages that the client has: delivered, and not acknowledged for good."""
        return [
            message for channel in self.open.values() for message in channel.outstanding_messages()
        ]

    def refresh(self) -> None:
        for channel in tuple(self.open.values()):
            channel.refresh()

    def ending(self, reason: str) -> Steps:
        """The connection is over: all of them stop with the first step, and end one by one."""
        living = [channel for channel in self.open.values() if not channel.closing]
        for channel in tuple(self.open.values()):
            self._forget(channel)
        self._assemblies.clear()
        for channel in living:
            channel.stop()
        for channel in living:
            yield from channel.ending(reason)

    def let_go(self) -> None:
        """Know its connection no more, which is gone (`contract.Connection`)."""
        del self._line

    def _open(self, number: int, kind: int, payload: bytes) -> None:
        if kind != METHOD:
            raise unexpected_frame()
        method, _ = read_method(payload)
        self.counts.received[method.name] += 1
        if method.name != "channel.open":
            raise MethodFailed(
                ProtocolError("expected 'channel.open'", ReplyCode.CHANNEL_ERROR), method
            )
        # RabbitMQ counts channels and does not look at their numbers.
        if len(self.open) >= self.channel_max:
            text = (
                f"number of channels opened ({len(self.open)}) has reached the negotiated "
                f"channel_max ({self.channel_max})"
            )
            raise MethodFailed(ProtocolError(text, ReplyCode.NOT_ALLOWED), method)
        if text := self._quotas.problem_of_channel(self._line.user):
            raise MethodFailed(ProtocolError(text, ReplyCode.NOT_ALLOWED), method)
        self.open[number] = Channel(number, self._line)
        self._line.out.append(self.method_frame(number, "channel.open-ok"))
        self.counts.sent["channel.open-ok"] += 1
        self._line.spine.emit(ChannelOpened(AMQP, self._line.id, number))

    def _serve(self, channel: Channel, method: methods.Method, values: dict[str, Any]) -> None:
        channel.publishing.confirm()
        handler = HANDLERS.get(method.name)
        if handler is not None:
            values.pop("ticket", None)
            strip_line_ends(method.name, values)
            try:
                if self._line.guard is not None:
                    check(channel, method.name, values)
                if method.name.startswith(_DECLARING):
                    with channel.vhost.acting.in_name_of(self._line.user):
                        handler(channel, **values)
                else:
                    handler(channel, **values)
            except RequestRefused as refusal:
                self.refuse(channel, refusal, method)
        elif method.name == "channel.close":
            self._close(channel, values["reply_code"], values["reply_text"])
        elif method.name == "channel.open":
            raise ProtocolError("second 'channel.open' seen", ReplyCode.CHANNEL_ERROR)
        else:
            raise ProtocolError("unimplemented method", ReplyCode.COMMAND_INVALID)

    def _close(self, channel: Channel, code: int, text: str) -> None:
        line = self._line
        reason = f"closed by the client: {text}" if text else "closed by the client"
        channel.send("channel.close-ok")
        self._forget(channel)
        channel.end(reason)
        line.spine.emit(ChannelClosed(AMQP, line.id, channel.number, code, reason))

    def _assemble(self, channel: Channel, frame: bytes) -> None:
        """A basic.publish whose content comes frame by frame."""
        self._assemblies[channel.number] = Assembly(frame, self._spare)
        channel.assembling = True

    def _content(self, channel: Channel, kind: int, pieces: Pieces) -> None:
        number = channel.number
        assembly = self._assemblies[number]
        try:
            if assembly.add(kind, pieces, self.largest):
                self._assembled(channel)
                self.counts.received[_PUBLISH.name] += 1
                publishing = channel.publishing
                publication = publishing.publication(assembly.method)
                extra = publishing.examine(publication, assembly.header, assembly.flags)
                size = assembly.size
                parts = assembly.parts if size > BULKY and extra is None else None
                if parts is not None and publishing.takes_parts(publication):
                    publishing.publish_parts(publication, (parts,), size)
                else:
                    publishing.publish(publication, assembly.content, size, extra)
                self.publishes += 1
        except RequestRefused as refusal:
            if isinstance(refusal, BodyTooLarge):
                self._usage.count("amqp_message")
                self.counts.received[_PUBLISH.name] += 1
            self._assembled(channel)
            self.refuse(channel, refusal, _PUBLISH)
        except ProtocolError as error:
            raise MethodFailed(error, _PUBLISH) from error

    def _assembled(self, channel: Channel) -> None:
        """Its message is whole, or is refused."""
        assembly = self._let_go(channel.number)
        channel.assembling = False
        if assembly is not None and assembly.size > MOST_OF_4_0:
            channel.lint(LARGE_BODY, f"a body has {assembly.size} bytes")

    def _await_close_ok(self, channel: Channel, kind: int, payload: bytes) -> None:
        """AMQP 1.5.2.5: after channel.close all but its answer is dropped unread.

        Where the client's own close crossed ours both are answered, and the channel is over with
        the client's close-ok, which still comes (asked of RabbitMQ 3.10.8).
        """
        found = methods.find(payload) if kind == METHOD else None
        if found is None:
            return
        self.counts.received[found.name] += 1
        if found.name == "channel.close":
            channel.send("channel.close-ok")
        elif found.name == "channel.close-ok":
            self._forget(channel)

    def _forget(self, channel: Channel) -> None:
        self._delivered_before += channel.last_tag
        self.counts.delivered(channel.last_tag)
        # We may have closed it in the midst of a content, whose rest is dropped.
        self._let_go(channel.number)
        del self.open[channel.number]
        # It publishes no more. The two know each other: see `let_go`.
        del channel.publishing

    def _let_go(self, number: int) -> Assembly | None:
        assembly = self._assemblies.pop(number, None)
        if assembly is not None:
            assembly.let_go()
        return assembly
