"""Which connections the rules in force can be about at all, so that all others go at full speed."""

from ..contract import Connection
from ..journal import IN, Row
from .holds import Holds
from .rules import Faults


class Concern:
    """Asked for each burst of one connection while there are rules; the answer is remembered.

    A rule that names other clients, protocols or connections needs to see none of its frames.
    """

    __slots__ = (
        "_client",
        "_connection",
        "_faults",
        "_holds",
        "_number",
        "_protocol",
        "_version",
        "given",
    )

    def __init__(
        self, faults: Faults, holds: Holds, protocol: str, number: int, connection: Connection
    ) -> None:
        self._faults = faults
        self._holds = holds
        self._protocol = protocol
        self._number = number
        self._connection = connection
        # Both only ever grow: where their sum is the same, both are.
        self._version = -1
        self._client = ""
        self.given = False

    def __call__(self) -> bool:
        faults, holds = self._faults, self._holds
        if not (faults.active or holds.active):
            return False
        client = self._connection.client
        version = faults.version + holds.version
        if version != self._version or client != self._client:
            self._version, self._client = version, client
            row = Row(self._protocol, IN, "", self._number, client)
            # Nobody knows yet which rules are about a client that has not said who it is.
            self.given = not client or faults.may_concern(row) or holds.may_concern(row)
        return self.given
