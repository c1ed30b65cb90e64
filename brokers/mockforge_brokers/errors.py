"""The ways in which a peer, a person or we ourselves can be wrong."""


class BrokerError(Exception):
    """Base of everything that this package raises on purpose."""


class ProtocolError(BrokerError):
    """The peer broke the specification: its connection ends, nobody else's does.

    `code` is the protocol's own reason or reply code for the close, where it has one; 0 leaves
    the choice to the connection.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class TooLarge(ProtocolError):
    """A frame beyond what one of our limits takes."""


class StreamFailed(ProtocolError):
    """A layer below a protocol (TLS, WebSocket, PROXY) was broken, or came to no agreement.

    `before` are the bytes for what stands above that came before that in the same read.
    """

    before = b""


class RequestRefused(BrokerError):
    """A legal request that we refuse: the code goes on the wire and the connection lives on."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class NotServed(RequestRefused):
    """A request that is refused because nothing here serves `feature`."""

    def __init__(self, code: int, feature: str, text: str) -> None:
        super().__init__(code, text)
        self.feature = feature


class InvalidInput(BrokerError):
    """What a person asked for cannot be: the text names the thing, the place and the remedy.

    `code` is the protocol's, where a client would be refused just so; else 0.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class LocalError(BrokerError):
    """We broke our own rules: a bug of ours, never the peer's fault."""


class PlainRefusals:
    """`with PlainRefusals():` what a client would be refused, a person is, in the same words.

    Raises InvalidInput for what is refused inside.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (RequestRefused, ProtocolError)):
            raise InvalidInput(error.text, error.code) from None
