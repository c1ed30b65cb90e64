"""What the three ACL requests have in common."""

from ....errors import ProtocolError, RequestRefused
from ....permissions import ACL_KINDS
from ...acls import Acl, AclFilter, is_on
from ...codes import ApiKey, ErrorCode, PatternType, ResourceType
from ...wire.messages.acls import DeleteAclsFilter, DescribeAclsRequest
from ..caller import Caller

_UNKNOWN = 0


def check(caller: Caller, operation: str, text: str) -> None:
    """Raise RequestRefused where there is no authorizer (`text`), or the user may not do this."""
    if not is_on(caller.environment.access):
        raise RequestRefused(ErrorCode.SECURITY_DISABLED, text)
    caller.permit(operation, "cluster")


def filter_of(wanted: DescribeAclsRequest | DeleteAclsFilter) -> AclFilter:
    """Raises ProtocolError for what Kafka's own code takes for a broken request."""
    check_known(
        wanted.resource_type_filter,
        wanted.pattern_type_filter,
        wanted.operation,
        wanted.permission_type,
    )
    return AclFilter(
        wanted.resource_type_filter,
        wanted.resource_name_filter,
        wanted.pattern_type_filter,
        wanted.principal_filter,
        wanted.host_filter,
        wanted.operation,
        wanted.permission_type,
    )


def check_known(*numbers: int) -> None:
    """Kafka ends the connection of who sends one of its numbers for unknown."""
    if _UNKNOWN in numbers:
        raise ProtocolError("an ACL request has 0 (UNKNOWN) for a type, operation or permission")


def kind_of(resource_type: int) -> str | None:
    known = {int(ResourceType[kind.upper()]): kind for kind in ACL_KINDS}
    return known.get(resource_type)


def numbers_of(acl: Acl) -> tuple[int, int]:
    """Its resource type and pattern type."""
    return ResourceType[acl.kind.upper()], PatternType[acl.pattern_type.upper()]


def denied(caller: Caller, api: ApiKey, refusal: RequestRefused) -> tuple[int, str | None]:
    """Code and text for the response."""
    text = refusal.text if refusal.code != ErrorCode.UNKNOWN_SERVER_ERROR else None
    return caller.denied(api, refusal), text
