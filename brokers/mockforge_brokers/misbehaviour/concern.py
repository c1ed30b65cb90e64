"""Which connections the rules in force can be about at all, so that all others go at full speed."""

from ..contract import Connection, Peer, origin_of
from ..journal import IN, Row
from .holds import Holds
from .rules import Faults


class Concern:
    """Asked for each burst of one connection while there are rules; the answer is remembered.

    A rule that names other clients, users, addresses, protocols or connections needs to see none of
    its frames.
    """

    __slots__ = (
        "_client",
        "_connection",
        "_faults",
        "_holds",
        "_in_force",
        "_peer",
        "_principal",
        "_version",
        "given",
    )

    def __init__(self, faults: Faults, holds: Holds, peer: Peer, connection: Connection) -> None:
        self._faults = faults
        self._holds = holds
        self._in_force = faults.in_force
        self._peer = peer
        self._principal = peer.principal
        self._connection = connection
        self._version = -1
        self._client = ""
        self.given = False

    def asks(self) -> bool:
        """Whether some rule or hold can be about this connection's frames."""
        client, principal = self._connection.client, self._peer.principal
        version = self._in_force.version
        if version != self._version or client != self._client or principal is not self._principal:
            self._version, self._client, self._principal = version, client, principal
            self._find_out()
        return self.given

    def _find_out(self) -> None:
        faults, holds, peer = self._faults, self._holds, self._peer
        active = self._in_force.active
        # Nobody knows yet which rules are about a client that has not said who it is.
        self.given = active and not self._client
        if active and not self.given:
            row = Row(peer.listener.protocol, IN, "", peer.id, self._client, origin=origin_of(peer))
            self.given = faults.may_concern(row) or holds.may_concern(row)
