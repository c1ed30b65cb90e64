"""DeleteAcls 1-3 (KIP-140)."""

from ....errors import RequestRefused
from ....fairness import Stepped
from ...acls import OPERATION_NUMBERS, Acl, delete, permission_of
from ...codes import ApiKey
from ...wire.messages.acls import (
    DeleteAclsFilterResult,
    DeleteAclsMatchingAcl,
    DeleteAclsRequest,
    DeleteAclsResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import LIGHT, each
from .acls import check, denied, filter_of, numbers_of


def handle(caller: Caller, request: DeleteAclsRequest) -> Stepped[DeleteAclsResponse]:
    # One that cannot be read ends the connection, before any is followed.
    filters = yield from each(filter_of, request.filters, at_a_time=LIGHT)
    try:
        check(caller, "alter", "No Authorizer is configured.")
    except RequestRefused as refusal:
        return DeleteAclsResponse(filter_results=[_refused(caller, refusal) for _ in filters])
    results = []
    for acls in (yield from delete(caller.environment.access, filters)):
        matching = yield from each(_matching, acls, at_a_time=LIGHT)
        results.append(DeleteAclsFilterResult(matching_acls=matching))
    return DeleteAclsResponse(filter_results=results)


def _refused(caller: Caller, refusal: RequestRefused) -> DeleteAclsFilterResult:
    code, text = denied(caller, ApiKey.DELETE_ACLS, refusal)
    return DeleteAclsFilterResult(error_code=code, error_message=text, matching_acls=[])


def _matching(acl: Acl) -> DeleteAclsMatchingAcl:
    kind, pattern_type = numbers_of(acl)
    return DeleteAclsMatchingAcl(
        resource_type=kind,
        resource_name=acl.name,
        pattern_type=pattern_type,
        principal=acl.principal,
        host=acl.host,
        operation=OPERATION_NUMBERS[acl.operation],
        permission_type=permission_of(acl),
    )


API = MessageHandler(DeleteAclsRequest, handle)
