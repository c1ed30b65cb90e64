"""The ready line, the ready file and the env file: how others learn that we serve."""

import json
import os
import time
from pathlib import Path
from typing import Any

from mockforge_brokers.protocols import PROTOCOLS

from .config import ConfigError

_IMPORTED = time.monotonic()
_VARIABLES = {
    **{
        (protocol.name, key): name
        for protocol in PROTOCOLS.values()
        for key, name in protocol.variables.items()
    },
    ("tls", "ca"): "MOCKFORGE_TLS_CA",
    ("admin", "url"): "MOCKFORGE_URL",
}
"""The ready line's sections and keys, with the variables that clients read."""


def startup_ms() -> int:
    """Milliseconds since this process started (Linux: by /proc; elsewhere: since this import)."""
    try:
        # Field 22 of proc(5) stat is the start in clock ticks after boot; the name before it may
        # hold spaces and brackets.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return round((time.clock_gettime(time.CLOCK_BOOTTIME) - started) * 1000)
    except (OSError, AttributeError, ValueError, IndexError):
        return round((time.monotonic() - _IMPORTED) * 1000)


def ready_line(facts: dict[str, Any]) -> str:
    """One line of JSON; `facts` has what the brokers know of themselves."""
    return json.dumps({"event": "ready", **facts}, separators=(",", ":"))


def environment_lines(facts: dict[str, Any]) -> str:
    """`NAME=value` for each address that `facts` has, as a shell or an env file reads them."""
    return "".join(f"{name}={value}\n" for name, value in environment(facts).items())


def environment(facts: dict[str, Any]) -> dict[str, str]:
    """The variables that clients read, by name."""
    lines = {}
    for (section, key), name in _VARIABLES.items():
        value = facts.get(section, {}).get(key)
        if value is not None:
            lines[name] = value
            if name == "MQTT_URL":
                host, _, port = value.partition("://")[2].rpartition(":")
                # Only in a URL does an address of IPv6 stand in brackets.
                lines["MQTT_HOST"], lines["MQTT_PORT"] = host.strip("[]"), port
    return lines


def _umask() -> int:
    """What new files are not to allow; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def is_special(path: Path) -> bool:
    return path.is_relative_to("/dev") or path.is_fifo() or path.is_char_device()


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing. Raises OSError.

    A pipe or a device (/dev/stdout) is written to: a file in its place would be no such thing.
    """
    if is_special(path):
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
        return
    path = path.resolve()
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_for(option: str, path: str, text: str) -> None:
    """As `write_whole`, for a file that an option names. Raises ConfigError."""
    try:
        write_whole(Path(path), text)
    except OSError as error:
        raise ConfigError(f"{option} {path}: cannot be written: {error.strerror}") from None
