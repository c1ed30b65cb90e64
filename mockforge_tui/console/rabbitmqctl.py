"""Verbs of rabbitmqctl that are no command here, and the command that does it.

Those that take the same words are aliases, with or without underscores: `list_queues`, `add_user`.
"""

from typing import Final

RABBITMQCTL: Final = {
    "authenticate_user": "auth ls shows who logged in, user passwd changes a password",
    "clear_operator_policy": "policy rm NAME --operator",
    "clear_password": "user passwd USER PASSWORD",
    "clear_user_limits": "user limits USER",
    "clear_vhost_limits": "vhost limits VHOST",
    "close_all_connections": "conn kill (proto:amqp)",
    "close_all_user_connections": "conn ls, conn kill CLIENT",
    "cluster_status": "listener ls",
    "environment": "limits",
    "list_operator_policies": "policy ls",
    "list_permissions": "rule ls",
    "list_topic_permissions": "definitions export",
    "list_unresponsive_queues": "why QUEUE",
    "list_user_limits": "definitions export",
    "list_user_permissions": "rule ls",
    "list_vhost_limits": "definitions export",
    "ping": "listener ls",
    "report": "export",
    "restart_vhost": "broker restart amqp",
    "set_disk_free_limit": "alarm set disk",
    "set_operator_policy": "policy set NAME PATTERN DEFINITION --operator",
    "set_vm_memory_high_watermark": "alarm set memory",
    "start_app": "broker start amqp",
    "status": "listener ls, limits",
    "stop": "broker stop amqp",
    "stop_app": "broker stop amqp",
}
