"""DescribeCluster 0-2: the cluster's id and its brokers (KIP-700, KIP-919, KIP-1073)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...wire.messages.cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)
from ..authorized import authorized
from ..caller import Caller
from ..handler import MessageHandler

_BROKERS = 1
_CONTROLLERS = 2
_TYPES_SINCE = 1


def handle(caller: Caller, request: DescribeClusterRequest) -> DescribeClusterResponse:
    kind = request.endpoint_type if caller.version >= _TYPES_SINCE else _BROKERS
    if kind != _BROKERS:
        refusal = (
            RequestRefused(
                ErrorCode.MISMATCHED_ENDPOINT_TYPE,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of"
                " type CONTROLLER",
            )
            if kind == _CONTROLLERS
            else RequestRefused(
                ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, f"Unsupported endpoint type {kind}"
            )
        )
        return DescribeClusterResponse(
            error_code=caller.denied(ApiKey.DESCRIBE_CLUSTER, refusal),
            error_message=refusal.text,
            cluster_id="",
            brokers=[],
        )
    nodes = caller.cluster.nodes
    return DescribeClusterResponse(
        cluster_id=caller.cluster.cluster_id,
        controller_id=nodes.controller,
        brokers=[
            _broker(caller, node, fenced=node in nodes.stopped)
            for node in caller.found(
                nodes.registered if request.include_fenced_brokers else nodes.alive
            )
        ],
        cluster_authorized_operations=authorized(
            caller, "cluster", asked=request.include_cluster_authorized_operations
        ),
    )


def _broker(caller: Caller, node: int, *, fenced: bool) -> DescribeClusterBroker:
    host, port = caller.address(node)
    rack = caller.cluster.nodes.rack(node)
    return DescribeClusterBroker(broker_id=node, host=host, port=port, rack=rack, is_fenced=fenced)


API = MessageHandler(DescribeClusterRequest, handle)
