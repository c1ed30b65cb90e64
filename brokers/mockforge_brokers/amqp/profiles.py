"""Which RabbitMQ the broker is like: what each release defaults to and no longer takes."""

from typing import Final

from msgspec import Struct

Release = tuple[int, int]

TRANSIENT_QUEUE: Final = "transient-queue"
GLOBAL_QOS: Final = "global-qos"
QUEUE_MODE: Final = "queue-mode"
QUEUE_VERSION_1: Final = "queue-version-1"
MASTER_LOCATOR: Final = "queue-master-locator"
SMALL_FRAMES: Final = "small-frames"
ADDRESS_V1: Final = "address-version-1"
MANY_HASHES: Final = "three-hashes"
CLIENTS_DEATHS: Final = "x-death-of-client"
LARGE_BODY: Final = "large-body"
PASSIVE_DECLARE: Final = "passive-declare"
UNKNOWN_EXCHANGE_TYPE: Final = "unknown-exchange-type"
MOST_OF_4_0: Final = 16 << 20
"""Bytes of a body (max_message_size) from 4.0 on, where nobody sets another."""


class Outdated(Struct, frozen=True):
    """What RabbitMQ does not take `since` a release: what becomes of it, and what to do instead."""

    since: Release
    fate: str
    instead: str


OUTDATED: Final[dict[str, Outdated]] = {
    TRANSIENT_QUEUE: Outdated(
        (4, 3), "closes the connection with 541", "declare it durable or exclusive"
    ),
    GLOBAL_QOS: Outdated((4, 3), "takes it for a prefetch of each consumer", "set global to false"),
    QUEUE_MODE: Outdated((4, 3), "refuses it with 406", "leave the argument out"),
    QUEUE_VERSION_1: Outdated((4, 3), "refuses it with 406", "leave the argument out"),
    MASTER_LOCATOR: Outdated(
        (4, 3), "closes the connection with 541", "use x-queue-leader-locator"
    ),
    MANY_HASHES: Outdated((4, 3), "refuses it with 406", "bind with at most two #"),
    CLIENTS_DEATHS: Outdated(
        (4, 0), "does not count on from it", "count in a header of your own, not in x-death"
    ),
    LARGE_BODY: Outdated(
        (4, 0), "closes the channel with 406", "send less than 16 MiB or set max_message_size"
    ),
    PASSIVE_DECLARE: Outdated((4, 3), "refuses it with 403", "allow it to configure too"),
    UNKNOWN_EXCHANGE_TYPE: Outdated(
        (4, 3),
        "closes the channel with 406, not the connection with 503",
        "enable its plugin or use a type that is there",
    ),
    ADDRESS_V1: Outdated(
        (4, 3), "refuses the link", "address it as /queues/NAME or /exchanges/NAME/KEY"
    ),
    SMALL_FRAMES: Outdated((4, 1), "resets the connection without a word", "agree on 8192 or more"),
}
"""From the release notes of RabbitMQ 4.0.1, 4.1.0 and 4.3.0; global qos as its channel does it
where global_qos is denied, three # as 4.3.6 answered."""


