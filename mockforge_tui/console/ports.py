"""What the commands need from the runtime and from the front end that shows them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mockforge_brokers.access import Access
from mockforge_brokers.clock import Timer
from mockforge_brokers.contract import Broker
from mockforge_brokers.events import MessageSeen
from mockforge_brokers.journal import Journal, Row
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.holds import Holds
from mockforge_brokers.misbehaviour.rules import Faults
from mockforge_brokers.spine import Spine
from mockforge_brokers.usage import Usage

from ..filters import Filter
from ..fixtures.messages import Outgoing

if TYPE_CHECKING:
    from ..fixtures.engine import GeneratorStatus
    from ..fixtures.model import Generator


class Receipt(Protocol):
    """Where a message went: `place` is for people (`orders p0@97`), `reached` counts takers."""

    @property
    def place(self) -> str: ...

    @property
    def reached(self) -> int | None: ...


class Record(Protocol):
    """One record of a Kafka log; `time` is in seconds since 1970."""

    @property
    def partition(self) -> int: ...

    @property
    def offset(self) -> int: ...

    @property
    def time(self) -> float: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> tuple[tuple[str, bytes | None], ...]: ...


class KafkaAdmin(Protocol):
    """What can be done to Kafka from inside; InvalidInput says what cannot be."""

    def create_topic(
        self, name: str, partitions: int | None = None, config: Mapping[str, str] | None = None
    ) -> int:
        """Returns the number of partitions."""
        ...

    def delete_topic(self, name: str) -> None: ...

    def purge_topic(self, name: str) -> int:
        """Delete all records, keep the topic; returns how many there were."""
        ...

    def grow_topic(self, name: str, partitions: int) -> None: ...

    def configure_topic(self, name: str, key: str, value: str | None) -> None:
        """Set one value; None puts it back to its default."""
        ...

    def reset_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Move what a group without members committed: partition to offset."""
        ...

    def kick_member(self, group: str, member: str) -> None:
        """Put a member out of its group, told by member, instance or client id."""
        ...

    def rebalance(self, group: str) -> None: ...

    def offsets_at(self, topic: str, time: float) -> list[int]:
        """Of each partition the first offset of this time or later."""
        ...

    def read(self, topic: str, partition: int, offset: int, limit: int) -> Sequence[Record]:
        """At most `limit` records from `offset` on (below the log's start: from its start)."""
        ...

    def offsets(self, topic: str) -> list[tuple[int, int]]:
        """(log_start_offset, high_watermark) of each partition."""
        ...


class Waiting(Protocol):
    """A message that waits in an MQTT session."""

    @property
    def topic_name(self) -> str: ...

    @property
    def payload(self) -> bytes: ...

    @property
    def qos(self) -> int: ...

    @property
    def retain(self) -> bool: ...


class MqttAdmin(Protocol):
    """What can be done to MQTT from inside."""

    def retained(self) -> list[tuple[str, bytes, int]]:
        """(topic_name, payload, qos) of each retained message."""
        ...

    def clear_retained(self, topic_name: str) -> bool: ...

    def queued(self, client: str, count: int, *, start: int = 0) -> Sequence[Waiting]:
        """What waits for a client, oldest first, from the `start`-th message on."""
        ...

    def sessions(self) -> list[Mapping[str, Any]]:
        """For each session at least client, connected, subscriptions and queued."""
        ...

    def end_session(self, client: str) -> bool:
        """Forget a session; a connected client is disconnected."""
        ...


class VirtualHost(Protocol):
    """What is declared in a virtual host, by name."""

    @property
    def queues(self) -> Mapping[str, Any]: ...

    @property
    def exchanges(self) -> Mapping[str, Any]: ...


