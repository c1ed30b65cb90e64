"""CreateAcls 1-3 (KIP-140)."""

from ...codes import ApiKey
from ...wire.messages.acls import AclCreationResult, CreateAclsRequest, CreateAclsResponse
from ..caller import Caller
from ..handler import MessageHandler
from .acls import security_disabled


def handle(caller: Caller, request: CreateAclsRequest) -> CreateAclsResponse:
    results = []
    for _ in request.creations:
        code, text = security_disabled(caller, ApiKey.CREATE_ACLS, "No Authorizer is configured.")
        results.append(AclCreationResult(error_code=code, error_message=text))
    return CreateAclsResponse(results=results)


API = MessageHandler(CreateAclsRequest, handle)
