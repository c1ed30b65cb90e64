"""MQTT's messages as command lines that publish them again with Mosquitto's own client."""

from shlex import join, quote
from typing import Any, Final

from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import protocol_of

_PROPERTIES: Final = (
    "payload_format_indicator",
    "message_expiry_interval",
    "content_type",
    "response_topic",
    "correlation_data",
)


def command_lines(row: Row) -> bytes:
    """A line; nothing for what is no message of MQTT. Host and port are left to who runs it."""
    # Topics of levels are MQTT's alone.
    published = row.kind == "message" and protocol_of(row.protocol).levels
    if not published or row.payload is None:
        return b""
    words = ["mosquitto_pub", "-t", row.destination, "-q", str(row.detail.get("qos", 0))]
    if row.detail.get("retain"):
        words.append("-r")
    properties = list(_properties(row))
    if properties:
        words += ["-V", "5", *(word for each in properties for word in ("-D", "publish", *each))]
    text = _text(row.payload)
    if text is None:
        return f"printf {row.payload.hex()} | xxd -r -p | {join(words)} -s\n".encode()
    body = f"-m {quote(text)}" if text else "-n"
    return f"{join(words)} {body}\n".encode(errors="surrogateescape")


def _properties(row: Row) -> list[list[str]]:
    found = [(name, row.detail.get(name)) for name in _PROPERTIES]
    named = [[name.replace("_", "-"), text] for name, each in found if (text := _word(each))]
    return named + [["user-property", str(name), _word(each)] for name, each in row.headers]


def _word(value: Any) -> str:
    """A property's value; what is no text cannot be given on a command line."""
    if isinstance(value, bytes):
        return _text(value) or ""
    return "" if value is None else str(value)


def _text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
