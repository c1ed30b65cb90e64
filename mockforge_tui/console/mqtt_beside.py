"""What stands in the inspector beside a shared subscription of MQTT: who got how many messages."""

from typing import Any, Final

from mockforge_brokers.snapshots import GroupView

from .kafka_tables import Tables
from .results import Column, count

_MEMBERS: Final = (
    Column("client", "client"),
    Column("state", "state"),
    Column("qos", "QoS", right=True),
    Column("taken", "got", count, right=True),
    Column("waiting", "waiting", count, right=True),
)


def beside(subject: object) -> Tables:
    """Tables by name; none of what is no shared subscription."""
    match subject:
        case GroupView(protocol="mqtt", detail={"filter": _, "members": members}):
            return {"members": (_MEMBERS, [{**each, "state": _state(each)} for each in members])}
    return {}


def _state(member: dict[str, Any]) -> str:
    if not member["connected"]:
        return "away"
    return "reads" if member["ready"] else "does not read"
