"""Which function answers which method and path; `*` is a part that varies."""

from collections.abc import Callable
from typing import Any, Final

from mockforge_brokers.amqp.profiles import Release

from . import (
    changing,
    cluster,
    definitions,
    features,
    health,
    limits,
    node,
    reading,
    topics,
    users,
    vhosts,
)
from .request import Asked

Answer = Callable[[Asked], Any]
"""Returns what becomes the JSON of a 200, or (status, that)."""

OF_A_VHOST: Final = (
    "queues/",
    "exchanges/",
    "bindings/",
    "policies/",
    "operator-policies/",
    "aliveness-test/",
    "vhosts/*/connections",
    "vhosts/*/channels",
)
"""How paths begin that lead into a virtual host, which is their first part that varies."""

OF_GET: Final = "queues/*/*/get"
OF_ANYBODY: Final = ("auth",)
"""What is answered to who has not logged in, too."""

_LEADERS: Final = [
    f"health/checks/quorum-queues-without-elected-leaders/{which}"
    for which in ("all-vhosts", "all-vhosts/pattern/*", "vhost/*", "vhost/*/pattern/*")
]
"""On one node each has its leader."""

SINCE: Final[dict[str, Release]] = {
    "deprecated-features": (3, 13),
    "deprecated-features/used": (3, 13),
    "version": (4, 1),
    "health/checks/ready-to-serve-clients": (4, 1),
    "health/checks/is-in-service": (4, 3),
    "health/checks/below-node-connection-limit": (4, 3),
    "health/checks/metadata-store/initialized": (4, 3),
    "health/checks/metadata-store/initialized/with-data": (4, 3),
    **dict.fromkeys(_LEADERS, (4, 3)),
}
"""Paths that older releases do not know, by the first profile with them (its dispatcher)."""
UNTIL: Final[dict[str, Release]] = {"health/checks/node-is-mirror-sync-critical": (4, 3)}
"""Paths that newer ones do not know, by the first profile without them."""

