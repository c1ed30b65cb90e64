"""`lines`, with state that is kept on disk."""

from .lines import LineBroker, LineConnection


class KeepingConnection(LineConnection):
    """`keep TEXT` is a fact, `tell TEXT` one that others hear of, and its own client does not;
    `views TEXT` answers with a view of bytes."""

    def _handle(self, line):
        word, _, rest = line.rstrip(b"\n").partition(b" ")
        if word in (b"keep", b"tell"):
            store = self._broker.environment.store
            store.append(1, store.facts, rest)
        if word == b"tell":
            self.lines.append(line)
            for other in self._broker.live.values():
                if other is not self:
                    other.out.append(rest + b"\n")
                    other.peer.wake()
        elif word == b"views":
            self.out.append(memoryview(rest + b"\n"))
        else:
            super()._handle(line)


class KeepingBroker(LineBroker):
    def connect(self, peer):
        self.live[peer.id] = connection = KeepingConnection(self, peer)
        return connection
