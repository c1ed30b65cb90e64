"""Takes mails from AMQP and acknowledges each: pip install pika."""

import json

import pika

connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", 5672))
channel = connection.channel()
channel.basic_qos(prefetch_count=10)


def on_mail(channel, method, properties, body):
    print(f"{method.routing_key:16} {json.loads(body)['subject']}")
    channel.basic_ack(method.delivery_tag)


channel.basic_consume("mails", on_mail)
try:
    channel.start_consuming()
except KeyboardInterrupt:
    connection.close()
