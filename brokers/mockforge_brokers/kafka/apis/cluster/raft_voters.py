"""AddRaftVoter and RemoveRaftVoter: the quorum of one is as it is (KIP-853).

Kafka's answers in a cluster whose kraft.version is 0, as it is in ours.
"""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...wire.schema import ZERO_UUID
from ..caller import Caller


def is_voter(voter_id: int, directory_id: bytes) -> bool:
    """Whether a request names a voter: a node with its directory."""
    return voter_id >= 0 and directory_id != ZERO_UUID


def refuse(
    caller: Caller, api: ApiKey, cluster_id: str | None, what: str, problem: str = ""
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
        raise RequestRefused(
            ErrorCode.UNSUPPORTED_VERSION,
            f"Cluster doesn't support {what} voter because the kraft.version feature is 0",
        )
    except RequestRefused as refusal:
        return caller.denied(api, refusal), refusal.text
