"""Settings as they stand in a Python call, read and checked as words of the command line are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mockforge_brokers.errors import InvalidInput

from ..config.setting import Setting
from ..config.table import BY_NAME, has_option
from ..nearest import get_close_matches


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values by setting name, of texts or values; None is as if it were not given.

    Raises InvalidInput for a name that there is not, and for what a setting does not take.
    """
    return {
        name: _read(name, _named(name), value)
        for name, value in given.items()
        if value is not None or name not in BY_NAME
    }


def words_of(given: Mapping[str, Any]) -> list[str]:
    """The same as words of a command line."""
    words: list[str] = []
    for name, value in given.items():
        setting = _named(name)
        if value is None:
            continue
        if not setting.takes_value:
            wanted = _read(name, setting, value)
            words += [setting.flag] if wanted is not setting.negative else []
            continue
        flag, before = (setting.flag, "")
        if not has_option(setting):
            flag, before = "--limit", f"{setting.limit}="
        for each in _several(value) if setting.many else (value,):
            words += [flag, f"{before}{each}"]
    return words


def _named(name: str) -> Setting:
    setting = BY_NAME.get(name)
    if setting is None:
        near = get_close_matches(name, BY_NAME, 1)
        hint = f", did you mean {near[0]}?" if near else ""
        raise InvalidInput(f"MockForge has no setting {name!r}{hint}")
    return setting


def _read(name: str, setting: Setting, value: Any) -> Any:
    try:
        if not setting.takes_value:
            return setting.parse(value) if isinstance(value, str) else bool(value)
        if setting.many:
            return tuple(setting.parse(str(each)) for each in _several(value))
        return setting.parse(str(value))
    except ValueError as error:
        raise InvalidInput(f"{name}: {error}") from None


def _several(value: Any) -> Iterable[Any]:
    """One text is one value, not a value for each of its characters."""
    return value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
