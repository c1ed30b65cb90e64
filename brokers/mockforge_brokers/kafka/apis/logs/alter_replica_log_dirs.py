"""AlterReplicaLogDirs 1-2: there is one directory, where every replica is already (KIP-113)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...state.configs.broker_checks import LOG_DIR
from ...wire.messages.nodes import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)
from ..caller import Caller
from ..handler import MessageHandler


def handle(caller: Caller, request: AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse:
    return AlterReplicaLogDirsResponse(
        results=[
            AlterReplicaLogDirTopicResult(
                topic_name=topic.name,
                partitions=[
                    AlterReplicaLogDirPartitionResult(
                        partition_index=index,
                        error_code=_alter(caller, wanted.path, topic.name, index),
                    )
                    for index in topic.partitions
                ],
            )
            for wanted in request.dirs
            for topic in wanted.topics
        ]
    )


def _alter(caller: Caller, path: str, topic: str, index: int) -> int:
    try:
        caller.permit("alter", "cluster")
        if path != LOG_DIR:
            raise RequestRefused(
                ErrorCode.LOG_DIR_NOT_FOUND, f"there is no directory {path}, only {LOG_DIR}"
            )
        caller.cluster.topics.named(topic).log(index)
    except RequestRefused as refusal:
        return caller.denied(ApiKey.ALTER_REPLICA_LOG_DIRS, refusal)
    return 0


API = MessageHandler(AlterReplicaLogDirsRequest, handle)