PATHS: Final[dict[str, dict[str, Answer]]] = {
    "overview": {"GET": reading.overview},
    "version": {"GET": reading.version},
    "auth": {"GET": reading.auth},
    "whoami": {"GET": reading.whoami},
    "cluster-name": {"GET": cluster.name, "PUT": cluster.put_name},
    "nodes": {"GET": node.nodes},
    "nodes/*": {"GET": node.node},
    "nodes/*/memory": {"GET": node.memory},
    "nodes/*/memory/relative": {"GET": node.memory_in_percent},
    "extensions": {"GET": reading.extensions},
    "parameters": {"GET": reading.parameters},
    "parameters/*": {"GET": reading.parameters},
    "parameters/*/*": {"GET": reading.parameters},
    "parameters/*/*/*": {
        "GET": reading.parameter,
        "PUT": changing.put_parameter,
        "DELETE": changing.delete_parameter,
    },
    "global-parameters": {"GET": cluster.global_parameters},
    "global-parameters/*": {
        "GET": cluster.global_parameter,
        "PUT": cluster.put_global_parameter,
        "DELETE": cluster.delete_global_parameter,
    },
    "auth/attempts/*": {"GET": cluster.attempts, "DELETE": cluster.forget_attempts},
    "auth/attempts/*/source": {
        "GET": cluster.attempts_by_source,
        "DELETE": cluster.forget_attempts_by_source,
    },
    "feature-flags": {"GET": features.flags},
    "feature-flags/*/enable": {"PUT": features.enable},
    "deprecated-features": {"GET": features.deprecated},
    "deprecated-features/used": {"GET": features.in_use},
    "topic-permissions": {"GET": topics.every},
    "topic-permissions/*/*": {"GET": topics.of_pair, "PUT": topics.put, "DELETE": topics.delete},
    "topic-permissions/*/*/*": {"GET": topics.of_pair, "PUT": topics.put, "DELETE": topics.delete},
    "users/*/topic-permissions": {"GET": topics.of_user},
    "vhosts/*/topic-permissions": {"GET": topics.of_vhost},
    "vhosts": {"GET": reading.vhosts},
    "vhosts/*": {
        "GET": reading.vhost,
        "PUT": vhosts.put_vhost,
        "DELETE": vhosts.delete_vhost,
    },
    "vhosts/*/start/*": {"POST": vhosts.start},
    "vhosts/*/permissions": {"GET": changing.permissions_in_vhost},
    "vhosts/*/connections": {"GET": reading.connections},
    "vhosts/*/channels": {"GET": reading.channels},
    "vhost-limits": {"GET": limits.of_vhosts},
    "vhost-limits/*": {"GET": limits.of_vhosts},
    "vhost-limits/*/*": {"PUT": limits.put_of_vhost, "DELETE": limits.delete_of_vhost},
    "user-limits": {"GET": limits.of_users},
    "user-limits/*": {"GET": limits.of_users},
    "user-limits/*/*": {"PUT": limits.put_of_user, "DELETE": limits.delete_of_user},
    "users/bulk-delete": {"POST": users.bulk_delete},
    "users/without-permissions": {"GET": users.without_permissions},
    "users": {"GET": users.users},
    "users/*": {
        "GET": users.user,
        "PUT": users.put_user,
        "DELETE": users.delete_user,
    },
    "users/*/permissions": {"GET": changing.permissions_of_user},
    "permissions": {"GET": changing.permissions},
    "permissions/*/*": {
        "GET": changing.permissions,
        "PUT": changing.put_permissions,
        "DELETE": changing.delete_permissions,
    },
    "connections": {"GET": reading.connections},
    "connections/*": {"GET": reading.connection, "DELETE": changing.delete_connection},
    "connections/username/*": {
        "GET": reading.connections_of_user,
        "DELETE": changing.delete_connections_of_user,
    },
    "connections/*/channels": {"GET": reading.channels_of_connection},
    "connections/*/sessions": {"GET": reading.sessions_of_connection},
    "channels": {"GET": reading.channels},
    "channels/*": {"GET": reading.channel},
    "consumers": {"GET": reading.consumers},
    "consumers/*": {"GET": reading.consumers},
    "exchanges": {"GET": reading.exchanges},
    "exchanges/*": {"GET": reading.exchanges},
    "exchanges/*/*": {
        "GET": reading.exchange,
        "PUT": changing.put_exchange,
        "DELETE": changing.delete_exchange,
    },
    "exchanges/*/*/bindings/source": {"GET": reading.bindings_from},
    "exchanges/*/*/bindings/destination": {"GET": reading.bindings_to},
    "exchanges/*/*/publish": {"POST": changing.publish},
    "queues": {"GET": reading.queues},
    "queues/*": {"GET": reading.queues},
    "queues/*/*": {
        "GET": reading.queue,
        "PUT": changing.put_queue,
        "DELETE": changing.delete_queue,
    },
    "queues/*/*/bindings": {"GET": reading.bindings_of_queue},
    "queues/*/*/actions": {"POST": changing.act},
    "queues/*/*/contents": {"DELETE": changing.purge},
    OF_GET: {"POST": changing.get},
    "bindings": {"GET": reading.bindings},
    "bindings/*": {"GET": reading.bindings},
    "bindings/*/e/*/q/*": {
        "GET": reading.bindings_between("queue"),
        "POST": changing.post_binding("queue"),
    },
    "bindings/*/e/*/e/*": {
        "GET": reading.bindings_between("exchange"),
        "POST": changing.post_binding("exchange"),
    },
    "bindings/*/e/*/q/*/*": {
        "GET": reading.bindings_between("queue"),
        "DELETE": changing.delete_binding("queue"),
    },
    "bindings/*/e/*/e/*/*": {
        "GET": reading.bindings_between("exchange"),
        "DELETE": changing.delete_binding("exchange"),
    },
    "policies": {"GET": reading.policies},
    "policies/*": {"GET": reading.policies},
    "policies/*/*": {
        "GET": reading.policy,
        "PUT": changing.put_policy(False),
        "DELETE": changing.delete_policy(False),
    },
    "operator-policies": {"GET": reading.operator_policies},
    "operator-policies/*": {"GET": reading.operator_policies},
    "operator-policies/*/*": {
        "GET": reading.operator_policy,
        "PUT": changing.put_policy(True),
        "DELETE": changing.delete_policy(True),
    },
    "rebalance/queues": {"POST": changing.rebalance},
    "all-configuration": {"GET": definitions.get, "POST": definitions.post},
    "definitions": {"GET": definitions.get, "POST": definitions.post},
    "definitions/*": {"GET": definitions.get_vhost, "POST": definitions.post_vhost},
    "aliveness-test/*": {"GET": reading.aliveness},
    "healthchecks/node": {"GET": health.node},
    "healthchecks/node/*": {"GET": health.node},
    "health/checks/alarms": {"GET": health.alarms},
    "health/checks/local-alarms": {"GET": health.local_alarms},
    "health/checks/certificate-expiration/*/*": {"GET": health.certificate_expiration},
    "health/checks/virtual-hosts": {"GET": health.ok},
    "health/checks/node-is-mirror-sync-critical": {"GET": health.alone},
    "health/checks/node-is-quorum-critical": {"GET": health.alone},
    "health/checks/ready-to-serve-clients": {"GET": health.ok},
    "health/checks/is-in-service": {"GET": health.ok},
    "health/checks/below-node-connection-limit": {"GET": health.ok},
    "health/checks/metadata-store/initialized": {"GET": health.ok},
    "health/checks/metadata-store/initialized/with-data": {"GET": health.ok},
    **{path: {"GET": health.ok} for path in _LEADERS},
    "health/checks/port-listener/*": {"GET": health.port_listener},
    "health/checks/protocol-listener/*": {"GET": health.protocol_listener},
}
