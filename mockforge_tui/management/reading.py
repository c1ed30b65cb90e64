"""GET: what there is."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any
from urllib.parse import unquote

from mockforge_brokers import __version__
from mockforge_brokers.amqp.churn import OF_CHURN
from mockforge_brokers.amqp.connection.ends import NODE
from mockforge_brokers.amqp.figures import properties_key, totals
from mockforge_brokers.amqp.profiles import TRANSIENT_QUEUE
from mockforge_brokers.amqp.sampling import detailed

from .cluster import cluster_name
from .health import OK
from .listing import listed, picked
from .node import contexts, exchange_types, listeners
from .refusals import Refused, bad_request, not_found
from .request import Asked

_BY_PLACE = itemgetter("vhost", "name")
_ALIVENESS = "aliveness-test"
_OAUTH_SINCE = (3, 11)


def overview(asked: Asked) -> Any:
    figures, sight = asked.broker.management, asked.sight
    vhosts, version = sight.vhosts(figures.vhosts()), asked.broker.options.version
    stats, depth = totals(vhosts)
    found = {
        "management_version": version,
        "rates_mode": "basic",
        "exchange_types": exchange_types(asked),
        "product_version": version,
        "product_name": "RabbitMQ",
        "rabbitmq_version": version,
        "cluster_name": cluster_name(asked),
        "mockforge_version": __version__,
        "erlang_version": "25.2.3",
        "erlang_full_version": "Erlang/OTP 25",
        "release_series_support_status": "supported",
        "disable_stats": False,
        "enable_queue_totals": False,
        "message_stats": stats,
        "queue_totals": depth,
        "churn_rates": _churn(asked),
        "object_totals": figures.counts(
            [name for name in asked.broker.vhosts if sight.reaches(name)],
            None if sight.all else sight.user,
        ),
        "statistics_db_event_queue": 0,
    }
    if not sight.all:
        del found["object_totals"]["consumers"]
    else:
        found |= {"node": NODE, "listeners": listeners(asked), "contexts": contexts(asked)}
    return found


def _churn(asked: Asked) -> Any:
    churn = asked.broker.churn
    return detailed(OF_CHURN, churn.counts, asked.broker.rates(churn))


def version(asked: Asked) -> Any:
    return asked.broker.options.version


def auth(asked: Asked) -> Any:
    """How pages log in: nowhere else than here."""
    if asked.broker.options.profile.release >= _OAUTH_SINCE:
        return {"oauth_enabled": False}
    return {"enable_uaa": False, "uaa_client_id": "", "uaa_location": ""}


def whoami(asked: Asked) -> Any:
    tags = asked.runtime.environment.access.users[asked.user].tags
    return {"name": asked.user, "tags": list(tags), "is_internal_user": True}


def extensions(asked: Asked) -> Any:
    return [{"javascript": "dispatcher.js"}]


def aliveness(asked: Asked) -> Any:
    """Publish to a queue and take it back, as RabbitMQ did it up to 4.2."""
    broker, vhost = asked.broker, vhost_name(asked, asked.names[0])
    if broker.options.profile.refuses(TRANSIENT_QUEUE):
        return OK
    for operation, kind, name in (
        ("configure", "queue", _ALIVENESS),
        ("write", "exchange", ""),
        ("read", "queue", _ALIVENESS),
    ):
        if not asked.sight.permits(operation, vhost, name):
            what = f"{kind} '{name or 'amq.default'}' in vhost '{vhost}'"
            reason = f"ACCESS_REFUSED - access to {what} refused for user '{asked.user}'"
            raise Refused(401, "not_authorised", reason)
    broker.declare_queue(_ALIVENESS, vhost=vhost)
    broker.publish("", _ALIVENESS, b"test_message", vhost=vhost, source="management")
    broker.get(_ALIVENESS, vhost=vhost)
    return OK


# Lists and their members.


def vhosts(asked: Asked) -> Any:
    return listed(asked.sight.vhosts(asked.broker.management.vhosts()), asked.query)


def vhost(asked: Asked) -> Any:
    rows = asked.broker.management.vhosts()
    return one(asked, next((row for row in rows if row["name"] == asked.names[0]), None))


def connections(asked: Asked) -> Any:
    rows = asked.broker.management.connections(_place(asked))
    return listed(asked.sight.own(rows), asked.query)


def connections_of_user(asked: Asked) -> Any:
    rows = asked.broker.management.connections()
    mine = [row for row in asked.sight.own(rows) if row["user"] == asked.names[0]]
    return listed(mine, asked.query)


def connection(asked: Asked) -> Any:
    return _owned(asked, asked.broker.management.connection(asked.names[0]))


def _owned(asked: Asked, row: Mapping[str, Any] | None) -> Any:
    if row is not None:
        asked.sight.check_owner(row)
    return one(asked, row)


def channels_of_connection(asked: Asked) -> Any:
    connection(asked)
    rows = asked.broker.management.channels()
    return [row for row in rows if row["connection_details"]["name"] == asked.names[0]]


def sessions_of_connection(asked: Asked) -> Any:
    connection(asked)
    rows = asked.broker.management.sessions(asked.names[0])
    if rows is None:
        raise bad_request("connection does not use AMQP 1.0")
    return rows


def channels(asked: Asked) -> Any:
    rows = asked.broker.management.channels(_place(asked))
    return listed(asked.sight.own(rows), asked.query)


def channel(asked: Asked) -> Any:
    return _owned(asked, asked.broker.management.channel(asked.names[0]))


def consumers(asked: Asked) -> Any:
    rows = asked.broker.management.consumers(_place(asked))
    return listed(asked.sight.own(rows), asked.query)


def exchanges(asked: Asked) -> Any:
    rows = asked.sight.in_reach(asked.broker.management.exchanges(_place(asked)))
    return listed(sorted(rows, key=_BY_PLACE), asked.query)


def exchange(asked: Asked) -> Any:
    found = asked.broker.management.exchange(asked.names[0], exchange_name(asked.names[1]))
    return one(asked, found)


def queues(asked: Asked) -> Any:
    figures = asked.broker.management
    names = asked.sight.in_reach(figures.queue_names(_place(asked)))
    return listed(names, asked.query, figures.queues)


def queue(asked: Asked) -> Any:
    return one(asked, asked.broker.management.queue(*asked.names))


def bindings(asked: Asked) -> Any:
    rows = asked.sight.in_reach(asked.broker.management.bindings(_place(asked)))
    return listed(rows, asked.query)


def bindings_of_queue(asked: Asked) -> Any:
    """A queue that is not there has the one that it would have, as with RabbitMQ."""
    vhost, name = asked.names
    found = asked.broker.management.bindings(vhost, destination=name, kind="queue")
    if found or vhost not in asked.broker.vhosts:
        return found
    return [
        {
            "source": "",
            "vhost": vhost,
            "destination": name,
            "destination_type": "queue",
            "routing_key": name,
            "arguments": {},
            "properties_key": properties_key(name, {}),
        }
    ]


def bindings_from(asked: Asked) -> Any:
    """An exchange that is not there has none."""
    vhost, name = asked.names
    return asked.broker.management.bindings(vhost, source=exchange_name(name))


def bindings_to(asked: Asked) -> Any:
    vhost, name = asked.names
    destination = exchange_name(name)
    return asked.broker.management.bindings(vhost, destination=destination, kind="exchange")


def bindings_between(kind: str) -> Any:
    def between(asked: Asked) -> Any:
        vhost, source, destination = asked.names[:3]
        rows = asked.broker.management.bindings(
            vhost, source=exchange_name(source), destination=destination, kind=kind
        )
        if len(asked.names) < 4:
            return rows
        found = next(
            (
                row
                for row in rows
                if asked.names[3] in (row["properties_key"], unquote(row["properties_key"]))
            ),
            None,
        )
        return one(asked, found)

    return between


def parameters(asked: Asked) -> Any:
    """What RabbitMQ keeps as parameters, of one component, one virtual host; users' policies only
    where they are asked for by name."""
    if len(asked.names) > 1:
        vhost_name(asked, asked.names[1])
    return listed(parameter_rows(asked), asked.query)


def parameter(asked: Asked) -> Any:
    found = next((row for row in parameter_rows(asked) if row["name"] == asked.names[2]), None)
    return one(asked, found)


def parameter_rows(asked: Asked) -> list[dict[str, Any]]:
    kept = [
        {"value": row, "vhost": row.pop("vhost"), "component": component, "name": row.pop("name")}
        for component, operator in (("policy", False), ("operator_policy", True))
        if operator or asked.names[:1] == ("policy",)
        for row in _policies_in(asked, None, operator=operator)
    ]
    kept += [
        {"value": dict(host.limits), "vhost": name, "component": "vhost-limits", "name": "limits"}
        for name, host in asked.broker.vhosts.items()
        if host.limits
    ]
    wanted = dict(zip(("component", "vhost"), asked.names, strict=False))
    found = [row for row in kept if all(row[key] == value for key, value in wanted.items())]
    return asked.sight.in_reach(found)


def policies(asked: Asked) -> Any:
    return _policies(asked, operator=False)


def operator_policies(asked: Asked) -> Any:
    return _policies(asked, operator=True)


def policy(asked: Asked) -> Any:
    return _named_policy(asked, operator=False)


def operator_policy(asked: Asked) -> Any:
    return _named_policy(asked, operator=True)


def _named_policy(asked: Asked, *, operator: bool) -> Any:
    rows = _policies(asked, operator=operator)
    found = next((row for row in rows if row["name"] == asked.names[1]), None)
    return one(asked, found)


def _policies(asked: Asked, *, operator: bool) -> list[Mapping[str, Any]]:
    rows = _policies_in(asked, _place(asked), operator=operator)
    return asked.sight.in_reach(rows)


def _policies_in(asked: Asked, place: str | None, *, operator: bool) -> list[dict[str, Any]]:
    return [
        {
            "vhost": name,
            "name": one.name,
            "pattern": one.pattern,
            "apply-to": one.apply_to,
            "definition": dict(one.definition),
            "priority": one.priority,
        }
        for name in asked.broker.vhosts
        if place in (None, name)
        for one in asked.broker.vhost(name).policies.table(operator).values()
    ]


def _place(asked: Asked) -> str | None:
    """The virtual host of the path, if it names one. Raises Refused."""
    return vhost_name(asked, asked.names[0]) if asked.names else None


def vhost_name(asked: Asked, name: str) -> str:
    if name not in asked.broker.vhosts:
        raise not_found()
    return name


def exchange_name(name: str) -> str:
    """The default exchange has a name in paths, since it has none elsewhere."""
    return "" if name == "amq.default" else name


def one(asked: Asked, row: Mapping[str, Any] | None) -> Any:
    if row is None:
        raise not_found()
    return picked(row, asked.query)