class AmqpAdmin(Protocol):
    """What can be done to AMQP's virtual hosts from inside; InvalidInput says what cannot be."""

    @property
    def vhosts(self) -> Mapping[str, VirtualHost]: ...

    def add_vhost(self, name: str) -> None: ...

    def remove_vhost(self, name: str) -> int:
        """With all that is in it; returns how many connections were closed."""
        ...

    def declare_queue(
        self, name: str, *, durable: bool = False, arguments: Mapping[str, Any] | None = None
    ) -> None: ...

    def delete_queue(self, name: str) -> int:
        """Returns how many messages went with it."""
        ...

    def purge_queue(self, name: str) -> int: ...

    def declare_exchange(
        self, name: str, kind: str = "direct", *, durable: bool = False
    ) -> None: ...

    def delete_exchange(self, name: str) -> None: ...

    def bind(
        self,
        exchange: str,
        queue: str,
        binding_key: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> None: ...

    def unbind(
        self,
        exchange: str,
        queue: str,
        binding_key: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> None: ...

    def exchanges(self) -> list[tuple[str, str]]:
        """(name, type) of each exchange but the default one, used or not."""
        ...

    def peek(self, queue: str, count: int = 10, *, start: int = 0) -> Sequence[MessageSeen]:
        """Ready messages, oldest first, from the `start`-th on; they stay where they are."""
        ...

    def bindings(self) -> list[tuple[str, str, str]]:
        """(exchange, queue, binding_key) of each binding."""
        ...


class Fixtures(Protocol):
    """Loaded fixtures and those added at the prompt; FixtureEngine is one."""

    def status(self) -> "Sequence[GeneratorStatus]": ...

    def source(self, name: str) -> str:
        """The fixture as its file has it."""
        ...

    def emit(self, name: str, count: int = 1) -> tuple[Outgoing, ...]:
        """Make and publish beats now; returns the last one's messages."""
        ...

    def start(self, name: str) -> None: ...

    def stop(self, name: str) -> None: ...

    def set_rate(self, name: str, rate: float) -> None: ...

    def add(self, generator: "Generator") -> None: ...

    def remove(self, name: str) -> None: ...


class Production(Protocol):
    @property
    def engine(self) -> Fixtures:
        """Another one after fixtures were loaded anew."""
        ...


class Clock(Protocol):
    """The brokers' clock, which a person may move on."""

    @property
    def offset(self) -> float: ...

    def now(self) -> float: ...

    def wall(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer: ...

    def advance(self, seconds: float) -> None: ...


class Runtime(Protocol):
    """The brokers that run, as the commands see them."""

    @property
    def clock(self) -> Clock: ...

    @property
    def spine(self) -> Spine: ...

    @property
    def faults(self) -> Faults: ...

    @property
    def holds(self) -> Holds: ...

    @property
    def brokers(self) -> Mapping[str, Broker]:
        """By protocol (kafka, mqtt, amqp): those that run."""
        ...

    @property
    def listeners(self) -> Sequence[Listener]:
        """Where clients are accepted."""
        ...

    @property
    def access(self) -> Access:
        """Who may log in, and what for."""
        ...

    @property
    def usage(self) -> Usage: ...

    @property
    def journal(self) -> Journal | None: ...

    @property
    def production(self) -> Production: ...

    def publish(self, message: Outgoing) -> Receipt:
        """Publish as if a client had; raises InvalidInput."""
        ...


class Administration(Protocol):
    """What can be done to the brokers from inside; one that does not run is None."""

    @property
    def kafka(self) -> KafkaAdmin | None: ...

    @property
    def mqtt(self) -> MqttAdmin | None: ...

    @property
    def amqp(self) -> AmqpAdmin | None: ...


class View(Protocol):
    """The screen, for commands that change what is looked at. The line shell has none."""

    def show_filter(self, shown: Filter | None) -> None:
        """Show only rows that match (None: all)."""
        ...

    def screenshot(self, path: str | None) -> str:
        """Write the screen as SVG; returns the path."""
        ...

    def themes(self) -> Sequence[str]: ...

    def set_theme(self, name: str) -> None: ...

    def numbered(self, first: int, last: int) -> Sequence[Row]:
        """Rows of the flow by their numbers, as far as they are still there."""
        ...

    def marked(self) -> Sequence[Row]:
        """Rows that the person marked; the one under the cursor comes first."""
        ...
