"""What clients ask for that some RabbitMQ does not take: counted, and reported once a client."""

from ..events import LintFound
from ..findings import ERROR, WARNING, Findings
from ..spine import Spine
from .profiles import Profile, in_words

_AMQP = "amqp"


class Lint:
    """An error is what the release that we are like does not take, a warning what a newer one
    will not; `profiles.OUTDATED` has them all."""

    def __init__(self, profile: Profile, findings: Findings, spine: Spine) -> None:
        self.profile = profile
        self.findings = findings
        self._spine = spine

    def report(self, connection: int, client: str, name: str, what: str) -> None:
        """`what` is the thing in words: `queue 'q' in vhost '/' is neither durable ...`."""
        refused = self.profile.refuses(name)
        severity = ERROR if refused else WARNING
        text = f"{what}: {in_words(name)}"
        if self.findings.add(client, name, text, severity, connection=connection, ended=refused):
            self._spine.emit(LintFound(_AMQP, connection, client, name, text, severity))
