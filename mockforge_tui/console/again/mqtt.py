"""A message of MQTT as a line of Mosquitto's own client, and as a fixture's target."""

from collections.abc import Mapping
from shlex import join, quote
from typing import Any, Final

from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import protocol_of

from ...fixtures.messages import properties_of
from ..results import for_json
from .spelling import plain_text, typed_text, words

_PROPERTIES: Final = (
    "payload_format_indicator",
    "message_expiry_interval",
    "content_type",
    "response_topic",
    "correlation_data",
)


def command_line(row: Row, address: str) -> str:
    """Raises Unspeakable."""
    host, _, port = address.rpartition(":")
    given = ["mosquitto_pub", *(("-h", host.strip("[]"), "-p", port) if address else ())]
    given += [*_options(row), *_properties_as_words(_checked(row))]
    payload = row.payload or b""
    text = typed_text(payload)
    if text is None:
        return f"printf {payload.hex()} | xxd -r -p | {words(*given, '-s')}"
    return words(*given, *(("-m", text) if text else ("-n",)))


def target(row: Row) -> Mapping[str, Any]:
    """Raises Unspeakable."""
    detail = row.detail
    found: dict[str, Any] = {"mqtt": row.destination}
    found |= {name: detail[name] for name in ("qos", "retain") if detail.get(name)}
    properties = {
        name: plain_text(value, name.replace("_", " ")) if isinstance(value, bytes) else value
        for name, value in properties_of(row.protocol, detail).items()
    }
    if row.headers:
        properties["user_property"] = [[name, value] for name, value in row.headers]
    return found | ({"properties": for_json(properties)} if properties else {})


def command_lines(row: Row) -> bytes:
    """The form `mosquitto_pub`: nothing for what is no message of MQTT, whatever it has in it.

    Host and port are left to who runs it.
    """
    # Topics of levels are MQTT's alone.
    published = row.kind == "message" and protocol_of(row.protocol).levels
    if not published or row.payload is None:
        return b""
    given = ["mosquitto_pub", *_options(row), *_properties_as_words(_given(row))]
    text = _text(row.payload)
    if text is None:
        return f"printf {row.payload.hex()} | xxd -r -p | {join(given)} -s\n".encode()
    body = f"-m {quote(text)}" if text else "-n"
    return f"{join(given)} {body}\n".encode(errors="surrogateescape")


def _options(row: Row) -> list[str]:
    retained = ["-r"] if row.detail.get("retain") else []
    return ["-t", row.destination, "-q", str(row.detail.get("qos", 0)), *retained]


def _properties_as_words(properties: list[list[str]]) -> list[str]:
    if not properties:
        return []
    return ["-V", "5", *(word for each in properties for word in ("-D", "publish", *each))]


def _given(row: Row) -> list[list[str]]:
    found = [(name, row.detail.get(name)) for name in _PROPERTIES]
    named = [[name.replace("_", "-"), text] for name, each in found if (text := _word(each))]
    return named + [["user-property", str(name), _word(each)] for name, each in row.headers]


def _checked(row: Row) -> list[list[str]]:
    """The same; one that is no text is refused, not left out. Raises Unspeakable."""
    for name in _PROPERTIES:
        plain_text(row.detail.get(name), name.replace("_", " "))
    return _given(row)


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
