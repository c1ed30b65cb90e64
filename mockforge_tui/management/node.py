"""GET nodes: the process that serves, as RabbitMQ shows a node of its cluster."""

from __future__ import annotations

import gc
import os
import shutil
import threading
import time
from typing import Any, Final

from mockforge_brokers.amqp.churn import OF_CHURN
from mockforge_brokers.amqp.connection.ends import NODE
from mockforge_brokers.amqp.sampling import detailed
from mockforge_brokers.amqp.state.memory import DISK, MEMORY
from mockforge_brokers.memory import resident

from .listing import listed, picked
from .refusals import not_found
from .request import Asked

_TYPES: Final = {
    "direct": "AMQP direct exchange, as per the AMQP specification",
    "fanout": "AMQP fanout exchange, as per the AMQP specification",
    "headers": "AMQP headers exchange, as per the AMQP specification",
    "topic": "AMQP topic exchange, as per the AMQP specification",
}
_MECHANISMS: Final = {
    "PLAIN": "SASL PLAIN authentication mechanism",
    "AMQPLAIN": "QPid AMQPLAIN mechanism",
    "EXTERNAL": "TLS peer verification-based authentication plugin",
    "RABBIT-CR-DEMO": "RabbitMQ Demo challenge-response authentication mechanism",
}
"""In RabbitMQ's words; EXTERNAL is offered to who comes with a certificate."""
_DISK_FREE_LIMIT: Final = 50_000_000
"""RabbitMQ's disk_free_limit; here the disk alarm comes when writing fails, or by hand."""
_SINCE: Final = time.monotonic()
"""It is served from here on."""
_FILES: Final = "/proc/self/fd"


def exchange_types(asked: Asked) -> list[dict[str, Any]]:
    return [
        {"name": name, "description": _TYPES.get(name, name), "enabled": True}
        for name in asked.broker.exchange_types
    ]


def contexts(asked: Asked) -> list[dict[str, Any]]:
    """Where the management interface itself is."""
    host, port = asked.server
    described = {"description": "RabbitMQ Management", "ip": host}
    return [{"node": NODE, **described, "path": "/", "port": port, "ssl_opts": []}]


def listeners(asked: Asked) -> list[dict[str, Any]]:
    """AMQP's, and the one of the management interface itself."""
    protocols = {"plain": "amqp", "tls": "amqp/ssl"}
    found = [
        (protocols.get(each.name, each.name), each.host, each.port)
        for each in asked.runtime.environment.listeners
        if each.protocol == "amqp"
    ]
    return [
        {
            "node": NODE,
            "protocol": protocol,
            "ip_address": host,
            "port": port,
            "socket_opts": {"nodelay": True},
        }
        for protocol, host, port in [*found, ("http", *asked.server)]
    ]


def nodes(asked: Asked) -> Any:
    return listed([figures(asked)], asked.query)


def node(asked: Asked) -> Any:
    if asked.names[0] != NODE:
        raise not_found()
    return picked(figures(asked), asked.query)


def figures(asked: Asked) -> dict[str, Any]:
    """What has no counterpart here (Erlang's and its stores' figures) is left out."""
    broker = asked.broker
    memory, churn = broker.memory, broker.churn
    return {
        "name": NODE,
        "type": "disc",
        "running": True,
        "being_drained": False,
        "os_pid": str(os.getpid()),
        "uptime": int((time.monotonic() - _SINCE) * 1000),
        "mem_used": memory.used,
        "mem_limit": memory.limit,
        "mem_alarm": MEMORY in memory.low,
        "mem_calculation_strategy": "allocated",
        "disk_free": shutil.disk_usage(os.sep).free,
        "disk_free_limit": _DISK_FREE_LIMIT,
        "disk_free_alarm": DISK in memory.low,
        **_of_process(),
        "sockets_used": len(broker.management.connections()),
        "partitions": [],
        "cluster_links": [],
        "net_ticktime": 60,
        "rates_mode": "basic",
        "exchange_types": exchange_types(asked),
        "auth_mechanisms": [
            {"name": name, "description": words, "enabled": name in broker.options.mechanisms}
            for name, words in _MECHANISMS.items()
        ],
        "applications": [
            {"name": "rabbit", "description": "RabbitMQ", "version": broker.options.version}
        ],
        "contexts": contexts(asked),
        "enabled_plugins": ["rabbitmq_management"],
        "config_files": [],
        "log_files": [],
        **detailed(OF_CHURN, churn.counts, broker.rates(churn)),
    }


_PARTS: Final = (
    "connection_readers", "connection_writers", "connection_channels", "connection_other",
    "queue_procs", "queue_slave_procs", "quorum_queue_procs", "quorum_queue_dlx_procs",
    "stream_queue_procs", "stream_queue_replica_reader_procs", "stream_queue_coordinator_procs",
    "plugins", "metadata_store", "other_proc", "metrics", "mgmt_db", "mnesia", "quorum_ets",
    "metadata_store_ets", "other_ets", "binary", "msg_index", "code", "atom", "other_system",
    "allocated_unused", "reserved_unallocated",
)  # fmt: skip
"""What RabbitMQ tells apart; here it is what queues hold (binary), and all else (other_system)."""


def memory(asked: Asked) -> Any:
    parts, whole = _memory(asked)
    totals = dict.fromkeys(("erlang", "rss", "allocated"), whole)
    return {"memory": {**parts, "strategy": "rss", "total": totals}}


def memory_in_percent(asked: Asked) -> Any:
    parts, whole = _memory(asked)
    shares = {name: max(1, round(100 * part / whole)) for name, part in parts.items() if part}
    return {"memory": {"total": 100, **parts, **shares}}


def _memory(asked: Asked) -> tuple[dict[str, int], int]:
    """The parts, and how much they are together."""
    if asked.names[0] != NODE:
        raise not_found()
    held, process = asked.broker.memory.used, resident()
    whole = max(held, process.current if process is not None else 0)
    return {**dict.fromkeys(_PARTS, 0), "binary": held, "other_system": whole - held}, whole


def _of_process() -> dict[str, Any]:
    limit = _most_files()
    return {
        "processors": os.cpu_count() or 1,
        "proc_used": threading.active_count(),
        "run_queue": 0,
        "fd_used": len(os.listdir(_FILES)) if os.path.isdir(_FILES) else 0,
        "fd_total": limit,
        "sockets_total": limit,
        "gc_num": sum(each["collections"] for each in gc.get_stats()),
    }


def _most_files() -> int:
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return 0
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
