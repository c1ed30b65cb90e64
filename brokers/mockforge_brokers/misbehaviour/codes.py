"""The codes that a rule answers with: what a name or number stands for in each protocol."""

from collections.abc import Mapping

from ..errors import InvalidInput


def resolve_code(text: str, known: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """What a code's name or number stands for, by protocol; raises InvalidInput.

    `known` is each broker's `refusals`: names in upper case, with their numbers.
    """
    name = text.strip().upper().replace("-", "_").replace(" ", "_")
    found = {proto: codes[name] for proto, codes in known.items() if name in codes}
    if found:
        return found
    try:
        number = int(text, 0)
    except ValueError:
        number = -(2**31)
    found = {proto: number for proto, codes in known.items() if number in codes.values()}
    if found:
        return found
    near = _nearest(name, known)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise InvalidInput(f"refuse: {text!r} is no code that a broker here can answer with{hint}")


def _nearest(name: str, known: Mapping[str, Mapping[str, int]]) -> list[str]:
    from difflib import get_close_matches  # only for a mistake

    names = {code for codes in known.values() for code in codes}
    return get_close_matches(name[:100], sorted(names), n=3, cutoff=0.5)
