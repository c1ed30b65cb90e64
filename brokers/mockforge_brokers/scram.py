"""The server's half of SCRAM (RFC 5802, RFC 7677), without channel binding and without I/O.

It is our own: the hashes are the standard library's, nonces go by our seed, and what a client got
wrong is said in its own case, as of librdkafka before 2.6.1. A library is no dependency for that.

Passwords are taken as they are: SASLprep changes no password of ASCII letters, digits and signs.
"""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Final

from .access import Access, Credentials, User

HASHES: Final[Mapping[str, str]] = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
"""Hash functions by the names of their mechanisms (IANA's SASL mechanisms)."""
ITERATIONS: Final = 4096
"""RFC 7677 asks for at least as many."""

_FIRST: Final = re.compile(
    r"(?P<header>[ny]|p=[^,]+),(?:a=[^,]*)?,(?P<bare>n=(?P<user>[^,]+),r=(?P<nonce>[!-+\--~]+))"
)
_FINAL: Final = re.compile(
    r"(?P<bound>c=(?P<header>[^,]+),r=(?P<nonce>[!-+\--~]+)),p=(?P<proof>[^,]+)"
)


class ScramFailed(Exception):
    """The client sent what is no SCRAM, or does not know the password; the text says which."""


def credentials(password: str, hash_name: str, salt: bytes, count: int = ITERATIONS) -> Credentials:
    salted = hashlib.pbkdf2_hmac(hash_name, password.encode(), salt, count)
    return salted_credentials(salted, hash_name, salt, count)


def salted_credentials(salted: bytes, hash_name: str, salt: bytes, count: int) -> Credentials:
    """The same of what a client made of its password."""
    client_key = hmac.digest(salted, b"Client Key", hash_name)
    stored_key = hashlib.new(hash_name, client_key).digest()
    return Credentials(salt, count, stored_key, hmac.digest(salted, b"Server Key", hash_name))


class ScramServer:
    """One exchange: `first` answers the client's first message, `final` its proof."""

    def __init__(
        self, mechanism: str, find: Callable[[str], Credentials | None], nonce: str
    ) -> None:
        """`find` gives a user's credentials; `nonce` is our part of it, printable and new."""
        self.user = ""
        self._hash = HASHES[mechanism]
        self._find = find
        self._nonce = nonce
        self._header = ""
        self._messages = ""
        self._known: Credentials | None = None

    def first(self, message: bytes) -> bytes:
        """`n,,n=user,r=NONCE`; raises ScramFailed."""
        found = _FIRST.match(_text(message))
        if found is None:
            raise ScramFailed("the first message is not n,,n=USER,r=NONCE")
        if found["header"].startswith("p="):
            raise ScramFailed("channel binding is not served")
        self.user = found["user"].replace("=2C", ",").replace("=3D", "=")
        self._known = self._find(self.user)
        if self._known is None:
            raise ScramFailed(f"no user {self.user} with a password that SCRAM can prove")
        self._nonce = found["nonce"] + self._nonce
        self._header = _text(message)[: found.start("bare")]
        salt = b64encode(self._known.salt).decode()
        answer = f"r={self._nonce},s={salt},i={self._known.iterations}"
        self._messages = f"{found['bare']},{answer},"
        return answer.encode()

    def final(self, message: bytes) -> bytes:
        """`c=biws,r=NONCE,p=PROOF`; returns our own proof. Raises ScramFailed."""
        found = _FINAL.fullmatch(_text(message))
        known = self._known
        if found is None or known is None:
            raise ScramFailed("the second message is not c=HEADER,r=NONCE,p=PROOF")
        # As librdkafka before 2.6.1 does (its pull request 4895); Kafka 4 refuses it too.
        if found["nonce"] != self._nonce and found["nonce"].endswith(self._nonce):
            raise ScramFailed(
                "the second message has the client's nonce twice, as of librdkafka before 2.6.1"
                " (confluent-kafka, kcat, rdkafka): update it, or use PLAIN"
            )
        if found["nonce"] != self._nonce or _bytes(found["header"]) != self._header.encode():
            raise ScramFailed("the second message belongs to another exchange: nonce or header")
        signed = (self._messages + found["bound"]).encode()
        signature = hmac.digest(known.stored_key, signed, self._hash)
        proof = _bytes(found["proof"])
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=False))
        stored_key = hashlib.new(self._hash, client_key).digest()
        if len(proof) != len(signature) or not hmac.compare_digest(stored_key, known.stored_key):
            raise ScramFailed("wrong password")
        return b"v=" + b64encode(hmac.digest(known.server_key, signed, self._hash))


def may_prove(user: User, mechanism: str) -> bool:
    """Whether there is something of this user that the mechanism can prove."""
    if mechanism in user.scram:
        return user.scram[mechanism] is not None
    return bool(user.plain)


class ScramUsers:
    """Exchanges for the users of one protocol: credentials of their own, or plain passwords.

    A scrypt hash proves a password that comes whole, and nothing else.
    """

    def __init__(self, access: Access, protocol: str, random: Random) -> None:
        self._access = access
        self._protocol = protocol
        self._random = random
        self._known: dict[tuple[str, str, str], Credentials] = {}

    def begin(self, mechanism: str) -> ScramServer:
        """An exchange of a mechanism of `HASHES`."""
        find = partial(self._find, mechanism)
        return ScramServer(mechanism, find, f"{self._random.getrandbits(120):030x}")

    def _find(self, mechanism: str, name: str) -> Credentials | None:
        user = self._access.user(self._protocol, name)
        if user is None or not may_prove(user, mechanism):
            return None
        own = user.scram.get(mechanism)
        if own is not None:
            return own
        hash_name = HASHES[mechanism]
        key = (hash_name, name, user.plain)
        if key not in self._known:
            salt = self._random.getrandbits(128).to_bytes(16, "big")
            self._known[key] = credentials(user.plain, hash_name, salt)
        return self._known[key]


def _text(message: bytes) -> str:
    try:
        return message.decode()
    except UnicodeDecodeError:
        raise ScramFailed("a message is not UTF-8") from None


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    # Of letters that are not even ASCII it says so by a plain ValueError.
    except ValueError:
        raise ScramFailed("a message has what is not base64") from None
