"""Reads bookings from Kafka in a consumer group: pip install confluent-kafka."""

import json

from confluent_kafka import Consumer

consumer = Consumer(
    {
        "bootstrap.servers": "127.0.0.1:9092",
        "group.id": "booking-desk",
        "auto.offset.reset": "earliest",
    }
)
consumer.subscribe(["bookings.requested"])
try:
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            print(message.error())
            continue
        booking = json.loads(message.value())
        print(f"{booking['trip']['to']:10} {booking['price']:8.2f}  {booking['traveller']['name']}")
except KeyboardInterrupt:
    pass
finally:
    consumer.close()
