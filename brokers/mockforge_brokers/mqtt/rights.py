"""Who may connect, publish and subscribe, and how MQTT says no (as Mosquitto does)."""

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..access import Covers, Guard
from ..events import AccessDenied
from ..permissions import Rule
from .codes import Reason
from .handshake import Refused
from .state.session import Reads
from .state.topics import covers, matches, split_share
from .wire.packets import Connect

if TYPE_CHECKING:
    from .connection import MqttConnection

_PLACES = re.compile("%[cu]")


def log_in(connection: "MqttConnection", packet: Connect) -> None:
    """Make the peer's principal of CONNECT's user and password; raises Refused.

    Who came with a certificate and no name is called as its subject's CN; without one, nobody.
    """
    access, peer = connection.broker.environment.access, connection.peer
    principal = peer.principal
    name, mechanism, problem = packet.user_name or "", "", ""
    if packet.user_name is None:
        if principal.certificate and principal.common_name:
            name, mechanism = principal.common_name, "certificate"
        elif not lets_anonymous(connection):
            problem = "a user and a password are wanted here (--anonymous lets all in)"
    elif access.checks("mqtt") or not lets_anonymous(connection):
        mechanism = "password"
        password = (packet.password or b"").decode(errors="replace")
        if access.user("mqtt", name) is None:
            problem = "no such user"
        elif not access.login("mqtt", name, password):
            problem = "wrong password"
    if name and not problem:
        problem = misplaced(connection, name)
    if problem:
        report(connection, name, "connect", problem)
        raise Refused(f"not authorized: {problem}", Reason.NOT_AUTHORIZED)
    if name != principal.name or mechanism != principal.mechanism:
        peer.identify(replace(principal, name=name, mechanism=mechanism))


def lets_anonymous(connection: "MqttConnection") -> bool:
    """Whether who has no user may come by this connection's listener."""
    own = connection.listener_options.anonymous
    anonymous = connection.broker.environment.access.anonymous
    return "mqtt" in anonymous if own is None else own


def misplaced(connection: "MqttConnection", name: str) -> str:
    """Why a user that is known may not come by this connection's listener; empty if it may."""
    users = connection.listener_options.users
    if not name or users is None or name in users:
        return ""
    return f"{name} may not come by the listener {connection.place}, as {', '.join(users)} may"


def guard_of(connection: "MqttConnection") -> Guard | None:
    """By the rules as they are now; None where none is about this client."""
    user = connection.peer.principal.name

    def denied(what: str, why: str) -> None:
        report(connection, user, what, why)

    access, covering = connection.broker.environment.access, _covering(connection.client, user)
    return access.guard("mqtt", user, denied, covering)


def reads(guard: Guard) -> Reads:
    """Which topics' messages a client may get."""
    # A denial is reported once for each topic, and asked for once by each route.
    return lambda topic: not guard.denial("read", topic)


def denial_of_publish(connection: "MqttConnection", topic_name: str) -> str:
    """Why it may not publish there; empty if it may."""
    guard = connection.guard
    return "" if guard is None else guard.denial("write", topic_name)


def denial_of_filter(connection: "MqttConnection", topic_filter: str) -> str:
    """Why it may not subscribe to this; empty if it may."""
    guard = connection.guard
    return "" if guard is None else guard.denial("read", topic_filter)


def code_of_denied_publish(connection: "MqttConnection") -> Reason:
    """MQTT 5 has a code; before it nothing but the usual answer can be said (3.1.1, 3.3.5)."""
    return Reason.NOT_AUTHORIZED if connection.outlet.answers_publish else Reason.SUCCESS


def _covering(client_id: str, user: str) -> Covers:
    places = {"%c": client_id, "%u": user}

    def covers_topic(rule: Rule, operation: str, name: str) -> bool:
        if operation not in rule.operations:
            return False
        pattern = rule.pattern
        used = [places[each] for each in _PLACES.findall(pattern)]
        if any(not each or set(each) & set("+#/") for each in used):
            # Somebody who is called `+` does not get everybody's topics.
            return False
        pattern = _PLACES.sub(lambda found: places[found[0]], pattern)
        if operation == "read":
            return covers(pattern, split_share(name)[1])
        return matches(pattern, name)

    return covers_topic


def report(connection: "MqttConnection", user: str, what: str, why: str) -> None:
    """Somebody was not let do something."""
    event = AccessDenied("mqtt", connection.peer.id, connection.client, user, what, why)
    connection.broker.environment.spine.emit(event)
