"""What of declarations and bindings newer releases of RabbitMQ do not take."""

from collections.abc import Iterator
from typing import Final

from ...errors import ProtocolError, RequestRefused
from ..codes import ReplyCode
from ..profiles import (
    MANY_HASHES,
    MASTER_LOCATOR,
    QUEUE_MODE,
    QUEUE_VERSION_1,
    TRANSIENT_QUEUE,
    Profile,
)
from ..records import Table
from .arguments import check_timeout
from .queues.types import queue_type

_MOST_HASHES: Final = 2


class FeatureDenied(ProtocolError):
    """A deprecated feature that is not permitted: 541, and the client is told why."""

    def __init__(self, feature: str) -> None:
        super().__init__(
            f"Feature `{feature}` is deprecated.\n"
            "By default, this feature is not permitted anymore.\n"
            "The feature will be removed from a future major RabbitMQ version, regardless of the "
            "configuration; actual version to be determined.\n"
            "To continue using this feature when it is not permitted by default, set the "
            "following parameter in your configuration:\n"
            f'    "deprecated_features.permit.{feature} = true"',
            ReplyCode.INTERNAL_ERROR,
        )


def of_queue(arguments: Table, *, durable: bool, exclusive: bool) -> Iterator[tuple[str, str]]:
    """The names in `profiles.OUTDATED` that a declaration falls under, each with what it is."""
    if "x-queue-mode" in arguments:
        yield QUEUE_MODE, "has x-queue-mode"
    version = arguments.get("x-queue-version")
    if version is not None and version.value == 1:
        yield QUEUE_VERSION_1, "has x-queue-version 1"
    if "x-queue-master-locator" in arguments:
        yield MASTER_LOCATOR, "has x-queue-master-locator"
    if not durable and not exclusive:
        yield TRANSIENT_QUEUE, "is neither durable nor exclusive"


def check_queue(
    profile: Profile, what: str, arguments: Table, *, durable: bool, exclusive: bool
) -> None:
    """Raise what a release answers to a queue that it does not take."""
    if profile.deliveries_time_out:
        check_timeout(what, queue_type(arguments), arguments)
    for name, _ in of_queue(arguments, durable=durable, exclusive=exclusive):
        if not profile.refuses(name):
            continue
        match name:
            case "queue-mode":
                raise _refused(
                    f"invalid arg 'x-queue-mode' for {what} of queue type rabbit_classic_queue"
                )
            case "queue-version-1":
                raise _refused(
                    f"invalid arg 'x-queue-version' for {what}: \"unsupported queue version '1'\""
                )
            case "queue-master-locator":
                raise FeatureDenied("queue_master_locator")
            case _:
                raise FeatureDenied("transient_nonexcl_queues")


def has_many_hashes(exchange_type: str, binding_key: str) -> int:
    """How many # words a topic exchange's key has, if they are more than newer ones take."""
    if exchange_type != "topic":
        return 0
    count = binding_key.split(".").count("#")
    return count if count > _MOST_HASHES else 0


def check_binding(profile: Profile, exchange_type: str, binding_key: str) -> None:
    count = has_many_hashes(exchange_type, binding_key)
    if count and profile.refuses(MANY_HASHES):
        raise _refused(
            f"Topic binding key '{binding_key}' uses {count} '#' wildcards, "
            f"at most {_MOST_HASHES} are allowed"
        )


def _refused(text: str) -> RequestRefused:
    return RequestRefused(ReplyCode.PRECONDITION_FAILED, text)
