"""The interpreter, and the packages that the program needs."""

import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from typing import Final, NamedTuple

from ..config import Config
from .finding import Finding

_OLDEST: Final = (3, 11)
_REQUIREMENT: Final = re.compile(r"([\w.-]+)(?:\[[^]]*\])?\s*([^;]*)(?:;(.*))?")
_BOUND: Final = re.compile(r"(>=|<=|==|!=|>|<)\s*([\w.]+)")
_EXTRA: Final = re.compile(r"""extra\s*==\s*["'](\w+)["']""")
_COMPARE: Final[Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]]] = {
    ">=": lambda one, other: one >= other,
    "<=": lambda one, other: one <= other,
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    ">": lambda one, other: one > other,
    "<": lambda one, other: one < other,
}
_EXTRAS: Final = {
    "tls": "--tls auto makes certificates with it",
    "re2": "Kafka's subscriptions by pattern are RE2 itself with it, Python's own without",
    "crc32c": "the checksum of Kafka's large batches takes half as long with it",
}


class Requirement(NamedTuple):
    """A line of the package's own metadata; `extra` is empty for what always has to be there."""

    name: str
    bounds: tuple[tuple[str, str], ...]
    extra: str
    conditional: bool
    """It is for some systems or Pythons only."""


def requirement_of(line: str) -> Requirement:
    """`textual<8.3,>=8.2.8`, `uvloop>=0.21; sys_platform != "win32"` (PEP 508, as far as used)."""
    found = _REQUIREMENT.match(line)
    name, bounds, marker = found.groups() if found else (line, "", None)
    extra = _EXTRA.search(marker or "")
    return Requirement(
        name,
        tuple((sign, version) for sign, version in _BOUND.findall(bounds)),
        extra[1] if extra else "",
        bool(marker) and extra is None,
    )


def installed(name: str) -> str | None:
    """The version of a package that is there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def own_requirements() -> list[str]:
    """Empty where the program runs from a folder that was never installed."""
    try:
        return metadata.requires("mockforge-tui") or []
    except metadata.PackageNotFoundError:
        return []


def python_findings(version: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    shown = ".".join(map(str, version))
    text = f"{shown} ({platform.python_implementation()}, {sys.executable})"
    if version >= _OLDEST:
        yield Finding("ok", "Python", text)
    else:
        wanted = ".".join(map(str, _OLDEST))
        yield Finding("error", "Python", f"{text}: {wanted} or newer is needed")


def package_findings(
    config: Config, lines: Iterable[str], version_of: Callable[[str], str | None] = installed
) -> Iterator[Finding]:
    """What is missing or does not fit, a line each; the others in one line."""
    required = [requirement_of(line) for line in lines]
    if not required:
        yield Finding("warning", "packages", "not known: install with pip install mockforge-tui")
    good = []
    for each in required:
        version = version_of(each.name)
        if each.extra in _EXTRAS:
            yield _extra(each, version, needed=each.extra == "tls" and config.tls == "auto")
        elif each.extra or (each.conditional and version is None):
            continue
        elif version is None:
            text = f"not there: pip install '{_spelled(each)}'"
            yield Finding("error", each.name, text)
        elif not fits(each, version):
            text = f"{version} does not fit: pip install '{_spelled(each)}'"
            yield Finding("error", each.name, text)
        else:
            good.append(f"{each.name} {version}")
    if good:
        yield Finding("ok", "packages", ", ".join(good))


def _extra(each: Requirement, version: str | None, *, needed: bool) -> Finding:
    what, install = _EXTRAS[each.extra], f"pip install 'mockforge-tui[{each.extra}]'"
    if version is None:
        return Finding("error" if needed else "ok", each.name, f"not there; {what}: {install}")
    if not fits(each, version):
        level: Finding = Finding("error" if needed else "warning", each.name, "")
        return level._replace(text=f"{version} does not fit; {what}: {install}")
    return Finding("ok", each.name, version)


def _spelled(each: Requirement) -> str:
    return each.name + ",".join(sign + version for sign, version in each.bounds)


def fits(each: Requirement, version: str) -> bool:
    there = _numbers(version)
    return all(_COMPARE[sign](there, _numbers(bound)) for sign, bound in each.bounds)


def _numbers(version: str) -> tuple[int, ...]:
    """`8.2.0rc1` is (8, 2): zeros at the end count for nothing (PEP 440)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
