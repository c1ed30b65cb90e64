"""What lint finds of AMQP's clients: counted, and reported once a client.

Nothing here is on the way of a message: what is looked at is a handshake, a declaration, a consumer
that begins, a refusal, or what is unacked once a second.
"""

from typing import Final

from msgspec import Struct

from ..events import LintFound
from ..findings import ERROR, WARNING, Findings
from ..spine import Spine
from .profiles import Profile, in_words

_AMQP = "amqp"

NO_PREFETCH: Final = "no-prefetch"
UNACKED_LEAK: Final = "unacked-leak"
SINGLE_ACTIVE: Final = "idle-single-active"
CONFIRM_LOST: Final = "confirm-without-mandatory"
NO_HEARTBEAT: Final = "no-heartbeat"
CHURN: Final = "connection-churn"
DOUBLE_ACK: Final = "double-ack"
NEEDLESS_ACK: Final = "needless-ack"
STRANGE_ACK: Final = "ack-of-nothing"
DECLARED_OTHERWISE: Final = "declared-otherwise"


class Risk(Struct, frozen=True):
    """What every release serves and rarely is meant (a warning), or refuses (an error)."""

    remedy: str
    severity: str = WARNING


RISKS: Final[dict[str, Risk]] = {
    NO_PREFETCH: Risk("all that is ready goes to it at once; set a prefetch by basic.qos"),
    UNACKED_LEAK: Risk("acknowledge each delivery, also where its handling fails"),
    SINGLE_ACTIVE: Risk("one of them is served alone; consume once a connection"),
    CONFIRM_LOST: Risk(
        "a confirm does not say that a queue took it; publish with mandatory, or give the exchange "
        "an alternate one"
    ),
    NO_HEARTBEAT: Risk("nobody finds out when the peer is gone; agree on 10 to 60 seconds"),
    CHURN: Risk("keep one open, with a channel for each thread"),
    DOUBLE_ACK: Risk(
        "acknowledge each delivery once, or up to it with multiple; what basic.recover gave back "
        "comes again with a tag of its own",
        ERROR,
    ),
    NEEDLESS_ACK: Risk(
        "acknowledge nothing that was asked for with no_ack, and all else once", ERROR
    ),
    STRANGE_ACK: Risk("acknowledge on the channel that brought it, in the same connection", ERROR),
    DECLARED_OTHERWISE: Risk("declare it alike everywhere; set limits by a policy", ERROR),
}
"""By name: what to know and to do about it."""


class Lint:
    """An error is what the release that we are like does not take, a warning what a newer one
    will not (`profiles.OUTDATED`), or what is risky (`RISKS`)."""

    def __init__(self, profile: Profile, findings: Findings, spine: Spine) -> None:
        self.profile = profile
        self.findings = findings
        self._spine = spine

    def report(self, connection: int, client: str, name: str, what: str) -> None:
        """`what` is the thing in words: `queue 'q' in vhost '/' is neither durable ...`."""
        risk = RISKS.get(name)
        if risk is not None:
            text, severity, ended = f"{what}: {risk.remedy}", risk.severity, False
        else:
            ended = self.profile.refuses(name)
            text, severity = f"{what}: {in_words(name)}", ERROR if ended else WARNING
        if self.findings.add(client, name, text, severity, connection=connection, ended=ended):
            self._spine.emit(LintFound(_AMQP, connection, client, name, text, severity))
