"""A record of Kafka as a line of kcat, and as a fixture's target.

kcat cuts what it reads into messages, and keys from payloads, at a byte that stands in neither.
It sends no empty message without a key.
"""

from collections.abc import Mapping
from typing import Any

from mockforge_brokers.journal import Row

from .spelling import Unspeakable, is_word, plain_text, printed, typed_text, words

_USUAL = "localhost:9092"
_READ = 900_000
"""Of about a million bytes, unless kcat is told of more; it reads some ahead."""
_SEPARATORS = (0x1E, 0x1F, *range(1, 0x1E), *range(0x80, 0x100))


def command_line(row: Row, address: str) -> str:
    """Raises Unspeakable."""
    payload, key = row.payload, row.key
    given = ["kcat", "-P", "-b", address or _USUAL, "-t", row.destination]
    if (partition := row.detail.get("partition")) is not None:
        given += ["-p", str(partition)]
    for name, value in row.headers:
        given += ["-H", _header(name, value)]
    if not payload and key is None:
        raise Unspeakable("kcat sends no empty message without a key")
    if payload is None and not key:
        # With -Z it takes an empty key for none either.
        raise Unspeakable("kcat sends no tombstone with an empty key")
    between, behind = _separators((key or b"") + (payload or b""))
    keyed = None if key is None else typed_text(key)
    if keyed is not None and not is_word(keyed):
        keyed = None
    text = typed_text(payload) if payload else None
    if (size := len(key or b"") + len(payload or b"")) > _READ:
        given += ["-X", f"message.max.bytes={size + 100_000}"]
    given += ["-D", f"\\x{behind:02x}"]
    if text is not None and (key is None or keyed):
        given += [] if not keyed else ["-k", keyed]
        return f"{printed(text)} | {words(*given)}"
    whole = payload or b""
    if key is not None:
        whole = key + bytes((between,)) + whole
        given += ["-K", f"\\x{between:02x}"]
    given += ["-Z"] if payload is None else []
    return f"printf {whole.hex()} | xxd -r -p | {words(*given)}"


def _header(name: str, value: object) -> str:
    if not name or "=" in name:
        raise Unspeakable("kcat sends no header with an empty name or with = in it")
    # A name with = behind it has the empty value, which is another.
    return name if value is None else f"{name}={plain_text(value, f'header {name}')}"


def _separators(data: bytes) -> tuple[int, int]:
    free = [each for each in _SEPARATORS if each not in data]
    if len(free) < 2:
        raise Unspeakable("kcat has no byte left to cut its input at: export it --as raw")
    return free[1], free[0]


def target(row: Row) -> Mapping[str, Any]:
    """Raises Unspeakable."""
    found: dict[str, Any] = {"kafka": row.destination}
    if (partition := row.detail.get("partition")) is not None:
        found["partition"] = partition
    if row.key is not None:
        found["key"] = plain_text(row.key, "the key")
    if row.headers:
        found["headers"] = {
            name: None if value is None else plain_text(value, f"header {name}")
            for name, value in row.headers
        }
        if len(found["headers"]) != len(row.headers):
            raise Unspeakable("a header comes twice")
    return found
