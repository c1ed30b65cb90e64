"""The socket of a client where state is kept on disk: what confirms waits until it is true.

Output that a connection made after it caused facts (`storage.store`) is held, in order, until the
group of these facts is on disk. Who only gets what others sent caused none and never waits.
"""

from collections.abc import Callable

from .accepting import Accepting
from .endpoint import Endpoint
from .journal import IN
from .listener import Listener
from .storage.store import Store
from .turns import CROWD


class DurableEndpoint(Endpoint):
    """`_due` is the group that must be on disk before anything more is written."""

    __slots__ = ("_due", "_ends", "_held", "_held_size", "_seen", "_store", "_working")

    def __init__(
        self,
        server: Accepting,
        listener: Listener,
        local: tuple[str, int] | None,
        store: Store,
    ) -> None:
        super().__init__(server, listener, local)
        self._store = store
        self._due = 0
        self._held: list[tuple[int, bytes | list[bytes]]] = []
        """Output that waits: its group, and its bytes; in pieces where these are bulky."""
        self._held_size = 0
        self._seen = 0
        self._working = False
        self._ends: Callable[[], object] | None = None

    # What is done in this connection's name.

    def work(self, call: Callable[[], object]) -> None:
        if self._working:
            super().work(call)
            return
        self._working = True
        self._seen = self._store.facts
        try:
            super().work(call)
        finally:
            self._note()
            self._working = False

    def handle(self, data: bytes) -> None:
        if self._working:
            super().handle(data)
            return
        # As `work`, written out: this is on the way of each message, as `_answer` is.
        store = self._store
        self._working = True
        self._seen = store.facts
        try:
            Endpoint.handle(self, data)
        finally:
            if self._seen != store.facts:
                self._note()
            self._working = False

    def handle_of_many(self, data: bytes) -> None:
        store = self._store
        if self._held:
            # Behind that.
            self.server.turns.answers.write()
            self.handle(data)
            return
        # As `handle`.
        self._working = True
        self._seen = store.facts
        try:
            Endpoint.handle_of_many(self, data)
        finally:
            if self._seen != store.facts:
                self._note()
            self._working = False

    def _set_writable(self, writable: bool) -> None:
        self.work(lambda: Endpoint._set_writable(self, writable))

    def shut_down(self) -> None:
        self.work(lambda: Endpoint.shut_down(self))

    def _note(self) -> None:
        if self._working and self._seen != self._store.facts:
            self._seen = self._store.facts
            self._due = self._store.newest

    # Writing.

    def _answer(self, data: bytes, tail: int) -> None:
        store = self._store
        if self._seen != store.facts:
            self._seen, self._due = store.facts, store.group
        if self._due > store.committed and store.prompt:
            turns = self.server.turns
            if turns.crowd > CROWD and turns.armed:
                # What all of this turn caused is written as one, before they are answered.
                Endpoint._answer(self, data, tail)
                return
            # Each full read of one client is a group: it sends while one of them is written.
            if not turns.may_answer(self):
                self._keep_read(data, tail)
                self.wake()
                return
            store.commit()
        if self._held or self._due > store.committed:
            # Held, which wakes nobody: there is no reason to wait for the turn's end.
            self._keep_read(data, tail)
            self._hold()
        else:
            Endpoint._answer(self, data, tail)

    def _keep_read(self, data: bytes, tail: int) -> None:
        if self._tape is not None and data:
            self._tape.add(IN, data, tail)

    @property
    def waiting(self) -> int:
        return self.transport.get_write_buffer_size() + self._held_size

    def flush(self) -> None:
        if self._working:
            self._note()
        if self._held or self._due > self._store.committed:
            self._hold()
        else:
            # Not by super(), which takes as long as a call: this is on the way of each of a crowd.
            Endpoint.flush(self)

    def holds(self, answer: bytes) -> bool:
        if not self._held:
            if self._due <= self._store.committed:
                return False
            self._store.when(self._due, self._committed)
        self._held.append((self._due, answer))
        self._held_size += len(answer)
        return True

    def _hold(self) -> None:
        self._awake = False
        if self.closing:
            # It may have no connection any more.
            return
        connection, held = self.connection, self._held
        pieces = connection.out
        if not pieces:
            return
        if not held:
            self._store.when(self._due, self._committed)
        if connection.bulky:
            held.append((self._due, pieces[:]))
            self._held_size += sum(map(len, pieces))
            connection.bulky = False
        else:
            # Joined now, as it would be when it is written.
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            held.append((self._due, data))
            self._held_size += len(data)
        pieces.clear()

    def _committed(self) -> None:
        held = self._held
        if self.transport.is_closing():
            held.clear()
            self._held_size = 0
            return
        if (
            len(held) == 1
            and held[0][0] <= self._store.committed
            and not isinstance(data := held[0][1], list)
            and self.lanes is None
            and (
                not self.environment.in_force.active
                or self.cleared == self.environment.in_force.version
            )
        ):
            # One answer, and nothing that could stop it: as most are.
            held.clear()
            self._held_size = 0
            self.write(data)
        else:
            self._write_committed()
        if held:
            self._store.when(held[0][0], self._committed)
        elif self._ends is not None:
            if not self.transport.is_closing():
                self._ends()
        elif self.connection.out:
            self.wake()

    def _write_committed(self) -> None:
        """All that may be written by now, in one burst."""
        held, committed = self._held, self._store.committed
        pieces: list[bytes] = []
        bulky = False
        count = 0
        for due, data in held:
            if due > committed:
                break
            count += 1
            if isinstance(data, list):
                pieces += data
                bulky = True
            else:
                pieces.append(data)
        del held[:count]
        self._held_size -= sum(map(len, pieces))
        self._write_pieces(pieces, bulky)

    def _write_pieces(self, pieces: list[bytes], bulky: bool) -> None:
        """As the flush of a connection that has put out just these; it may be over already."""
        connection, closing = self.connection, self.closing
        out = connection.out
        later, out[:] = out[:], pieces
        connection.bulky, larger = bulky, connection.bulky
        self.closing = False
        super().flush()
        # A rule may have ended the connection as these went out: then it is over for good.
        self.closing = self.closing or closing
        connection.bulky = larger
        out += later

    @property
    def holding(self) -> bool:
        """Output of it waits."""
        return bool(self._held)

    def cut_off(self, reason: str) -> None:
        """What waits cannot be confirmed for now: its client tries again, and hears why."""
        if self._held:
            self._held.clear()
            self._held_size = 0
            self.abort(reason)

    # Ends: what waits is written before.

    def close(self, reason: str) -> None:
        if self.closing:
            return
        self.flush_now()
        if not self._held:
            super().close(reason)
            return
        self._lose(reason)
        self._ends = self._end_in_order

    def eof_received(self) -> bool:
        # A loop closes the socket of whoever has sent its end, unless told to keep it.
        return super().eof_received() or bool(self._held)

    def _follow(self) -> None:
        self.flush_now()
        if self.closing or not self._held:
            super()._follow()
            return
        self._lose("the client closed the connection")
        self._ends = self._hang_up
