"""A console over three message brokers: Kafka, MQTT and AMQP."""
