"""ListConfigResources 0-1: what has a configuration (KIP-714, KIP-1142)."""

from collections.abc import Iterator

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ConfigResourceType, ErrorCode
from ...wire.messages.configs import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..stepping import LIGHT, each

_LISTED = frozenset(ConfigResourceType) - {ConfigResourceType.UNKNOWN}


def handle(
    caller: Caller, request: ListConfigResourcesRequest
) -> Stepped[ListConfigResourcesResponse]:
    try:
        caller.permit("describe_configs", "cluster")
    except RequestRefused as refusal:
        return _refused(caller, refusal)
    wanted = frozenset(request.resource_types) or _LISTED
    if caller.version == 0:
        # There it lists client metrics alone: it was called ListClientMetricsResources.
        wanted = frozenset([ConfigResourceType.CLIENT_METRICS])
    if wanted - _LISTED:
        unknown = RequestRefused(
            ErrorCode.UNSUPPORTED_VERSION,
            f"there are no resources of type {min(wanted - _LISTED)}",
        )
        return _refused(caller, unknown)
    resources = [one for one in _resources(caller) if one[0] in wanted]
    return ListConfigResourcesResponse(
        config_resources=(yield from each(_resource, resources, at_a_time=LIGHT))
    )


def _resource(resource: tuple[ConfigResourceType, str]) -> ConfigResource:
    kind, name = resource
    return ConfigResource(resource_name=name, resource_type=kind)


def _refused(caller: Caller, refusal: RequestRefused) -> ListConfigResourcesResponse:
    code = caller.denied(ApiKey.LIST_CONFIG_RESOURCES, refusal)
    return ListConfigResourcesResponse(error_code=code, config_resources=[])


def _resources(caller: Caller) -> Iterator[tuple[ConfigResourceType, str]]:
    for node in caller.cluster.nodes.ids:
        yield ConfigResourceType.BROKER, str(node)
        yield ConfigResourceType.BROKER_LOGGER, str(node)
    for name in caller.cluster.topics:
        yield ConfigResourceType.TOPIC, name
    for group in caller.cluster.configuring.groups.own:
        yield ConfigResourceType.GROUP, group
    for name in caller.cluster.configuring.client_metrics.own:
        yield ConfigResourceType.CLIENT_METRICS, name


API = MessageHandler(ListConfigResourcesRequest, handle, changes=nothing)
