"""`mockforge.kafka`, `mockforge.mqtt`, `mockforge.amqp`: addresses, messages, expectations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from mockforge_brokers.errors import InvalidInput

from .awaited import Awaited
from .faulting import Fault, Faults
from .verbs import Verbs, ended, seconds, wait

if TYPE_CHECKING:
    from ..expectations.message import Message
    from ..fixtures.expected.model import Came, Settlement
    from ..fixtures.messages import Watch

_SOURCE = "test"

Duration = str | float
"""Seconds, or a text such as `"300ms"`."""


class Handle(ABC):
    """One protocol's brokers. Its addresses are attributes by the names of the ready line."""

    protocol: ClassVar[str]

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    def __getattr__(self, name: str) -> str:
        facts = self._verbs.facts.get(self.protocol, {})
        try:
            address: str = facts[name]
        except KeyError:
            known = ", ".join(facts) or "it is not served"
            raise AttributeError(f"{self.protocol} has no {name!r}: {known}") from None
        return address

    def __repr__(self) -> str:
        facts = self._verbs.facts.get(self.protocol, {})
        return f"<{self.protocol} {' '.join(f'{k}={v}' for k, v in facts.items())}>"

    def message(self, *place: str, **wanted: Any) -> Came:
        """A message to be expected, as `expect` takes it, for `expect_in_order` and `messages`."""
        from ..fixtures.expected.conditions import conditions
        from ..fixtures.expected.model import Came

        match = wanted.pop("match", None)
        exact = wanted.pop("exact", False)
        watch = self._watch(*place, wanted=wanted)
        expected = _expected(wanted)
        if match is not None:
            expected |= dict(match)
        return Came(watch, conditions(expected, exact=exact))

    def expect(
        self,
        *place: str,
        within: Duration = 5,
        count: int | None = None,
        least: int | None = None,
        settle: Duration = 0,
        since: int | None = None,
        **wanted: Any,
    ) -> Message:
        """Wait until a message came, and return it (the first, where there are more).

        `place` is a Kafka topic or glob, an MQTT filter; for AMQP name `exchange` (with
        `routing_key`, where * and # stand for words) or `queue`. `wanted` are parts of the
        message: `key`, `value` or `json` (partial, operators as in fixture files), `payload`
        (bytes or text), `headers`, `properties`, `partition`, `qos`, `retain`, `client`.
        `count` is exact and breaks at one too many, for `settle` seconds more; `least` is not.
        Messages count from the test's beginning (the last reset), or from a `mark` on.

        Raises ExpectationFailed with the nearest message and what differs, where messages went
        instead, who was connected, live faults, and one thing to try.
        """
        __tracebackhide__ = True
        if count is not None and least is not None:
            raise InvalidInput("expect takes count or least, not both")
        for name, number in (("count", count), ("least", least)):
            if number is not None and number < 1:
                raise InvalidInput(f"{name}={number}: 1 or more; expect_none is for no message")
        came = self.message(*place, **wanted)._replace(
            least=count or least or 1,
            most=count,
            within=seconds(within),
            settle=seconds(settle),
        )
        return wait(self._verbs, came, since)[0]

    def expect_none(
        self, *place: str, within: Duration = 1, since: int | None = None, **wanted: Any
    ) -> None:
        """See that no such message came, nor comes for `within` seconds."""
        __tracebackhide__ = True
        came = self.message(*place, **wanted)
        wait(self._verbs, came._replace(least=0, most=0, within=seconds(within)), since)

    def expect_frames(
        self,
        *,
        within: Duration | None = None,
        count: int | None = None,
        least: int | None = None,
        settle: Duration = 0,
        since: int | None = None,
        **where: Any,
    ) -> list[Mapping[str, Any]]:
        """Wait until frames went over the wire: packets, requests or methods, messages or not.

        `where` are fields of faults (`packet="PUBACK"`, `api=`, `method=`, `client=`, `dir="out"`:
        to the client); `count` is exact, and 0 for none. Frames count from the test's beginning or
        a `mark` on, as far as the journal reaches. Returns the first thousand as records, as `tail`
        has them. Raises ExpectationFailed with the frame that came nearest.
        """
        __tracebackhide__ = True
        from ..fixtures.requests import expectation_of
        from ..fixtures.templates.scope import Scope

        asked: dict[str, Any] = {"frames": {self.protocol: where}, "settle": seconds(settle)}
        asked |= {} if within is None else {"within": seconds(within)}
        for name, number in (("count", count), ("least", least)):
            asked |= {} if number is None else {name: number}
        expectation = expectation_of(asked, Scope(Random(0), lambda: 0.0))
        return list(ended(self._verbs, expectation, since).frames)

    def messages(self, *place: str, since: int | None = None, **wanted: Any) -> list[Message]:
        """What came so far and fits, oldest first."""
        return self._verbs.find(self.message(*place, **wanted), since)

    def wait_client(self, name: str, *, connected: bool = True, within: Duration = 5) -> None:
        """Wait until a client of that name (a glob) is connected, or until none is."""
        __tracebackhide__ = True
        from ..fixtures.expected.model import Client

        wait(self._verbs, Client(name, connected, self.protocol, seconds(within)))

    def fault(self, **asked: Any) -> Fault:
        """Make this broker misbehave; see `mockforge.faults`."""
        return Faults(self._verbs).on(self.protocol, asked)

    def blackhole(self, *, allow_unused: bool = True, **where: Any) -> Fault:
        """Let nothing of these clients pass, both ways, while the block runs.

        Sockets stay open until its end, when those that were silenced are reset. A client that
        sends nothing meanwhile is silent already, so that the fault need not fire.
        """
        return self.fault(blackhole=True, allow_unused=allow_unused, **where)

    def partition(self, *, allow_unused: bool = True, **where: Any) -> Fault:
        """Cut the network between these clients and the broker while the block runs.

        What either side sends meanwhile arrives at its end, if nobody gave up.
        """
        return self.fault(partition=True, allow_unused=allow_unused, **where)

    @abstractmethod
    def _watch(self, *place: str, wanted: dict[str, Any]) -> Watch: ...


