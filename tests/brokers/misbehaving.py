"""Rules, holds and lanes in one line each, for tests."""

from collections.abc import Callable, Mapping
from typing import Any

from mockforge_brokers.contract import Connection, Peer
from mockforge_brokers.environment import Environment
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.misbehaviour.actions import Action, Drop
from mockforge_brokers.misbehaviour.decisions import Changes, Release
from mockforge_brokers.misbehaviour.exchanges import Exchanges
from mockforge_brokers.misbehaviour.holds import HoldRule
from mockforge_brokers.misbehaviour.lane import Lane
from mockforge_brokers.misbehaviour.rules import Match, Rule, Trigger

from .fake_peer import FakeClient

Matches = Callable[[Row], bool]


def everything(row: Row) -> bool:
    return True


def fault(
    action: Action | None = None,
    matches: Matches = everything,
    *,
    scope: str = "x",
    direction: int | None = None,
    lifetime: float | None = None,
    **trigger: float,
) -> Rule:
    """A rule; what is not named of the action drops."""
    when = Trigger(**trigger)  # type: ignore[arg-type]
    return Rule(Match(scope, matches, direction), action or Drop(), when, lifetime)


def hold(matches: Matches = everything, *, scope: str = "x", **options: Any) -> HoldRule:
    return HoldRule(Match(scope, matches), **options)


def lane(
    direction: int,
    connection: Connection,
    peer: Peer,
    environment: Environment,
    forward: Callable[[bytes], object],
    exchanges: Exchanges | None = None,
) -> Lane:
    """A lane of a connection, as the transport makes one."""
    return Lane(
        direction,
        connection,
        peer,
        forward,
        environment.misbehaviour,
        exchanges or Exchanges(),
    )


class Waiting:
    """A frame that waits nowhere (`holds.Waiting`): remembers what was decided."""

    def __init__(self) -> None:
        self.decided: list[object] = []

    def release(self, how: Release) -> None:
        self.decided.append(how.outcome)

    def drop(self) -> None:
        self.decided.append("dropped")

    def refuse(self, code: int, text: str, match: Matches | None = None) -> None:
        self.decided.append((code, text))

    def edit(self, changes: Mapping[int, Changes]) -> list[Row]:
        self.decided.extend(changes.items())
        return [Row("kafka", 0, "Produce", payload=b"edited")]


def refuse(client: FakeClient, frame: bytes, matches: Matches, code: int, text: str = "no") -> None:
    """Refuse what matches of one frame that this client sends, as a lane would."""
    connection = client.connection
    parts = [part for part in connection.parts(connection.rows(IN, frame)) if matches(part)]
    connection.refuse(frame, parts, code, text)
    client.flush()
    client.network.settle()
