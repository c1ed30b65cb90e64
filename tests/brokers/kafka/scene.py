"""A Kafka broker with its clock, clients without sockets, and requests as messages."""

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.journal import OUT
from mockforge_brokers.kafka.broker import KafkaBroker
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.wire.frames import decode_response, encode_request
from mockforge_brokers.kafka.wire.messages.logs import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)

from ..fake_peer import FakeNetwork


class Noting(ManualClock):
    """Knows how many calls are still to come."""

    def __init__(self, wall=1_700_000_000.0):
        super().__init__(wall)
        self._calls = []

    def call_later(self, delay, callback, *args):
        call = super().call_later(delay, callback, *args)
        self._calls.append(call)
        return call

    @property
    def waiting(self):
        return sum(not call.cancelled for call in self._calls)


class Turning(ManualClock):
    """Does what is due now one by one."""

    def turn(self):
        due = self._agenda.next_due()
        if due is not None and due <= self._now:
            call = self._agenda.pop()
            call.callback(*call.args)

    def pass_time(self, seconds):
        """It is later, and nothing that is due has been done yet."""
        self._now += seconds


class Scene:
    def __init__(self, limits=None, *, wall=1_700_000_000.0, clock=None, disk=None, **options):
        self.clock = ManualClock(wall) if clock is None else clock
        self.environment = Environment.create(self.clock, seed=1, limits=limits)
        if disk is not None:
            disk.store_for(self.environment)
        self.broker = KafkaBroker(self.environment, KafkaOptions(**options))
        self.network = FakeNetwork(self.broker, self.environment)
        self.correlation_id = 0

    def ask(self, client, message, version):
        """Send one request; returns its correlation id."""
        self.correlation_id += 1
        client.send(encode_request(message, version, self.correlation_id, "shop"))
        return self.correlation_id

    def answer(self, client, api, version):
        """The one response that came, decoded."""
        (frame,) = client.connection.splitter(OUT).feed(client.take())
        return decode_response(frame, api, version)[1]

    def ask_as(self, client_id, client, message, version):
        """Ask under another client id; returns the decoded answer."""
        client.send(encode_request(message, version, 1, client_id))
        return self.answer(client, message.api_key, version)

    def metrics(self):
        return {m.name: dict(m.samples) for m in self.broker.metrics()}

    def call(self, message, version):
        """Ask on a connection of its own; returns the decoded answer."""
        return self.connected()(message, version)

    def connected(self):
        """A `call` on one connection for all that is asked by it."""
        client = self.network.connect()

        def call(message, version):
            self.ask(client, message, version)
            return self.answer(client, message.api_key, version)

        return call


def produce(topic, *values, topic_id=bytes(16), **more):
    batch = build_batch([Record(0, 1000, b"k", value, (("h", b"1"),)) for value in values], **more)
    data = PartitionProduceData(index=0, records=batch)
    one = TopicProduceData(name=topic, topic_id=topic_id, partition_data=[data])
    return ProduceRequest(acks=-1, timeout_ms=0, topic_data=[one])


def fetch(topic, offset, *, wait=0, size=1 << 20, topic_id=bytes(16)):
    part = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=size)
    one = FetchTopic(topic=topic, topic_id=topic_id, partitions=[part])
    return FetchRequest(max_wait_ms=wait, min_bytes=1, topics=[one])


class Answer:
    """What a parked request was answered with; None as long as it waits."""

    def __init__(self, parked):
        self.result = None
        parked.then(self._came)

    def _came(self, result):
        assert self.result is None
        self.result = result
