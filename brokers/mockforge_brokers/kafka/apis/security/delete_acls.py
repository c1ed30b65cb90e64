"""DeleteAcls 1-3 (KIP-140)."""

from ...codes import ApiKey
from ...wire.messages.acls import DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse
from ..caller import Caller
from ..handler import MessageHandler
from .acls import security_disabled


def handle(caller: Caller, request: DeleteAclsRequest) -> DeleteAclsResponse:
    results = []
    for _ in request.filters:
        code, text = security_disabled(caller, ApiKey.DELETE_ACLS, "No Authorizer is configured.")
        results.append(
            DeleteAclsFilterResult(error_code=code, error_message=text, matching_acls=[])
        )
    return DeleteAclsResponse(filter_results=results)


API = MessageHandler(DeleteAclsRequest, handle)
