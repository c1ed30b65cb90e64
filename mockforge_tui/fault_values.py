"""How the parameters of faults are written, at the prompt and in files."""

from typing import Any

from mockforge_brokers.misbehaviour.actions import PARTS, Parameter

from .units import parse_duration, parse_rate, parse_size


def read_quantity(parameter: Parameter, text: str) -> Any:
    """What people write for a size (also a second), a rate or a part; raises ValueError."""
    match parameter.kind:
        case "size":
            return parse_size(text.removesuffix("/s"))
        case "rate":
            return parse_rate(text)
        case "part":
            if text not in PARTS:
                raise ValueError(f"{text!r} is none of {', '.join(PARTS)}")
            return text
        case "duration":
            return parse_duration(text)
        case _:
            return text