class Profile(Struct, frozen=True):
    """One release. `version` is what clients are told: some read features off it.

    `flags` are its feature flags beyond those of the release before (management interface).
    """

    release: Release
    version: str
    delivery_limit: int | None = None
    """Of a quorum queue whose arguments and policies name none."""
    message_size: int = 128 << 20
    """Bytes of a body (max_message_size)."""
    flags: tuple[str, ...] = ()

    def refuses(self, name: str) -> bool:
        """Whether this release takes no more what `OUTDATED` has under a name."""
        return self.release >= OUTDATED[name].since

    @property
    def frame_min(self) -> int:
        """Bytes of the smallest frame that may be agreed on: AMQP 4.2.3 has 4096."""
        return 8192 if self.refuses(SMALL_FRAMES) else 4096

    @property
    def unknown_exchange_type_ends_channel(self) -> bool:
        """Up to 4.2 it ends the connection (503)."""
        return self.release >= (4, 3)

    @property
    def priority_takes_over(self) -> bool:
        """A quorum queue's single active consumer gives way to one of a higher priority."""
        return self.release >= (4, 0)

    @property
    def passive_needs_configure(self) -> bool:
        """A passive declare asks for the right to configure."""
        return self.release >= (4, 3)

    @property
    def has_default_queue_types(self) -> bool:
        """A virtual host may say what type a queue is whose arguments name none."""
        return self.release >= (3, 11)

    @property
    def default_queue_type(self) -> str:
        """Of a virtual host for which nobody said another one."""
        return "classic" if self.release >= (4, 3) else ""

    @property
    def answers_strangers_with_sasl(self) -> bool:
        """Who speaks no AMQP is shown the header of AMQP 1.0, not that of 0-9-1."""
        return self.release >= (4, 0)

    @property
    def checks_delivery_mode(self) -> bool:
        """It has to be 1 or 2; later releases take any, of which 2 alone is persistent."""
        return self.release < (3, 13)

    @property
    def names_last_death(self) -> bool:
        """A dead letter says where it died last as well (x-last-death-queue and the like)."""
        return self.release >= (3, 13)

    def knows_consumer_argument(self, name: str) -> bool:
        """What a release does not know it takes for any queue; from 3.13 on streams filter."""
        if name == "x-cancel-on-ha-failover":
            return self.has_mirrors
        return name == "x-stream-offset" or self.release >= (3, 13)

    @property
    def names_a_stream_queue(self) -> bool:
        """Refusals to its consumers call a stream a stream queue."""
        return self.release >= (4, 3)

    @property
    def has_mirrors(self) -> bool:
        """A policy may say how a classic queue is mirrored."""
        return self.release < (4, 0)

    @property
    def dead_letters_keep_cc(self) -> bool:
        """The header CC stays where a dead-letter routing key stands in for it, too."""
        return self.release >= (4, 3)

    @property
    def queues_have_timeouts(self) -> bool:
        """A queue's x-consumer-timeout and the policy consumer-timeout hold."""
        return self.release >= (3, 12)

    @property
    def deliveries_time_out(self) -> bool:
        """A late delivery goes back to its quorum queue and ends its consumer, not the channel.

        Only quorum queues look at consumer_timeout, and each consumer may have one of its own.
        """
        return self.release >= (4, 3)

    @property
    def counts_failures(self) -> bool:
        """A quorum queue's delivery limit counts deliveries that failed, not all that came back.

        basic.reject says so, or the end of a channel; basic.nack and basic.recover do not.
        """
        return self.release >= (4, 3)

    @property
    def quorum_queues_rank(self) -> bool:
        """They hand out messages of a higher priority first, of 32, without being asked to.

        From 4.0 on they knew two, of which the higher one had two turns of three; here they are
        one.
        """
        return self.release >= (4, 3)

    @property
    def shows_no_zeros(self) -> bool:
        """A message that never came back to its quorum queue has no header x-delivery-count."""
        return self.release >= (4, 0)

    @property
    def takes_undescribed_filters(self) -> bool:
        """Of an AMQP 1.0 source: the name of a stream filter may stand for its descriptor."""
        return self.release < (4, 3)

    @property
    def reserves_annotations(self) -> bool:
        """A message of AMQP 1.0 may have no annotation whose name does not begin with x-."""
        return self.release >= (4, 3)

    @property
    def tells_who_is_active(self) -> bool:
        """A quorum queue's receivers of AMQP 1.0 hear whether they are the active one."""
        return self.release >= (4, 3)

    @property
    def later_consumers_time_out(self) -> bool:
        """Consumers of AMQP 1.0; releases before do not look at them."""
        return self.release >= (4, 3)


PROFILES: Final[dict[str, Profile]] = {
    "3.10": Profile(
        (3, 10),
        "3.10.8",
        flags=(
            "classic_mirrored_queue_version",
            "drop_unroutable_metric",
            "empty_basic_get_metric",
            "implicit_default_bindings",
            "maintenance_mode_status",
            "quorum_queue",
            "stream_queue",
            "user_limits",
            "virtual_host_metadata",
        ),
    ),
    "3.13": Profile(
        (3, 13),
        "3.13.7",
        flags=(
            "classic_queue_type_delivery_support",
            "detailed_queues_endpoint",
            "direct_exchange_routing_v2",
            "feature_flags_v2",
            "listener_records_in_ets",
            "message_containers",
            "restart_streams",
            "stream_filtering",
            "stream_sac_coordinator_unblock_group",
            "stream_single_active_consumer",
            "stream_update_config_command",
            "tracking_records_in_ets",
        ),
    ),
    "4.1": Profile(
        (4, 1),
        "4.1.4",
        delivery_limit=20,
        message_size=MOST_OF_4_0,
        flags=(
            "khepri_db",
            "message_containers_deaths_v2",
            "quorum_queue_non_voters",
            "rabbit_exchange_type_local_random",
            "rabbitmq_4.0.0",
            "rabbitmq_4.1.0",
        ),
    ),
    "4.3": Profile(
        (4, 3),
        "4.3.0",
        delivery_limit=20,
        message_size=MOST_OF_4_0,
        flags=(
            "rabbitmq_4.2.0",
            "rabbitmq_4.3.0",
            "tie_binding_to_dest_with_keep_while_cond",
            "topic_binding_projection_v4",
            "topic_binding_projection_v5",
            "track_qq_members_uids",
        ),
    ),
}
DEFAULT: Final = "3.13"


def flags_of(profile: Profile) -> list[str]:
    """All its feature flags, by name."""
    found = (each.flags for each in PROFILES.values() if each.release <= profile.release)
    return sorted(flag for flags in found for flag in flags)


def in_words(name: str) -> str:
    """What becomes of it in which release, and the remedy."""
    outdated = OUTDATED[name]
    since = ".".join(map(str, outdated.since))
    return f"RabbitMQ from {since} on {outdated.fate}; {outdated.instead}"
