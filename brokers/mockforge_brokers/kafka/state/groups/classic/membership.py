"""Who may be in a group, and who is."""

from .....errors import RequestRefused
from ....codes import ErrorCode
from .member import JoinRequest, Member, Members, SyncRequest


def check_protocols(
    group_id: str, protocol_type: str, members: Members, request: JoinRequest
) -> None:
    """Raises RequestRefused unless the newcomer shares a protocol with all members."""
    names = {name for name, _ in request.protocols}
    fits = bool(request.protocol_type) and bool(names)
    # An empty group takes any: its first member says what kind of group it is.
    if fits and len(members):
        fits = request.protocol_type == protocol_type and bool(
            names.intersection(members.common_protocols())
        )
    if not fits:
        offered = ", ".join(sorted(names)) or "nothing"
        raise RequestRefused(
            ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
            f"group {group_id} ({protocol_type or request.protocol_type!r}) shares"
            f" no protocol with a member of {request.protocol_type!r} that offers {offered}",
        )


def known_member(group_id: str, members: Members, member_id: str, instance: str | None) -> Member:
    """The member of this id, and of this instance id if one is told. Raises RequestRefused."""
    # Before the member id is looked up: who is fenced has to end, since another process goes by its
    # instance id now, while who is merely unknown joins again (KIP-345).
    if instance is not None:
        current = members.static.get(instance)
        if current is not None and current != member_id:
            raise RequestRefused(
                ErrorCode.FENCED_INSTANCE_ID,
                f"instance {instance} of group {group_id} is {current} now",
            )
    member = members.by_id.get(member_id)
    if member is None or (instance is not None and member.group_instance_id != instance):
        raise unknown_member(group_id, member_id)
    return member


def check_choice(group_id: str, chosen: tuple[str, str | None], request: SyncRequest) -> None:
    """Raises RequestRefused where a member says another protocol type or name than was chosen."""
    said = (request.protocol_type, request.protocol_name)
    for given, known in zip(said, chosen, strict=True):
        # SyncGroup says them from v5 on (KIP-559).
        if given is not None and given != known:
            raise RequestRefused(
                ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
                f"group {group_id} chose {known}, the member says {given}",
            )


def check_generation(group_id: str, current: int, given: int) -> None:
    """Raises RequestRefused where a member speaks of another generation than the current one."""
    if given != current:
        raise RequestRefused(
            ErrorCode.ILLEGAL_GENERATION,
            f"group {group_id} is at generation {current}, the member at {given}",
        )


def unknown_member(group_id: str, member_id: str) -> RequestRefused:
    return RequestRefused(
        ErrorCode.UNKNOWN_MEMBER_ID, f"group {group_id} has no member {member_id!r}"
    )
