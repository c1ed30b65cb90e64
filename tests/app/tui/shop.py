"""A small shop at work on real brokers: the traffic that is on the screen when a test begins."""

import json
from functools import cache
from typing import Any

from brokers.amqp.client import Client as AmqpClient
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.wire.codec import encode
from mockforge_brokers.kafka.wire.messages.groups import (
    ConsumerProtocolSubscription,
    JoinGroupRequest,
    JoinGroupRequestProtocol,
)
from mockforge_brokers.kafka.wire.messages.logs import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Pingreq, Publish

from ..console.scene import Scene
from ..traffic import Traffic

OLD_RECORDS = 118
PARTITION = 2


@cache
def _many(records: int) -> bytes:
    """A batch of so many records that are alike."""
    return build_batch([Record(number, 0, None, b"{}") for number in range(records)])


class Shop(Scene):
    """order-svc produces, billing fetches; dev-7 publishes, hmi subscribes; web publishes,
    inv-worker rejects what it gets; audit waits for a rebalance.

    `traffic` writes what no broker would to the same journal: rows of any content.
    """

    def __init__(self, rounds: int = 3) -> None:
        super().__init__(furnished=False)
        self.traffic = Traffic(environment=self.environment)
        self.orders = 0
        for line in (
            "topic add orders.created -p 3",
            "topic add orders.paid -p 2",
            "topic add stock.moved -p 1",
            "queue add q.invoice",
            "queue add q.mail",
            "bind amq.topic q.invoice order.*",
            "bind amq.topic q.mail order.*",
        ):
            self.run(line)
        self._fill("orders.created", PARTITION, OLD_RECORDS)
        self._fill("stock.moved", 0, 4118)
        self.order_svc = self.kafka_client()
        self.billing, _ = self.join("billing", "billing", {"orders.created": [0, 1, PARTITION]})
        self.dev_7 = self.mqtt_client("dev-7", version=4)
        self.hmi = self.mqtt_client("hmi", "sensors/#", qos=0)
        self.web = self._amqp("web")
        self.worker = self._amqp("inv-worker")
        self.worker.send("basic.consume", queue="q.invoice", consumer_tag="inv", arguments={})
        self._audit()
        journal = self.environment.journal
        assert journal is not None
        # What it took to open the shop is of no interest.
        journal.clear()
        self.spine.history.clear()
        self.work(rounds)

    def work(self, rounds: int) -> None:
        """A little of everything, the same each time."""
        for _ in range(rounds):
            number, self.orders = self.orders, self.orders + 1
            self._order(number)
            self.time.advance(0.007)
            self._measure(number)
            self.time.advance(0.005)
            self._pay(number)
            self.time.advance(0.09)

    def _fill(self, topic: str, partition: int, records: int) -> None:
        """Records that were there before: all but one in a batch, which nobody looks into."""
        self.kafka.publish(topic, b"{}", partition=partition)
        cluster = self.kafka.cluster
        self.record.stop()
        cluster.append(cluster.topics.named(topic).log(partition), _many(records - 1), client="old")
        self.record.start()

    def _amqp(self, name: str) -> AmqpClient:
        client = AmqpClient(self.networks["amqp"])
        client.connect(name=name)
        return client.open()

    def _audit(self) -> None:
        """A member that has joined a group whose other member has not come back."""
        self.kafka.reset_offsets("audit", "stock.moved", {0: 0})
        self.join("audit", "audit", {"stock.moved": [0]})
        wish = b"\0\0" + encode(ConsumerProtocolSubscription(topics=["stock.moved"]), 0)
        late = JoinGroupRequest(
            group_id="audit",
            session_timeout_ms=10_000,
            rebalance_timeout_ms=60_000,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=wish)],
        )
        self.ask(self.kafka_client(), late, 2, "audit")

    def _order(self, number: int) -> None:
        order: dict[str, Any] = {
            "id": 1841 + number,
            "sku": f"SKU-{41 + number}",
            "qty": 3,
            "price": 12.9,
            "customer": {"id": "c-77", "tier": "gold"},
            "lines": [{"sku": "A-1", "n": 2}, {"sku": "B-7", "n": 1}],
        }
        record = Record(
            0,
            int(self.clock.wall() * 1000),
            f"o-{order['id']}".encode(),
            json.dumps(order).encode(),
            (("trace", b"00-4bf92f-01"),),
        )
        data = PartitionProduceData(index=PARTITION, records=build_batch([record]))
        topic = TopicProduceData(name="orders.created", partition_data=[data])
        self.ask(self.order_svc, ProduceRequest(acks=-1, topic_data=[topic]), 9, "order-svc")
        self.time.advance(0.001)
        part = FetchPartition(
            partition=PARTITION, fetch_offset=OLD_RECORDS + number, partition_max_bytes=1 << 20
        )
        wanted = FetchRequest(
            min_bytes=1, topics=[FetchTopic(topic="orders.created", partitions=[part])]
        )
        self.ask(self.billing, wanted, 11, "billing")

    def _measure(self, number: int) -> None:
        value = json.dumps({"t": 21.5 + number / 10, "unit": "C"}).encode()
        self.dev_7.send(encode_packet(Publish("sensors/room1/temp", value, 1, packet_id=7), 4))
        self.dev_7.send(encode_packet(Pingreq(), 4))

    def _pay(self, number: int) -> None:
        body = json.dumps({"order": 1839 + number, "total": 41.7}).encode()
        self.web.publish(
            "amq.topic", "order.paid", body, content_type="application/json", delivery_mode=2
        )
        for got in self.worker.received():
            self.worker.send("basic.nack", delivery_tag=got["delivery_tag"], requeue=False)
