"""How many members a group may have: group.max.size and group.consumer.max.size."""

from ....errors import RequestRefused
from ...codes import ErrorCode
from ..configs.broker import BrokerConfig
from .classic.group import Group
from .classic.state import GroupState
from .consumer.group import ConsumerGroup


def check_classic(group: Group, member_id: str, broker: BrokerConfig) -> None:
    """Raises RequestRefused where there is no room for one more; who asked is no member then.

    A static member without its id counts as one more even where it would only come back, in both
    kinds of group: so it is in Apache Kafka.
    """
    if group.empty:
        return
    member = group.members.by_id.get(member_id)
    if group.state is GroupState.PREPARING_REBALANCE:
        # Who has not joined again by then goes, so that only those who have take room.
        taken = sum(one.join is not None for one in group.members)
        has_room = member is not None and member.join is not None
    else:
        taken = len(group.members)
        has_room = member is not None
    most = broker.number("group.max.size")
    if not has_room and taken >= most:
        # As Apache Kafka: a member that comes back too late for the room is not waited for. The
        # others have their generation at once here, there with the next join or timeout.
        group.put_out(member_id, f"found no room among {most} members")
        raise _full("group", most)


def check_consumers(group: ConsumerGroup, member_id: str, broker: BrokerConfig) -> None:
    """Raises RequestRefused."""
    most = broker.number("group.consumer.max.size")
    if member_id not in group.members and len(group.members) >= most:
        raise _full("consumer group", most)


def check_conversion(group: Group, broker: BrokerConfig) -> None:
    """Whether a classic group may take one member of the consumer protocol as it changes over.

    Raises RequestRefused.
    """
    most = broker.number("group.consumer.max.size")
    if len(group.members) > most:
        raise RequestRefused(
            ErrorCode.GROUP_ID_NOT_FOUND,
            f"Cannot upgrade classic group {group.group_id} to consumer group because the group"
            " size exceeds the consumer group maximum size.",
        )
    if len(group.members) >= most:
        raise _full("consumer group", most)


def _full(kind: str, most: int) -> RequestRefused:
    return RequestRefused(
        ErrorCode.GROUP_MAX_SIZE_REACHED,
        f"The {kind} has reached its maximum capacity of {most} members.",
    )
