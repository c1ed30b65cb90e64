"""What is played to RabbitMQ and to us by AMQP 1.0: one script a subject, by name.

What has a session of RabbitMQ crash (amqp:internal-error with Erlang's stack) is not asked: ours
says what is wrong. That are an attach without its target or initial-delivery-count, a first
transfer without its delivery-id, wrong roles, ranges and states of dispositions, unknown requests
of the management node, and performatives where none is due.
"""

from . import limits, links, management, messages, receiving
from .common import SCRIPTS

__all__ = ["SCRIPTS", "limits", "links", "management", "messages", "receiving"]
