"""`mockforge.faults`: rules that are in force while a block runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mockforge_brokers.errors import InvalidInput

from .awaited import Awaited
from .verbs import ExpectationFailed, seconds, wait

if TYPE_CHECKING:
    from types import TracebackType

    from .verbs import Hits, Verbs

_WHEN = ("dir", "times", "once", "nth", "every", "first", "after", "until", "p", "window", "for")
_FIELD = "partition"
"""An action, and a field of Kafka's frames where another action is named."""


class Fault:
    """One rule; `hits` is how often it fired, also after the block.

    A rule that never fired makes the block fail unless it is `allow_unused`: a test that passes
    because its fault hit nothing proves nothing.
    """

    def __init__(self, verbs: Verbs, asked: Mapping[str, Any], *, allow_unused: bool) -> None:
        self._verbs = verbs
        self._asked = asked
        self._allow_unused = allow_unused
        self._number = 0
        self._last: Hits | None = None

    @property
    def hits(self) -> int:
        return self._now().hits

    @property
    def seen(self) -> int:
        """How many frames matched, whether it fired or not."""
        return self._now().seen

    def wait(self, hits: int = 1, *, within: str | float = 5) -> None:
        """Wait until it has fired so often. Raises ExpectationFailed."""
        __tracebackhide__ = True
        from ..fixtures.expected.model import FaultHit

        if not self._number:
            raise InvalidInput("this fault is not in force: wait for it inside its with block")
        expected = FaultHit(str(self._number), hits, seconds(within))
        wait(self._verbs, expected, instead=f"fault.aio.wait({hits})")

    @property
    def aio(self) -> Any:
        """The same, awaited: `await fault.aio.wait(2)`."""
        return Awaited(self)

    def start(self) -> Fault:
        """Put it into force. Raises InvalidInput for words that fixture files do not have."""
        self._number = self._verbs.add_fault(self._asked)
        self._last = None
        return self

    def stop(self) -> None:
        if self._number:
            self._last = self._verbs.hits(self._number)
            self._verbs.remove_fault(self._number)
            self._number = 0

    def __enter__(self) -> Fault:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        self.stop()
        if kind is None and not self.hits and not self._allow_unused:
            raise ExpectationFailed(
                f"the fault {_spelled(self._asked)} never fired: {self.seen} frames matched it "
                "(allow_unused=True if that is fine)"
            )

    def __repr__(self) -> str:
        return f"<fault {_spelled(self._asked)}>"

    def _now(self) -> Hits:
        if self._last is not None:
            return self._last
        if not self._number:
            raise InvalidInput("this fault was never in force: use it in a with block")
        return self._verbs.hits(self._number)


class Faults:
    """Makes faults: `mockforge.faults.kafka(api="Produce", error="NOT_LEADER_OR_FOLLOWER")`.

    What is done is one of the actions of fixture files by its name (`delay="200ms"`,
    `error="QUOTA_EXCEEDED"`, `drop=True`, `disconnect=True` or `disconnect={"reset": True}`), when
    is `times`, `once`, `every`, `first`, `after`, `p`, `window`, which way is `dir` ("in", "out");
    all else says where (`api`, `method`, `packet`, `client`, `topic`, `exchange`, ...: fields of
    the filter language).
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    def kafka(self, *, allow_unused: bool = False, **asked: Any) -> Fault:
        return self.on("kafka", {**asked, "allow_unused": allow_unused})

    def mqtt(self, *, allow_unused: bool = False, **asked: Any) -> Fault:
        return self.on("mqtt", {**asked, "allow_unused": allow_unused})

    def amqp(self, *, allow_unused: bool = False, **asked: Any) -> Fault:
        return self.on("amqp", {**asked, "allow_unused": allow_unused})

    def on(self, protocol: str, asked: Mapping[str, Any]) -> Fault:
        """A fault of one protocol. Raises InvalidInput."""
        from mockforge_brokers.misbehaviour.actions import ACTIONS, find

        from ..fixtures.native.faults import REFUSALS

        rest = {name.rstrip("_"): value for name, value in asked.items()}
        allow_unused = bool(rest.pop("allow_unused", False))
        actions = [name for name in rest if name in REFUSALS or find(name) is not None]
        if len(actions) > 1 and _FIELD in actions:
            actions.remove(_FIELD)
        if len(actions) != 1:
            given = " and ".join(actions) or "nothing"
            raise InvalidInput(f"a fault does one of {', '.join(ACTIONS)}; this one does {given}")
        value = rest.pop(actions[0])
        done: Any = actions[0] if value is True else {actions[0]: value}
        fault: dict[str, Any] = {"do": done}
        for name in _WHEN:
            if name in rest:
                fault[name] = rest.pop(name)
        return Fault(self._verbs, {"where": {protocol: rest}, **fault}, allow_unused=allow_unused)


def _spelled(asked: Mapping[str, Any]) -> str:
    (protocol, where), *_ = asked["where"].items()
    terms = " ".join(f"{name}:{value}" for name, value in where.items())
    done = asked["do"]
    what = (
        done
        if isinstance(done, str)
        else " ".join(str(each) for pair in done.items() for each in pair)
    )
    return " ".join(filter(None, (what, protocol, terms)))
