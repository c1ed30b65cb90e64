"""AMQP 1.0 as RabbitMQ 4 speaks it, on the state of the same virtual hosts."""
