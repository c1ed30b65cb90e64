"""What may stand between a socket and a protocol: TLS and WebSocket, without any I/O.

A layer is below lanes and tapes: faults, holds and the journal see the protocol's own bytes. A
raw connection has none, which costs it one `is None`.
"""

import ssl
from collections.abc import Callable
from typing import Final, Protocol

from .access import Principal
from .errors import StreamFailed
from .first_bytes import misdirected, undecided
from .listener import Listener

_READ: Final = 64 * 1024
_NO_TRUST: Final = ("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "UNKNOWN_CERTIFICATE")


class Stream(Protocol):
    """One connection's layer.

    `open`: the two sides agreed on it. `ended`: the peer said by it that nothing more comes.
    """

    @property
    def open(self) -> bool: ...

    @property
    def ended(self) -> bool: ...

    def received(self, data: bytes) -> bytes:
        """The bytes for what stands above in what came; raises StreamFailed."""
        ...

    def sent(self, data: bytes) -> bytes:
        """What goes out for these bytes of what stands above."""
        ...

    def answer(self) -> bytes:
        """What the layer has to say itself since it was last asked; take it after `received`."""
        ...

    def closed(self) -> bytes:
        """What the layer sends at its end: nothing more comes behind it."""
        ...


class TlsStream:
    """TLS of the standard library over memory; `identified` hears who the client is."""

    def __init__(
        self,
        context: ssl.SSLContext,
        explain: Callable[[bytes], str],
        identified: Callable[[Principal], object],
    ) -> None:
        self.ended = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._explain = explain
        self._identified = identified
        self._first: bytes | None = b""
        """What came first, until it says what the client speaks."""
        self.open = False
        self._early: list[bytes] = []

    def received(self, data: bytes) -> bytes:
        if self._first is not None:
            self._first += data
            if not undecided(self._first):
                wrong = self._explain(self._first)
                if wrong:
                    raise StreamFailed(wrong)
                self._first = None
        self._incoming.write(data)
        try:
            if not self.open:
                self._shake_hands()
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            raise StreamFailed(explain_tls(error)) from error

    def _shake_hands(self) -> None:
        self._tls.do_handshake()
        self.open = True
        tls = self._tls
        self._identified(
            Principal(
                tls=tls.version() or "",
                certificate=subject(tls.getpeercert()),
                server_name=getattr(tls, "requested_name", None) or "",
            )
        )

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        tls, incoming = self._tls, self._incoming
        try:
            while incoming.pending or tls.pending():
                piece = tls.read(_READ)
                if not piece:
                    self.ended = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            failed = StreamFailed(explain_tls(error))
            failed.before = b"".join(pieces)
            raise failed from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def sent(self, data: bytes) -> bytes:
        if not self.open:
            # A protocol that speaks first: it waits until the two sides agreed.
            self._early.append(data)
        elif data:
            try:
                self._tls.write(data)
            except ssl.SSLError:
                # The connection is ending, and nobody is there any more who could read it.
                return b""
        return self._outgoing.read()

    def answer(self) -> bytes:
        if self.open and self._early:
            early, self._early = b"".join(self._early), []
            self._tls.write(early)
        return self._outgoing.read()

    def closed(self) -> bytes:
        if self.open:
            try:
                self._tls.unwrap()
            except ssl.SSLError:
                # The peer's own close_notify is yet to come, or never will; ours is written.
                pass
        return self._outgoing.read()


class Stacked:
    """Two layers: `lower` is nearer to the socket."""

    def __init__(self, lower: Stream, upper: Stream) -> None:
        self._lower = lower
        self._upper = upper

    @property
    def open(self) -> bool:
        return self._upper.open

    @property
    def ended(self) -> bool:
        return self._lower.ended or self._upper.ended

    def received(self, data: bytes) -> bytes:
        try:
            plain = self._lower.received(data)
        except StreamFailed as error:
            error.before = self._upper.received(error.before) if error.before else b""
            raise
        return self._upper.received(plain) if plain else b""

    def sent(self, data: bytes) -> bytes:
        return self._lower.sent(self._upper.sent(data))

    def answer(self) -> bytes:
        said = self._upper.answer()
        sent = self._lower.sent(said) if said else b""
        return self._lower.answer() + sent

    def closed(self) -> bytes:
        said = self._upper.closed()
        sent = self._lower.sent(said) if said else b""
        return sent + self._lower.closed()


def layers(
    listener: Listener,
    listeners: list[Listener],
    identified: Callable[[Principal], object],
    located: Callable[[str], object],
    framed: Callable[[int, bytes], object] | None = None,
) -> Stream | None:
    """What stands between the sockets of a listener and its protocol; None: nothing.

    `framed` gets the heads of WebSocket's frames, where somebody keeps them.
    """

    def explain(data: bytes) -> str:
        return misdirected(data, listener, listeners, inside=False)

    stream: Stream | None = None
    if listener.websocket:
        from .websocket import WebSocketStream

        stream = WebSocketStream(explain if listener.tls is None else None, framed)
    if listener.tls is not None:
        tls = TlsStream(listener.tls, explain, identified)
        stream = tls if stream is None else Stacked(tls, stream)
    if listener.proxied:
        from .proxy import ProxyStream

        proxy = ProxyStream(located)
        stream = proxy if stream is None else Stacked(proxy, stream)
    return stream


def remember_server_name(
    tls: ssl.SSLObject, server_name: str | None, context: ssl.SSLContext
) -> None:
    """A context's `sni_callback`: keeps what the client called us, for its principal."""
    tls.requested_name = server_name  # type: ignore[attr-defined]


def subject(certificate: object) -> str:
    """A certificate's subject as RFC 4514 has it (`CN=client,O=Example`), the last part first."""
    if not isinstance(certificate, dict):
        return ""
    parts = []
    for relative in reversed(certificate.get("subject", ())):
        for name, value in relative:
            escaped = "".join(f"\\{each}" if each in ',+"\\<>;' else each for each in value)
            parts.append(f"{_SHORT.get(name, name)}={escaped}")
    return ",".join(parts)


_SHORT: Final = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
}


def explain_tls(error: ssl.SSLError) -> str:
    """Why there is no TLS with this client, and what helps."""
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"TLS: the client's certificate is not accepted: {error.verify_message}; "
            "it must come from the CA of --tls-client-ca"
        )
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "TLS: the client has no certificate, and this listener wants one (--tls-client-ca)"
    if reason.endswith(_NO_TRUST):
        return (
            f"TLS: the client does not trust our certificate ({_words(reason)}): "
            "give it the CA's certificate (--tls auto: its path is in the ready line under tls; "
            "--tls CERT,KEY: CERT has to have the intermediate CAs behind its own)"
        )
    return f"TLS: no agreement with the client: {_words(reason) or error}"


def _words(reason: str) -> str:
    return reason.lower().replace("_", " ")
