"""Checks JSON values by the schemas that the description publishes, as far as these go."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def problem(value: Any, schema: Mapping[str, Any], path: str = "") -> str:
    """What is wrong with a value, with its place; empty if nothing is. No $ref is followed."""
    where = f"{path}: " if path else ""
    if "oneOf" in schema:
        if any(not problem(value, each, path) for each in schema["oneOf"]):
            return ""
        return f"{where}{schema.get('description') or 'not one of the forms that there are'}"
    given = schema.get("type", ())
    kinds = (given,) if isinstance(given, str) else given
    if kinds and not any(_TYPES[kind](value) for kind in kinds):
        article = "an" if kinds[0][0] in "aio" else "a"
        return f"{where}{article} {' or '.join(kinds)} is wanted"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where}one of {', '.join(map(str, schema['enum']))} is wanted"
    match value:
        case dict():
            return _in_object(value, schema, path)
        case list():
            return _in_array(value, schema, path)
        case str():
            return _in_text(value, schema, where)
        case int() | float() if not isinstance(value, bool):
            return _in_number(value, schema, where)
    return ""


def _in_object(value: dict[str, Any], schema: Mapping[str, Any], path: str) -> str:
    known = schema.get("properties", {})
    more = schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            return f"{_joined(path, name)} is missing"
    for name, each in value.items():
        if name not in known and more is False:
            return f"{_joined(path, name)}: not known; there is {', '.join(known)}"
        inner = known.get(name, more if isinstance(more, Mapping) else {})
        if found := problem(each, inner, _joined(path, name)):
            return found
    return ""


def _in_array(value: list[Any], schema: Mapping[str, Any], path: str) -> str:
    if len(value) < schema.get("minItems", 0):
        return f"{path}: {schema['minItems']} or more are wanted"
    items = schema.get("items", {})
    found = (problem(each, items, f"{path}[{number}]") for number, each in enumerate(value))
    return next(filter(None, found), "")


def _in_text(value: str, schema: Mapping[str, Any], where: str) -> str:
    if len(value) < schema.get("minLength", 0):
        return f"{where}an empty text"
    pattern = schema.get("pattern")
    return f"{where}does not fit {pattern}" if pattern and not re.search(pattern, value) else ""


def _in_number(value: float, schema: Mapping[str, Any], where: str) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and value < least:
        return f"{where}{least} or more is wanted, not {value}"
    if most is not None and value > most:
        return f"{where}{most} or less is wanted, not {value}"
    return ""


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
