"""What one client made of a run: its story, and the verdict on it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from ... import units
from ...units import counted
from .aftermath import SLOWING, Causes
from .backoff import backoff_of
from .streams import Address, Stream, left_out, taken_back
from .withheld import Coming, Withheld
from .wording import in_words, named

_MOST_MOMENTS: Final = 2_000
"""Of one client; those that come after are only counted."""
_MANY: Final = 20
_ALIKE: Final = 4
"""So often each of very many messages comes before they are taken for alike."""
_SILENT: Final = 10.0
BUCKET: Final = 0.1
"""Seconds in which a client's messages are counted together."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened to a client `at` so many seconds after the start.

    `kind` is fault, lost (its last connection), back, or doubled; `text` says which.
    """

    at: float
    kind: str
    text: str


@dataclass(slots=True)
class ClientStory:
    """One client of one protocol; `pauses` are s between a lost connection and the next one.

    `tries` are s from the end of a connection, or of such a try, to its next try to connect.
    """

    protocol: str
    client: str
    host: str = ""
    faults: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    open: set[int] = field(default_factory=set)
    begun: float | None = None
    """When the newest of its connections began."""
    pauses: list[float] = field(default_factory=list)
    tries: list[float] = field(default_factory=list)
    refused: int = 0
    """Connections that ended before it was let in."""
    lost_at: float | None = None
    tried_at: float | None = None
    """When its newest connection or try ended."""
    left: bool = False
    """Its last connection ended by its own wish."""
    until: float = 0.0
    """How far it is told."""
    shut_out: bool = False
    """Its broker is stopped, so that nobody can come back."""
    got: int = 0
    """Messages that it got by connections that are over, and `getting` by those that are open."""
    getting: int = 0
    resent: list[str] = field(default_factory=list)
    """Those of its doubled messages that came again on a new connection."""
    causes: Causes = field(default_factory=Causes)
    streams: dict[Address, Stream] = field(default_factory=dict)
    withheld: Withheld = field(default_factory=Withheld)
    uncounted: int = 0
    """Messages that have no id, or that came when there was no room for another one."""
    moments: list[Moment] = field(default_factory=list)
    slowed: dict[str, int] = field(default_factory=dict)
    """The second in which something slowed it last, by what."""
    buckets: Counter[int] = field(default_factory=Counter)
    """Messages by the number of their `BUCKET`."""

    def note(self, at: float, kind: str, text: str = "") -> None:
        if len(self.moments) < _MOST_MOMENTS:
            self.moments.append(Moment(at, kind, text))

    def hit(self, at: float, kind: str, operation: str) -> None:
        """A moment for a fault; what slows all of its frames has one a second."""
        text = f"{kind} {operation}"
        if kind in SLOWING:
            if self.slowed.get(text) == int(at):
                return
            self.slowed[text] = int(at)
        # What its faults leave free is for what it did itself.
        if len(self.moments) < _MOST_MOMENTS // 2:
            self.note(at, "fault", text)

    def tried(self, at: float) -> None:
        """It connects once more, having no connection."""
        if self.tried_at is not None:
            self.tries.append(max(0.0, at - self.tried_at))
            del self.tries[:-_MOST_MOMENTS]

    def back(self, pause: float) -> None:
        """It has a connection again, so many seconds after it lost the last one."""
        self.pauses.append(pause)
        del self.pauses[:-_MOST_MOMENTS]
        self.causes.back(pause)

    @property
    def misses(self) -> bool:
        """Something that it sent may come again."""
        return bool(self.withheld) or any(stream.aborted for stream in self.streams.values())

    def arrived_late(self, message: Coming) -> None:
        """It came behind the run."""
        sent = self.withheld.arrived(message)
        if sent is not None:
            # As during the run, to whichever address.
            for stream in self.streams.values():
                stream.arrived(sent[1])

    @property
    def outside(self) -> bool:
        """It was never let in."""
        return bool(self.refused) and not (self.lost or self.open)

    @property
    def awaited(self) -> bool:
        """It lost its connection against its will, and may come back."""
        return self.lost_at is not None and not (self.left or self.outside)

    @property
    def gave_up(self) -> bool:
        """Nor does anything keep it from coming back."""
        return self.awaited and not self.shut_out

    def facts(self) -> dict[str, Any]:
        """For a table, and for programs."""
        streams = self.streams.values()
        doubled = [name for stream in streams for name in stream.doubled]
        alike = sum(map(_alike, streams))
        not_again = self.withheld.lost()
        aborted = taken_back(streams)
        not_sent = left_out(streams, {*self.withheld, *aborted})
        disordered = [name for stream in streams for name in stream.disordered]
        wrong = self._wrong(
            {
                "doubled": []
                if alike
                else list((Counter(doubled) - Counter(self.resent)).elements()),
                "out of order": disordered,
                "not sent again": not_again,
                "aborted and not sent again": aborted,
                "not sent": not_sent,
            },
            alike,
        )
        return {
            "protocol": self.protocol,
            "client": self.client,
            "faults": dict(self.faults),
            "lost": self.lost,
            "pauses": list(self.pauses),
            "tries": list(self.tries),
            "refused": self.refused,
            "backoff": backoff_of(self.tries),
            "away": self.lost_at is not None,
            "gave_up": self.gave_up,
            "now": self._now(),
            "sent": sum(stream.sent for stream in streams) + self.uncounted,
            "got": self.got + self.getting,
            "doubled": doubled,
            "resent": list(self.resent),
            "disordered": disordered,
            "missing": not_again + aborted + not_sent,
            "aborted": aborted,
            "resent_after": [gap for stream in streams for gap in stream.gaps],
            "under": list(
                self.causes.found(
                    away=self.lost_at is not None,
                    left=self.left or self.outside,
                    waits=self.shut_out,
                )
            ),
            "timeline": [
                {"at": each.at, "what": each.kind, "text": each.text} for each in self.moments
            ],
            "clean": not wrong,
            "verdict": in_words(
                wrong,
                [] if alike else self.resent,
                self._silence(),
                sent=bool(self.streams or self.uncounted),
            ),
        }

    def _silence(self) -> str:
        """That it sent, was hit by a fault, is connected, and has not sent since."""
        last = self.moments[-1] if self.moments else None
        if last is None or last.kind != "fault" or not (self.open and self.buckets):
            return ""
        kind = last.text.partition(" ")[0]
        sent = max(self.buckets) * BUCKET
        if kind in SLOWING or sent > last.at + BUCKET or self.until - last.at < _SILENT:
            return ""
        long = units.format_duration(round(self.until - last.at))
        return f"sent nothing for {long} after {last.text}"

    def _wrong(self, found: dict[str, list[str]], alike: int) -> list[str]:
        """What is not as it should be."""
        wrong = [named(what, names) for what, names in found.items() if names]
        if alike:
            wrong.append(f"{counted(alike, 'message')} alike, not told apart without --id")
        if self.gave_up:
            wrong.append("gave up")
        elif self.outside:
            wrong.append(f"{counted(self.refused, 'connection')} not let in")
        return wrong

    def _now(self) -> str:
        """In a word; nothing where it is there."""
        if self.gave_up:
            return "gave up"
        if self.lost_at is None or self.outside:
            return ""
        return "left" if self.left else "away"


def _alike(stream: Stream) -> int:
    """Messages of a stream whose ids do not tell them apart: so often nobody repeats one."""
    many = stream.sent >= _MANY and stream.sent >= _ALIKE * len(stream.ids)
    return stream.sent - len(stream.ids) if many else 0
