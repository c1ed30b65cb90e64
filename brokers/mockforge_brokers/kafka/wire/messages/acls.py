"""Access control lists."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    Int8,
    Int16,
    Int32,
    Message,
    String,
    Struct,
    request,
    response,
    struct,
)


@request(ApiKey.DESCRIBE_ACLS, "1-3", flexible=2)
class DescribeAclsRequest(Message):
    resource_type_filter: Int8
    resource_name_filter: String | None
    pattern_type_filter: Int8 = 3
    principal_filter: String | None
    host_filter: String | None
    operation: Int8
    permission_type: Int8


@struct
class AclDescription(Struct):
    principal: String
    host: String
    operation: Int8
    permission_type: Int8


@struct
class DescribeAclsResource(Struct):
    resource_type: Int8
    resource_name: String
    pattern_type: Int8 = 3
    acls: Sequence[AclDescription]


@response(ApiKey.DESCRIBE_ACLS, "1-3", flexible=2)
class DescribeAclsResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: String | None = None
    resources: Sequence[DescribeAclsResource]


@struct
class AclCreation(Struct):
    resource_type: Int8
    resource_name: String
    resource_pattern_type: Int8 = 3
    principal: String
    host: String
    operation: Int8
    permission_type: Int8


@request(ApiKey.CREATE_ACLS, "1-3", flexible=2)
class CreateAclsRequest(Message):
    creations: Sequence[AclCreation]


@struct
class AclCreationResult(Struct):
    error_code: Int16 = 0
    error_message: String | None = None


@response(ApiKey.CREATE_ACLS, "1-3", flexible=2)
class CreateAclsResponse(Message):
    throttle_time_ms: Int32 = 0
    results: Sequence[AclCreationResult]


@struct
class DeleteAclsFilter(Struct):
    resource_type_filter: Int8
    resource_name_filter: String | None
    pattern_type_filter: Int8 = 3
    principal_filter: String | None
    host_filter: String | None
    operation: Int8
    permission_type: Int8


@request(ApiKey.DELETE_ACLS, "1-3", flexible=2)
class DeleteAclsRequest(Message):
    filters: Sequence[DeleteAclsFilter]


@struct
class DeleteAclsMatchingAcl(Struct):
    error_code: Int16 = 0
    error_message: String | None = None
    resource_type: Int8
    resource_name: String
    pattern_type: Int8 = 3
    principal: String
    host: String
    operation: Int8
    permission_type: Int8


@struct
class DeleteAclsFilterResult(Struct):
    error_code: Int16 = 0
    error_message: String | None = None
    matching_acls: Sequence[DeleteAclsMatchingAcl]


@response(ApiKey.DELETE_ACLS, "1-3", flexible=2)
class DeleteAclsResponse(Message):
    throttle_time_ms: Int32 = 0
    filter_results: Sequence[DeleteAclsFilterResult]
