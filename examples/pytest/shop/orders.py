"""Takes orders: each is a record on Kafka."""

import json

from confluent_kafka import Producer


class Orders:
    def __init__(self, kafka: str) -> None:
        self._producer = Producer(
            {"bootstrap.servers": kafka, "enable.idempotence": True, "retry.backoff.ms": 50}
        )

    def place(self, order_id: str, total: float) -> None:
        """Returns once the broker has the order."""
        value = json.dumps({"order_id": order_id, "total": total})
        headers = {"trace_id": f"trace-{order_id}"}
        self._producer.produce("orders.created", value, key=order_id, headers=headers)
        if self._producer.flush(30):
            raise TimeoutError(f"order {order_id} was not delivered")
