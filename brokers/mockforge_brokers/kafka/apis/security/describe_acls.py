"""DescribeAcls 1-3 (KIP-140)."""

from ...codes import ApiKey
from ...wire.messages.acls import DescribeAclsRequest, DescribeAclsResponse
from ..caller import Caller
from ..handler import MessageHandler
from .acls import security_disabled


def handle(caller: Caller, request: DescribeAclsRequest) -> DescribeAclsResponse:
    code, text = security_disabled(
        caller, ApiKey.DESCRIBE_ACLS, "No Authorizer is configured on the broker"
    )
    return DescribeAclsResponse(error_code=code, error_message=text, resources=[])


API = MessageHandler(DescribeAclsRequest, handle)
