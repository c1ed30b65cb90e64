"""Reads orders and sends an invoice for each, once however often it reads an order."""

import json
import threading

import pika
from confluent_kafka import Consumer


class Billing(threading.Thread):
    """Works until `stop`; `billed` is its memory, which a restart must be given again."""

    def __init__(
        self, kafka: str, amqp: str, billed: set[str] | None = None, *, commits: bool = True
    ) -> None:
        super().__init__(daemon=True)
        self.billed = set() if billed is None else billed
        self._kafka = kafka
        self._amqp = amqp
        self._commits = commits
        self._ending = threading.Event()

    def stop(self) -> None:
        self._ending.set()
        self.join(30)

    def run(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._kafka,
                "group.id": "billing",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 6000,
            }
        )
        consumer.subscribe(["orders.created"])
        connection = pika.BlockingConnection(pika.URLParameters(self._amqp))
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            while not self._ending.is_set():
                record = consumer.poll(0.05)
                connection.process_data_events(0)
                if record is None or record.error():
                    continue
                self._bill(channel, json.loads(record.value()), dict(record.headers() or ()))
                if self._commits:
                    consumer.commit(record, asynchronous=False)
        finally:
            consumer.close()
            connection.close()

    def _bill(
        self,
        channel: "pika.adapters.blocking_connection.BlockingChannel",
        order: dict[str, object],
        headers: dict[str, bytes],
    ) -> None:
        order_id = str(order["order_id"])
        if order_id in self.billed:
            return
        trace = headers.get("trace_id", b"").decode()
        properties = pika.BasicProperties(headers={"trace_id": trace}, delivery_mode=2)
        channel.basic_publish("billing", "invoice.created", json.dumps(order), properties)
        self.billed.add(order_id)
