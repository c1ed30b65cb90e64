"""Who hears what changed that outlives the process."""

from collections.abc import Callable

from ...environment import Environment
from ...limits import Limits
from .retained import RetainedMessages
from .session import Session


class Keeper:
    """Where nothing is kept: sessions and retained messages are in memory only."""

    keeps = False
    """Sessions hear what became of their messages (`Session.begun`)."""

    @property
    def failing(self) -> str:
        """Why nothing can be kept now; empty when all is well."""
        return ""

    def make_session(
        self,
        client_id: str,
        environment: Environment,
        overflowed: Callable[[Session, str], None],
    ) -> Session:
        clock, limits, turn = environment.clock, environment.limits, environment.turn
        return Session(client_id, clock, limits, overflowed, turn)

    def make_retained(self, limits: Limits) -> RetainedMessages:
        return RetainedMessages(limits.mqtt_retained, limits.mqtt_retained_bytes)


FORGETFUL = Keeper()
