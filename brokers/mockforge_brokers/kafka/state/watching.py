"""Who sees each record that is appended: rows of the console, expectations, reactions."""

from collections.abc import Callable

from ...environment import Environment
from ...errors import ProtocolError
from ...events import MessageSeen, Warned
from ..records import BatchHeader, Record, read_batch_header, read_records
from .logs.log import Appended, PartitionLog

Watcher = Callable[[MessageSeen], object]


class Watchers:
    """Records are decoded for them alone: while nobody watches, a batch stays the bytes it is."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.by_topic: dict[str | None, list[Watcher]] = {}
        """Under None are those that see all topics."""

    def watch(self, callback: Watcher, topic: str | None = None) -> Callable[[], None]:
        """Call with each record appended to one topic or to all; returns how to stop."""
        self.by_topic.setdefault(topic, []).append(callback)

        def stop() -> None:
            watchers = self.by_topic.get(topic, [])
            if callback in watchers:
                watchers.remove(callback)
            if not watchers:
                self.by_topic.pop(topic, None)

        return stop

    def show(self, log: PartitionLog, appended: Appended, client: str) -> None:
        """What `client` just appended."""
        watchers = [*self.by_topic.get(log.topic, ()), *self.by_topic.get(None, ())]
        if not watchers:
            return
        first, last = appended.base_offset, appended.base_offset + appended.records - 1
        try:
            batches = [
                (read_batch_header(batch), tuple(read_records(batch)))
                for batch in log.batches(first, last)
            ]
        except ProtocolError as error:
            # It is stored and sent on as it came, as Kafka does: only we cannot look into it.
            text = f"offset {first} cannot be decoded: {error.text}"
            about = f"topic {log.topic}/{log.partition}"
            self._environment.spine.emit(Warned("kafka", about, text))
            return
        for header, records in batches:
            for record in records:
                seen = self._seen(log, header, record, client)
                for watcher in watchers:
                    watcher(seen)

    def _seen(
        self, log: PartitionLog, header: BatchHeader, record: Record, client: str
    ) -> MessageSeen:
        transaction = {}
        if header.is_transactional:
            # By where it begins here: each of a producer begins elsewhere.
            opened = log.transactions.open.get(header.producer_id)
            transaction = {"producer_id": header.producer_id, "transaction": opened}
        return MessageSeen(
            protocol="kafka",
            time=self._environment.clock.wall(),
            destination=log.topic,
            key=record.key,
            payload=record.value,
            headers=record.headers,
            client=client,
            detail={
                "partition": log.partition,
                "offset": record.offset,
                "timestamp": record.timestamp,
                **transaction,
            },
        )
