"""What helps a Kafka client that was refused, by the code of the refusal."""

from typing import Final

from mockforge_brokers.kafka.codes import ErrorCode

PROTOCOL: Final = "kafka"
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
    ErrorCode.PRODUCER_FENCED: "another producer took its transactional id: one may use it",
    ErrorCode.FENCED_INSTANCE_ID: (
        "another member came with its group.instance.id: give each member its own"
    ),
    ErrorCode.NOT_ENOUGH_REPLICAS: (
        "start the nodes it names (broker start kafka/N), or topic set TOPIC min.insync.replicas=1"
    ),
    ErrorCode.INVALID_TXN_STATE: "begin a transaction first, or end the one that is open (txn ls)",
    ErrorCode.INVALID_REQUIRED_ACKS: "acks are all, 1 or 0",
    ErrorCode.GROUP_MAX_SIZE_REACHED: "run fewer members, or raise group.max.size (--kafka-config)",
    ErrorCode.INVALID_SESSION_TIMEOUT: (
        "set session.timeout.ms within the broker's bounds (group.min.session.timeout.ms)"
    ),
    ErrorCode.INCONSISTENT_GROUP_PROTOCOL: (
        "give all members of the group a common partition.assignment.strategy"
    ),
    ErrorCode.OFFSET_OUT_OF_RANGE: (
        "set auto.offset.reset, or group reset GROUP kafka:TOPIC --to begin"
    ),
    ErrorCode.INVALID_REGULAR_EXPRESSION: "write the pattern with RE2's syntax",
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE: "use another compression.type, or a newer client",
    ErrorCode.CORRUPT_MESSAGE: "its bytes were damaged on their way, or by its client (fault ls)",
}
_KEYLESS: Final = "message without key"


def remedy(code: int, reason: str) -> str:
    """What to do about a refusal; empty where nothing is known."""
    if code == ErrorCode.INVALID_RECORD and _KEYLESS in reason:
        return "give each record a key, or topic set TOPIC cleanup.policy=delete"
    return _REMEDIES.get(code, "")
