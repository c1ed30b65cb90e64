"""Which function answers which method and path; `*` is a part that varies."""

from collections.abc import Callable
from typing import Any, Final

from . import changing, cluster, definitions, limits, node, reading, topics
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

SINCE: Final = {
    "deprecated-features": (3, 13),
    "version": (4, 1),
    "health/checks/ready-to-serve-clients": (4, 1),
}
"""Paths that older releases do not know, by the first profile with them (its dispatcher)."""

PATHS: Final[dict[str, dict[str, Answer]]] = {
    "overview": {"GET": reading.overview},
    "version": {"GET": reading.version},
    "whoami": {"GET": reading.whoami},
    "cluster-name": {"GET": cluster.name, "PUT": cluster.put_name},
    "nodes": {"GET": node.nodes},
    "nodes/*": {"GET": node.node},
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
    "feature-flags": {"GET": reading.feature_flags},
    "deprecated-features": {"GET": reading.deprecated_features},
    "topic-permissions": {"GET": topics.every},
    "topic-permissions/*/*": {"GET": topics.of_pair, "PUT": topics.put, "DELETE": topics.delete},
    "users/*/topic-permissions": {"GET": topics.of_user},
    "vhosts/*/topic-permissions": {"GET": topics.of_vhost},
    "vhosts": {"GET": reading.vhosts},
    "vhosts/*": {
        "GET": reading.vhost,
        "PUT": changing.put_vhost,
        "DELETE": changing.delete_vhost,
    },
    "vhosts/*/permissions": {"GET": changing.permissions_in_vhost},
    "vhosts/*/connections": {"GET": reading.connections},
    "vhosts/*/channels": {"GET": reading.channels},
    "vhost-limits": {"GET": limits.of_vhosts},
    "vhost-limits/*": {"GET": limits.of_vhosts},
    "vhost-limits/*/*": {"PUT": limits.put_of_vhost, "DELETE": limits.delete_of_vhost},
    "user-limits": {"GET": limits.of_users},
    "user-limits/*": {"GET": limits.of_users},
    "user-limits/*/*": {"PUT": limits.put_of_user, "DELETE": limits.delete_of_user},
    "users": {"GET": reading.users},
    "users/*": {
        "GET": reading.user,
        "PUT": changing.put_user,
        "DELETE": changing.delete_user,
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
    "queues/*/*/contents": {"DELETE": changing.purge},
    "queues/*/*/get": {"POST": changing.get},
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
    "definitions": {"GET": definitions.get, "POST": definitions.post},
    "definitions/*": {"GET": definitions.get_vhost, "POST": definitions.post_vhost},
    "aliveness-test/*": {"GET": reading.aliveness},
    "health/checks/alarms": {"GET": reading.alarms},
    "health/checks/local-alarms": {"GET": reading.local_alarms},
    "health/checks/virtual-hosts": {"GET": reading.ok},
    "health/checks/node-is-mirror-sync-critical": {"GET": reading.ok},
    "health/checks/node-is-quorum-critical": {"GET": reading.ok},
    "health/checks/ready-to-serve-clients": {"GET": reading.ok},
    "health/checks/port-listener/*": {"GET": reading.port_listener},
    "health/checks/protocol-listener/*": {"GET": reading.protocol_listener},
}
