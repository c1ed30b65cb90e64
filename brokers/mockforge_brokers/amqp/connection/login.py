"""Who logs in: the SASL mechanisms PLAIN and AMQPLAIN."""

from collections.abc import Mapping
from typing import Final

from ...bytes_io import ByteReader
from ...errors import ProtocolError
from ..wire.field_table import read_table

MECHANISMS: Final = "PLAIN AMQPLAIN"


def credentials(mechanism: str, response: str | bytes) -> tuple[str, str] | None:
    """User and password; None if they cannot be read. Raises ProtocolError: no such mechanism."""
    raw = response.encode() if isinstance(response, str) else response
    if mechanism == "PLAIN":
        # RFC 4616: authorization id, user, password, each ended by NUL.
        parts = raw.split(b"\x00")
        if len(parts) != 3:
            return None
        return parts[1].decode(errors="replace"), parts[2].decode(errors="replace")
    if mechanism == "AMQPLAIN":
        return _amqplain(raw)
    raise ProtocolError(f"login mechanism {mechanism!r} is none of {MECHANISMS}")


def _amqplain(raw: bytes) -> tuple[str, str] | None:
    """A field table without its length in front, with LOGIN and PASSWORD."""
    try:
        table = read_table(ByteReader(len(raw).to_bytes(4, "big") + raw, what="AMQPLAIN"))
    except ProtocolError:
        return None
    user, password = table.get("LOGIN"), table.get("PASSWORD")
    if user is None or password is None:
        return None
    return str(user.value), str(password.value)


def allowed(users: Mapping[str, str], login: tuple[str, str] | None) -> bool:
    return login is not None and users.get(login[0]) == login[1]
