"""A message of MQTT as a line of Mosquitto's own client, and as a fixture's target."""

from collections.abc import Mapping
from shlex import join, quote
from typing import Any, Final

from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import protocol_of

from ...fixtures.messages import properties_of
from ..results import for_json
from .spelling import Unspeakable, is_word, left_out, plain_text, printed, typed_text, words

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
    given += [*_options(row), *_properties_as_words(_given(row))]
    payload = row.payload or b""
    text = typed_text(payload)
    if text is None:
        return f"printf {payload.hex()} | xxd -r -p | {words(*given, '-s')}"
    if not is_word(text):
        return f"{printed(text)} | {words(*given, '-s')}"
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
    try:
        properties = _properties_as_words(_given(row))
    except Unspeakable as why:
        return f"{left_out(row, why)}\n".encode()
    given = ["mosquitto_pub", *_options(row), *properties]
    text = _text(row.payload)
    if text is None:
        return f"printf {row.payload.hex()} | xxd -r -p | {join(given)} -s\n".encode()
    if not is_word(text):
        return f"{printed(text)} | {join(given)} -s\n".encode(errors="surrogateescape")
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
    """Properties by the client's names; an empty one is given too. Raises Unspeakable."""
    found = [(name, row.detail.get(name)) for name in _PROPERTIES]
    named = [
        [name.replace("_", "-"), plain_text(each, name.replace("_", " "))]
        for name, each in found
        if each is not None
    ]
    return named + [
        ["user-property", str(name), plain_text(each, f"user property {name}")]
        for name, each in row.headers
    ]


def _text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
