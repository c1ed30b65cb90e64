"""AddRaftVoter and RemoveRaftVoter: the quorum is as it is (KIP-853).

Each refusal is what Kafka says; where it would do what was asked (several voters, of which one is
to leave, or a controller that is there and no voter yet) the words are those for one that is not.
"""

import base64
from collections.abc import Callable, Iterator
from hashlib import sha256

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...state.cluster import Cluster
from ...wire.schema import ZERO_UUID
from ..caller import Caller

LISTENER = "CONTROLLER"


def has_directories(cluster: Cluster) -> bool:
    """Whether voters are known by their directories, too."""
    return cluster.features.levels["kraft.version"] > 0


def directory_of(cluster: Cluster, node: int) -> bytes:
    """The id of the directory in which a node keeps the metadata: the same after a restart."""
    return sha256(f"{cluster.cluster_id}/{node}".encode()).digest()[:16]


def shown(node: int, directory_id: bytes) -> str:
    directory = base64.urlsafe_b64encode(directory_id).decode().rstrip("=")
    return f"ReplicaKey(id={node}, directoryId={directory})"


def voters(cluster: Cluster) -> str:
    found: Iterator[str] = (shown(node, directory_of(cluster, node)) for node in cluster.nodes.ids)
    return f"[{', '.join(found)}]"


def is_voter(voter_id: int, directory_id: bytes) -> bool:
    """Whether a request names a voter: a node with its directory."""
    return voter_id >= 0 and directory_id != ZERO_UUID


def refuse(
    caller: Caller,
    api: ApiKey,
    cluster_id: str | None,
    what: str,
    problem: str,
    last: Callable[[], RequestRefused],
) -> tuple[int, str]:
    """Error code and text; `problem` is what is wrong with the request itself."""
    try:
        caller.permit("alter", "cluster")
        known = caller.cluster.cluster_id
        if cluster_id not in (None, known):
            raise RequestRefused(
                ErrorCode.INCONSISTENT_CLUSTER_ID,
                f'The given id "{cluster_id}" doesn\'t match the cluster id "{known}"',
            )
        if problem:
            raise RequestRefused(ErrorCode.INVALID_REQUEST, problem)
        if has_directories(caller.cluster):
            raise last()
        raise RequestRefused(
            ErrorCode.UNSUPPORTED_VERSION,
            f"Cluster doesn't support {what} voter because the kraft.version feature is 0",
        )
    except RequestRefused as refusal:
        return caller.denied(api, refusal), refusal.text
