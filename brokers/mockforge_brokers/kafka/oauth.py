"""OAUTHBEARER's tokens: JSON Web Signatures (RFC 7515, 7519), unsecured or signed with a known key.

The claims are checked as Kafka's own OAuthBearerUnsecuredValidatorCallbackHandler checks them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeGuard

from msgspec import Struct

from ..errors import InvalidInput

UNSECURED: Final = "unsecured"
INVALID: Final = '{"status":"invalid_token"}'
"""What Kafka says to a token that it does not take."""

_LONGEST: Final = 100 * 365 * 86_400.0
"""Seconds for which a token is good at the most."""
_MESSAGE: Final = re.compile(
    rb"[ny],(?:a=(?P<authorize>[^,]*))?,\x01(?P<pairs>(?:[A-Za-z]+=[\x20-\x7e\t\r\n]*\x01)*)\x01"
)
_BEARER: Final = re.compile(rb"[Bb]earer +(?P<token>[-_.~+/A-Za-z0-9]+=*)")
_SIGNATURE: Final = re.compile(r"(?:HS|RS|ES)(?P<size>256|384|512)")
_MAC, _RSA, _CURVE = "HS", "RS", "ES"

Verify = Callable[[str, bytes, bytes], bool]
"""Whether a signature by an algorithm is that of a signed text."""


class NoMessage(Exception):
    """What a client sent is no first message of OAUTHBEARER (RFC 7628, 3.1)."""


class InvalidToken(Exception):
    """The text says why."""


class Bearer(Struct, frozen=True):
    """Whom a token stands for, and until when (seconds since 1970)."""

    name: str
    expires: float


def bearer_token(message: bytes) -> tuple[str, str]:
    """The token, and as whom the client wants to act (empty: as itself). Raises NoMessage."""
    found = _MESSAGE.fullmatch(message)
    if found is None:
        raise NoMessage("the message is not n,,auth=Bearer TOKEN")
    pairs = [pair.partition(b"=") for pair in found["pairs"].split(b"\x01")[:-1]]
    values = [value for key, _, value in pairs if key.lower() == b"auth"]
    bearer = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    if bearer is None:
        raise NoMessage("the message has not one auth=Bearer TOKEN")
    return bearer["token"].decode(), (found["authorize"] or b"").decode(errors="replace")


def bearer_of(token: str, key: str, now: float) -> Bearer:
    """Raises InvalidToken. `key` is UNSECURED, a secret, or a public key in PEM."""
    header, claims, signature = _parts(token)
    algorithm = header.get("alg")
    if key == UNSECURED:
        if algorithm != "none" or signature:
            raise InvalidToken("only tokens without a signature (alg none) are taken here")
    elif not isinstance(algorithm, str) or not verifier(key)(
        algorithm, token.rpartition(".")[0].encode(), signature
    ):
        raise InvalidToken(f"its signature ({algorithm}) is not that of the key")
    return _checked(claims, now)


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidToken(f"a token has three parts, not {len(parts)}")
    try:
        header, claims = (
            json.loads(_decoded(part), parse_constant=_no_number) for part in parts[:2]
        )
        signature = _decoded(parts[2])
    # What is nested too deep for the parser is no JSON that anybody means either.
    except (ValueError, RecursionError):
        raise InvalidToken("its parts are not base64url of JSON") from None
    if not (isinstance(header, dict) and isinstance(claims, dict)):
        raise InvalidToken("its parts are not JSON objects")
    return header, claims, signature


def _no_number(constant: str) -> float:
    """NaN and the infinities are Python's own, and no JSON (RFC 8259, 6). Raises ValueError."""
    raise ValueError(constant)


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _checked(claims: dict[str, Any], now: float) -> Bearer:
    name, expires, issued = claims.get("sub"), claims.get("exp"), claims.get("iat")
    if not isinstance(name, str) or not name.strip():
        raise InvalidToken("it has no sub, which names the user")
    try:
        name.encode()
    except UnicodeEncodeError:
        # JSON can say half of a surrogate pair, which nobody can write or show.
        raise InvalidToken("its sub is not text: it has half of a surrogate pair") from None
    if not _is_time(expires):
        raise InvalidToken("it has no exp, or one that is no number")
    if issued is not None and (not _is_time(issued) or issued > now):
        raise InvalidToken("its iat is not in the past")
    if expires <= now or (issued is not None and expires <= issued):
        raise InvalidToken("it has expired")
    # A number of JSON has no end: what is good for longer than this is good for as long.
    return Bearer(name, float(min(expires, now + _LONGEST)))


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


@lru_cache(maxsize=8)
def verifier(key: str) -> Verify:
    """Raises InvalidInput for a key that cannot be read."""
    if "-----BEGIN" not in key:
        return _by_secret(key.strip().encode())
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
    except ImportError:
        raise InvalidInput(
            "a public key for OAUTHBEARER needs pip install 'mockforge-tui[tls]'"
        ) from None
    try:
        public = serialization.load_pem_public_key(key.encode())
    except ValueError as error:
        raise InvalidInput(f"the key for OAUTHBEARER is no public key in PEM: {error}") from None
    sizes = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}

    def verify(algorithm: str, signed: bytes, signature: bytes) -> bool:
        found = _SIGNATURE.fullmatch(algorithm)
        if found is None:
            return False
        digest = sizes[found["size"]]
        try:
            if isinstance(public, rsa.RSAPublicKey) and algorithm.startswith(_RSA):
                public.verify(signature, signed, padding.PKCS1v15(), digest)
                return True
            if isinstance(public, ec.EllipticCurvePublicKey) and algorithm.startswith(_CURVE):
                half = len(signature) // 2
                r = int.from_bytes(signature[:half], "big")
                s = int.from_bytes(signature[half:], "big")
                public.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(digest))
                return True
        except InvalidSignature:
            return False
        return False

    return verify


def _by_secret(secret: bytes) -> Verify:
    def verify(algorithm: str, signed: bytes, signature: bytes) -> bool:
        found = _SIGNATURE.fullmatch(algorithm)
        if found is None or not algorithm.startswith(_MAC):
            return False
        made = hmac.digest(secret, signed, getattr(hashlib, f"sha{found['size']}"))
        return hmac.compare_digest(made, signature)

    return verify
