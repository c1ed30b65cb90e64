"""What MQTT keeps on disk, as rows: what waits for sessions that last, and what is retained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Struct, msgpack

from ..clock import Clock
from ..environment import Environment
from ..limits import Limits
from ..storage.facts import Kept, LogRows
from ..storage.store import Store
from .state import kept
from .state.keeper import Keeper
from .state.kept import KeptSession, KeptState
from .state.retained import RetainedMessages
from .state.session import LAST_ID, Session
from .state.stored import (
    KeptMessage,
    MessageRow,
    StoredRetained,
    StoredSession,
    kept_message,
)

if TYPE_CHECKING:
    from .state.router import Router
    from .state.sessions import Sessions

_SESSION: Final = "mqtt.session"
_INBOUND: Final = "mqtt.inbound"
_RETAINED: Final = "mqtt.retained"
_encode = msgpack.encode


class InboundRow(Struct):
    """QoS 2 publishes of a client whose PUBREL is awaited, and those that are handed on then."""

    packet_ids: list[int]
    withheld: list[tuple[int, KeptMessage]]


class StoringKeeper(Keeper):
    """Names to the store what changed, and finds it when the store asks how it is now."""

    keeps = True

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.router: Router
        self.registry: Sessions
        store.on_close(self._close)
        store.on_failing(lambda: self.router.forget_routes())

    @property
    def failing(self) -> str:
        return self._store.failing

    def make_session(
        self,
        client_id: str,
        environment: Environment,
        overflowed: Callable[[Session, str], None],
    ) -> Session:
        clock, limits, turn = environment.clock, environment.limits, environment.turn
        return StoredSession(
            client_id,
            clock,
            limits,
            overflowed,
            turn,
            store=self._store,
            changed=self._session_changed,
            inbound_changed=self._inbound_changed,
        )

    def make_retained(self, limits: Limits) -> RetainedMessages:
        return StoredRetained(limits, self._retained_changed)

    def _session_changed(self, session: Session) -> None:
        name = session.client_id
        self._store.changed(_SESSION, name.encode(), partial(self._session, name))
        self._inbound_changed(session)

    def _inbound_changed(self, session: Session) -> None:
        name = session.client_id
        self._store.changed(_INBOUND, name.encode(), partial(self._inbound, name))

    def _retained_changed(self, topic_name: str) -> None:
        self._store.changed(_RETAINED, topic_name.encode(), partial(self._retained, topic_name))

    def _close(self) -> None:
        for session in self.registry.by_client.values():
            if isinstance(session, StoredSession):
                session.mark_sent()

    # How it is now.

    def _lasting(self, client_id: str) -> StoredSession | None:
        session = self.registry.by_client.get(client_id)
        return session if isinstance(session, StoredSession) and session.number else None

    def _session(self, client_id: str) -> bytes | None:
        session = self._lasting(client_id)
        if session is None:
            return None
        return _encode(kept.session_alone(session, session.number, self._clock))

    def _inbound(self, client_id: str) -> bytes | None:
        session = self._lasting(client_id)
        if session is None or not session.inbound:
            return None
        to_wall = self._clock.wall() - self._clock.now()
        withheld = [
            (packet_id, kept_message(message, to_wall))
            for packet_id, message in (session.withheld or {}).items()
        ]
        return _encode(InboundRow(sorted(session.inbound), withheld))

    def _retained(self, topic_name: str) -> bytes | None:
        message = self.router.retained.get(topic_name)
        if message is None:
            return None
        return _encode(kept_message(message, self._clock.wall() - self._clock.now()))

    # At the start.

    @staticmethod
    def logs_in(kept: Kept) -> Iterator[LogRows]:
        """Of each session the messages that wait for it."""
        for name, value in kept.of_kind(_SESSION).items():
            number = msgpack.decode(value, type=KeptSession).number
            rows = [(position, position + 1) for position, _ in kept.logs.get(number, ())]
            yield LogRows(number, f"session {name.decode()}", "messages", 1, rows)

    def was_put_up(self, state: KeptState) -> None:
        """Which of its retained messages found no room, by the limits of this run."""
        retained = self.router.retained
        if isinstance(retained, StoredRetained) and retained.count < len(state.retained):
            names = {state.messages[place].topic_name for place in state.retained}
            retained.only_on_disk = names - {message.topic_name for message in retained.all()}

    @staticmethod
    def read(found: Kept) -> KeptState:
        """What `kept.put_up` takes."""
        state = KeptState(kept.FORMAT, [], [], [])
        for value in found.of_kind(_RETAINED).values():
            state.retained.append(_place(state, msgpack.decode(value, type=KeptMessage)))
        inbound = found.of_kind(_INBOUND)
        for name, value in found.of_kind(_SESSION).items():
            session = msgpack.decode(value, type=KeptSession)
            if name in inbound:
                row = msgpack.decode(inbound[name], type=InboundRow)
                session.inbound = row.packet_ids
                session.withheld = [
                    (packet_id, _place(state, message)) for packet_id, message in row.withheld
                ]
            _fill(state, session, found)
            state.sessions.append(session)
        return state


def _place(state: KeptState, message: KeptMessage) -> int:
    state.messages.append(message)
    return len(state.messages) - 1


def _fill(state: KeptState, session: KeptSession, found: Kept) -> None:
    """Its messages: in flight is what has an identifier, and after a kill what may have been sent.

    That is what stands before the first QoS 2 message without an identifier, since all go out in
    their order and none of those before its row has one.
    """
    decoder = msgpack.Decoder(MessageRow)
    decoded = [(row, decoder.decode(value)) for row, value in found.log(session.number)]
    used = {row.packet_id for _, row in decoded}
    free = (number for number in range(1, LAST_ID + 1) if number not in used)
    waiting = False
    for position, row in decoded:
        session.rows.append(position)
        message = row.message
        place = None if message is None else _place(state, message)
        packet_id = row.packet_id
        waiting = waiting or (not packet_id and (found.clean or _needs_id(message)))
        if not waiting:
            packet_id = packet_id or next(free, 0)
            waiting = not packet_id
        if waiting and place is not None:
            session.queue.append(place)
        else:
            session.inflight.append((packet_id, place))


def _needs_id(message: KeptMessage | None) -> bool:
    return message is not None and message.qos == 2
