"""What helps a Kafka client that was refused, by the code of the refusal."""

from typing import Final

from mockforge_brokers.kafka.codes import ErrorCode

_REMEDIES: Final[dict[int, str]] = {
    ErrorCode.INVALID_TIMESTAMP: (
        "send times in ms by a right clock, or topic set TOPIC message.timestamp.after.max.ms=N"
    ),
    ErrorCode.MESSAGE_TOO_LARGE: (
        "send smaller batches (max.request.size), or topic set TOPIC max.message.bytes=N"
    ),
    ErrorCode.TOPIC_AUTHORIZATION_FAILED: "acl add, or rule add, lets it",
    ErrorCode.GROUP_AUTHORIZATION_FAILED: "acl add, or rule add, lets it",
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "acl add, or rule add, lets it",
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "acl add, or rule add, lets it",
    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER: (
        "a batch before it is lost: the producer has to begin anew (InitProducerId)"
    ),
    ErrorCode.INVALID_PRODUCER_EPOCH: "another producer took its transactional id: one may use it",
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE: "use another compression.type, or a newer client",
    ErrorCode.CORRUPT_MESSAGE: "its bytes were damaged on their way, or by its client (fault ls)",
}
_KEYLESS: Final = "message without key"


def remedy(code: int, reason: str) -> str:
    """What to do about a refusal; empty where nothing is known."""
    if code == ErrorCode.INVALID_RECORD and _KEYLESS in reason:
        return "give each record a key, or topic set TOPIC cleanup.policy=delete"
    return _REMEDIES.get(code, "")
