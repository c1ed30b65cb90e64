"""Reads `lines[0].sku` out of a payload: JSON, or what can be shown as JSON (Avro, CBOR, ...)."""

import re
from typing import Any

import msgspec

from ..decoding import look
from .patterns import SEARCHED

Step = str | int
_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[(\d+)\]")
_MOST_STEPS = 32


def parse_path(path: str) -> tuple[Step, ...]:
    """Returns the names and indexes of a path; raises ValueError."""
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or len(steps) == _MOST_STEPS:
            raise ValueError(f"{path!r} is not a path (write json.lines[0].sku)")
        steps.append(found[1] if found[1] is not None else int(found[2]))
        at = found.end()
    return tuple(steps)


class JsonReader:
    """Decodes a payload once for all paths of one filter."""

    def __init__(self) -> None:
        self._payload: bytes | None = None
        self._destination = ""
        self._value: Any = None

    def __call__(
        self, payload: bytes | None, steps: tuple[Step, ...], destination: str = ""
    ) -> Any:
        """The value at a path; None where there is none, or no such form, or too much of it."""
        if payload is None or len(payload) > SEARCHED:
            return None
        if payload is not self._payload or destination != self._destination:
            try:
                self._value = msgspec.json.decode(payload)
            except (ValueError, RecursionError):
                decoded = look(payload, destination)
                self._value = None if decoded is None else decoded.value
            self._payload, self._destination = payload, destination
        value = self._value
        for step in steps:
            if isinstance(value, list):
                value = _member(value, step)
            elif isinstance(value, dict):
                value = value.get(step)
            else:
                return None
        return value


def _member(values: list[Any], step: Step) -> Any:
    """An item by index; a name is asked of all items, so that json.lines.sku:X finds any."""
    if isinstance(step, int):
        return values[step] if step < len(values) else None
    return [each.get(step) for each in values if isinstance(each, dict)]
