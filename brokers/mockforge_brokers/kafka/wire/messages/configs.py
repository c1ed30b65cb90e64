"""DescribeConfigs, AlterConfigs and IncrementalAlterConfigs."""

from collections.abc import Sequence

from ...codes import ApiKey
from ..schema import (
    Bool,
    Int8,
    Int16,
    Int32,
    Message,
    String,
    Struct,
    field,
    request,
    response,
    struct,
)


@struct
class DescribeConfigsResource(Struct):
    resource_type: Int8
    resource_name: String
    configuration_keys: Sequence[String] | None


@request(ApiKey.DESCRIBE_CONFIGS, "1-4", flexible=4)
class DescribeConfigsRequest(Message):
    """v1 tells where values come from (KIP-226), v3 their types and what they mean (KIP-569)."""

    resources: Sequence[DescribeConfigsResource]
    include_synonyms: Bool = False
    include_documentation: Bool = field("3+", default=False)


@struct
class DescribeConfigsSynonym(Struct):
    name: String
    value: String | None
    source: Int8


@struct
class DescribeConfigsResourceResult(Struct):
    name: String
    value: String | None
    read_only: Bool
    config_source: Int8 = -1
    is_sensitive: Bool
    synonyms: Sequence[DescribeConfigsSynonym]
    config_type: Int8 = field("3+", default=0)
    documentation: String | None = field("3+", default=None)


@struct
class DescribeConfigsResult(Struct):
    error_code: Int16 = 0
    error_message: String | None
    resource_type: Int8
    resource_name: String
    configs: Sequence[DescribeConfigsResourceResult]


@response(ApiKey.DESCRIBE_CONFIGS, "1-4", flexible=4)
class DescribeConfigsResponse(Message):
    throttle_time_ms: Int32 = 0
    results: Sequence[DescribeConfigsResult]


@struct
class AlterableConfig(Struct):
    name: String
    value: String | None


@struct
class AlterConfigsResource(Struct):
    resource_type: Int8
    resource_name: String
    configs: Sequence[AlterableConfig]


@request(ApiKey.ALTER_CONFIGS, "0-2", flexible=2)
class AlterConfigsRequest(Message):
    resources: Sequence[AlterConfigsResource]
    validate_only: Bool


@struct
class AlterConfigsResourceResponse(Struct):
    error_code: Int16 = 0
    error_message: String | None
    resource_type: Int8
    resource_name: String


@response(ApiKey.ALTER_CONFIGS, "0-2", flexible=2)
class AlterConfigsResponse(Message):
    throttle_time_ms: Int32 = 0
    responses: Sequence[AlterConfigsResourceResponse]


@struct
class IncrementalAlterableConfig(Struct):
    name: String
    config_operation: Int8
    value: String | None


@struct
class IncrementalAlterConfigsResource(Struct):
    resource_type: Int8
    resource_name: String
    configs: Sequence[IncrementalAlterableConfig]


@request(ApiKey.INCREMENTAL_ALTER_CONFIGS, "0-1", flexible=1)
class IncrementalAlterConfigsRequest(Message):
    """KIP-339: changes single values, where AlterConfigs replaces them all."""

    resources: Sequence[IncrementalAlterConfigsResource]
    validate_only: Bool


@response(ApiKey.INCREMENTAL_ALTER_CONFIGS, "0-1", flexible=1)
class IncrementalAlterConfigsResponse(Message):
    throttle_time_ms: Int32 = 0
    responses: Sequence[AlterConfigsResourceResponse]


@request(ApiKey.LIST_CONFIG_RESOURCES, "0-1", flexible=0)
class ListConfigResourcesRequest(Message):
    resource_types: Sequence[Int8] = field("1+", default=())


@struct
class ConfigResource(Struct):
    resource_name: String
    resource_type: Int8 = field("1+", default=16)


@response(ApiKey.LIST_CONFIG_RESOURCES, "0-1", flexible=0)
class ListConfigResourcesResponse(Message):
    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    config_resources: Sequence[ConfigResource]
