"""Filter expressions in SQL ("AMQP Filter Expressions" 1.0, chapter 6) as RabbitMQ reads them."""
