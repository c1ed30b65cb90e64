"""The exchanges that every virtual host has, by their names."""

from typing import Final

PREDECLARED: Final = {
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.topic": "topic",
    "amq.headers": "headers",
    "amq.match": "headers",
    "amq.rabbitmq.trace": "topic",
    "amq.rabbitmq.event": "topic",
}
EVENTS: Final = "amq.rabbitmq.event"
"""In the first virtual host alone, where RabbitMQ's plugin has it."""
INTERNAL: Final = ("amq.rabbitmq.trace", EVENTS)
"""Only the broker publishes to them."""