class KafkaHandle(Handle):
    protocol = "kafka"

    def publish(
        self,
        topic: str,
        value: Any = None,
        *,
        key: str | bytes | None = None,
        headers: Mapping[str, str | bytes | None] | None = None,
        partition: int | None = None,
    ) -> None:
        """Append a record as if a client had; without a value it is a tombstone."""
        from ..fixtures.messages import KafkaMessage

        pairs = ((name, _bytes(item)) for name, item in (headers or {}).items())
        self._verbs.publish(
            KafkaMessage(topic, _payload(value), _SOURCE, _bytes(key), tuple(pairs), partition)
        )

    def wait_group(
        self, group: str, *, topic: str = "", lag: int = 0, within: Duration = 5
    ) -> None:
        """Wait until a consumer group has committed all but `lag` messages."""
        __tracebackhide__ = True
        from ..fixtures.expected.model import GroupAt

        wait(self._verbs, GroupAt(group, lag, topic, seconds(within)))

    def _watch(self, *place: str, wanted: dict[str, Any]) -> Watch:
        return _one_place("kafka", "topic", place, wanted)


class MqttHandle(Handle):
    protocol = "mqtt"

    def publish(
        self,
        topic: str,
        value: Any = b"",
        *,
        qos: int = 0,
        retain: bool = False,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish a message as if a client had; `properties` are MQTT 5's by their own names."""
        from ..fixtures.messages import MqttMessage

        payload = _payload(value) or b""
        self._verbs.publish(MqttMessage(topic, payload, _SOURCE, qos, retain, properties or {}))

    def _watch(self, *place: str, wanted: dict[str, Any]) -> Watch:
        return _one_place("mqtt", "filter", place, wanted)


class AmqpHandle(Handle):
    protocol = "amqp"

    def publish(
        self,
        value: Any = b"",
        *,
        exchange: str = "",
        routing_key: str = "",
        queue: str = "",
        headers: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish to an exchange, or to one queue by the default exchange."""
        from ..fixtures.messages import AmqpMessage

        given = dict(properties or {})
        if headers:
            given["headers"] = dict(headers)
        key = queue or routing_key
        self._verbs.publish(AmqpMessage(exchange, key, _payload(value) or b"", _SOURCE, given))

    def wait_drained(self, queue: str, *, within: Duration = 5) -> None:
        """Wait until a queue holds nothing, neither ready nor unacknowledged."""
        __tracebackhide__ = True
        from ..fixtures.expected.model import Drained

        wait(self._verbs, Drained(queue, seconds(within)))

    def wait_consumers(
        self, queue: str, *, count: int | None = None, least: int = 1, within: Duration = 5
    ) -> None:
        """Wait until a queue has `least` consumers or more, or `count` and no more (0: none)."""
        __tracebackhide__ = True
        from ..fixtures.expected.model import Consumers

        fewest = least if count is None else count
        wait(self._verbs, Consumers(queue, fewest, count, seconds(within)))

    def wait_settled(
        self,
        queue: str,
        settlement: Settlement = "acknowledged",
        *,
        client: str = "*",
        count: int | None = None,
        least: int = 1,
        within: Duration = 5,
        settle: Duration = 0,
        since: int | None = None,
    ) -> None:
        """Wait until clients (by name or glob) acknowledged `least` messages of a queue or more,
        or `count` and no more; or rejected them, or had them requeued.
        """
        __tracebackhide__ = True
        from ..fixtures.expected.model import Settled, Settlement

        if settlement not in (known := get_args(Settlement)):
            raise InvalidInput(f"settlement {settlement!r} is none of {', '.join(known)}")
        fewest = least if count is None else count
        within, settle = seconds(within), seconds(settle)
        expected = Settled(queue, settlement, client, fewest, count, within, settle)
        wait(self._verbs, expected, since)

    def _watch(self, *place: str, wanted: dict[str, Any]) -> Watch:
        from ..fixtures.messages import Watch

        exchange, queue = wanted.pop("exchange", None), wanted.pop("queue", None)
        if place or (exchange is None) == (queue is None):
            raise InvalidInput("amqp needs exchange=... or queue=...")
        if queue is not None:
            return Watch("amqp", queue, "queue")
        return Watch("amqp", exchange, "exchange", wanted.pop("routing_key", "#"))


class AwaitedHandles(Awaited):
    """All handles, and what else a Forge does."""

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        return Awaited(value) if isinstance(value, Handle) else value


def _one_place(protocol: Any, kind: Any, place: tuple[str, ...], wanted: dict[str, Any]) -> Watch:
    from ..fixtures.messages import Watch

    topic = wanted.pop("topic", None)
    given = [each for each in (*place, topic) if each is not None]
    if len(given) != 1:
        raise InvalidInput(f"{protocol} needs one topic, not {len(given)}")
    return Watch(protocol, given[0], kind)


_PARTS = ("key", "value", "payload", "headers", "properties", "partition", "offset", "qos",
          "retain", "client", "routing_key", "protocol")  # fmt: skip


def _expected(wanted: Mapping[str, Any]) -> dict[str, Any]:
    expected: dict[str, Any] = {}
    for name, value in wanted.items():
        name = "value" if name == "json" else name
        if name not in _PARTS:
            from ..nearest import get_close_matches

            near = get_close_matches(name, _PARTS, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has json, {', '.join(_PARTS)}"
            raise InvalidInput(f"a message has no {name}: {hint}")
        expected[name] = value
    return expected


def _payload(value: Any) -> bytes | None:
    """Text and bytes as they are, None as none, all else as JSON."""
    from ..fixtures.encoding import encode

    return encode(value)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
