"""DescribeAcls 1-3 (KIP-140)."""

from ....errors import RequestRefused
from ....fairness import Stepped
from ...acls import OPERATION_NUMBERS, Acl, listed, permission_of
from ...codes import ApiKey
from ...wire.messages.acls import (
    AclDescription,
    DescribeAclsRequest,
    DescribeAclsResource,
    DescribeAclsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..stepping import LIGHT, each
from .acls import check, denied, filter_of, numbers_of


def handle(caller: Caller, request: DescribeAclsRequest) -> Stepped[DescribeAclsResponse]:
    # Kafka looks at the numbers as it reads the request, before it asks for an authorizer.
    wanted = filter_of(request)
    try:
        check(caller, "describe", "No Authorizer is configured on the broker")
    except RequestRefused as refusal:
        code, text = denied(caller, ApiKey.DESCRIBE_ACLS, refusal)
        return DescribeAclsResponse(error_code=code, error_message=text, resources=[])
    found: dict[tuple[int, str, int], list[Acl]] = {}
    for _, acl in listed(caller.environment.access):
        if wanted.matches(acl):
            kind, pattern_type = numbers_of(acl)
            found.setdefault((kind, acl.name, pattern_type), []).append(acl)
        yield
    resources = []
    for (kind, name, pattern_type), acls in found.items():
        resources.append(
            DescribeAclsResource(
                resource_type=kind,
                resource_name=name,
                pattern_type=pattern_type,
                acls=(yield from each(_described, acls, at_a_time=LIGHT)),
            )
        )
        yield
    return DescribeAclsResponse(error_message="", resources=resources)


def _described(acl: Acl) -> AclDescription:
    return AclDescription(
        principal=acl.principal,
        host=acl.host,
        operation=OPERATION_NUMBERS[acl.operation],
        permission_type=permission_of(acl),
    )


API = MessageHandler(DescribeAclsRequest, handle, changes=nothing)
