"""Keys that change the filter by what is chosen; what they remember of one press for the next."""

from .key_commands import Deed, Note, Run
from .narrowing import combined, replaced


class FilterKeys:
    def __init__(self) -> None:
        self._only = ""
        """The filter's term that `show_only` put there: the next one takes its place."""
        self._last = ""
        """The filter that `toggle` took away."""

    def narrow(self, text: str, term: str | None, *, negated: bool) -> Deed:
        """One more term; the same again takes it away."""
        return _NOTHING if term is None else _filter(combined(text, term, negated=negated))

    def show_only(self, text: str, term: str | None) -> Deed:
        if term is None:
            return _NOTHING
        wanted, self._only = replaced(text, self._only, term)
        return _filter(wanted)

    def toggle(self, text: str) -> Deed:
        """No filter, and back to the one that was there."""
        if text:
            self._last = text
        elif not self._last:
            return Note("there is no filter to go back to")
        return _filter("" if text else self._last)


def _filter(text: str) -> Run:
    return Run(f"filter {text}" if text else "filter clear")


_NOTHING = Note("nothing here to filter by")
