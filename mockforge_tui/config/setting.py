"""What one setting is, and how the texts of command line, variables and files are read."""

import os
import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ..units import parse_duration


class Setting(Struct, frozen=True):
    """One field of Config. `keys` are the config file's, below `server:` or at the top level.

    `separator` stands between the values of one that takes `many`, in its variable.
    A `flag` that begins with `--no-` takes no value and sets False; `switch` flags set True.
    `limit` is the row of limits.py that it sets: `--limit NAME=VALUE` does that too, and is the
    only option where `flag` is not one of its own.
    """

    name: str
    flag: str
    keys: tuple[str, ...]
    parse: Callable[[str], Any]
    help: str
    metavar: str = ""
    switch: bool = False
    many: bool = False
    separator: str = os.pathsep
    limit: str = ""

    @property
    def variable(self) -> str:
        """`MOCKFORGE_KAFKA_PORT`, `MOCKFORGE_NO_KAFKA`."""
        return "MOCKFORGE_" + self.flag.removeprefix("--").replace("-", "_").upper()

    @property
    def negative(self) -> bool:
        return self.flag.startswith("--no-")

    @property
    def takes_value(self) -> bool:
        return not self.negative and not self.switch


def port(text: str) -> int:
    number = whole(text)
    if number > 65535:
        raise ValueError(f"a port is 0 to 65535 (0 takes a free one), not {number}")
    return number


def whole(text: str) -> int:
    if not re.fullmatch(r"\d+", text):
        raise ValueError(f"a whole number is wanted, not {text!r}")
    return int(text)


def scale(text: str) -> float:
    """How many times as fast."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise ValueError(f"a number above 0 is wanted (3600), not {text!r}")
    return number


def between(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = whole(text)
        if not least <= number <= most:
            raise ValueError(f"{least} to {most} is wanted, not {number}")
        return number

    return parse


def seconds(text: str) -> int:
    return int(parse_duration(text))


def boolean(text: str) -> bool:
    """`true` or `false` as YAML 1.2 has them, and what people put into variables."""
    word = text.strip().lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off", ""):
        return False
    raise ValueError(f"true or false is wanted, not {text!r}")


def address(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError("an address is wanted; 0.0.0.0 is every address of this machine")
    return advertised(text)


def advertised(text: str) -> str:
    """What clients are told to dial; empty is the address that they dialled."""
    text = text.strip()
    try:
        text.encode("idna")
    except UnicodeError:
        # Resolvers and certificates have these bounds, and no word for what is beyond them.
        wanted = "parts of 1 to 63 characters with dots between them"
        raise ValueError(f"a name of {wanted} is wanted, not {text!r}") from None
    return text


def certificates(text: str) -> str:
    if text != "auto" and not all(part.strip() for part in text.split(",", 1)):
        raise ValueError(f"auto, or a certificate and its key as CERT,KEY, not {text!r}")
    return text


def user(text: str) -> str:
    name, colon, password = text.partition(":")
    if not (name and colon and password):
        raise ValueError("a user is NAME:PASSWORD")
    return text


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        word = {"warn": "warning"}.get(text.lower(), text.lower())
        if word not in words:
            raise ValueError(f"one of {', '.join(words)} is wanted, not {text!r}")
        return word

    return parse
