"""Kafka, MQTT and AMQP brokers as plain synchronous Python, served by one asyncio transport."""

__version__ = "0.1.0"
