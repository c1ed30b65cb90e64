"""Jump mode: a letter beside every pane and line, and the letter goes there."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from ..keys import PANE_NAMES, TOPOLOGY
from ..widgets.pane import Pane
from .acting import ActingScreen

if TYPE_CHECKING:
    from ..app import ConsoleApp

_LETTERS: Final = "asdfghjklqwertyuiopzxcvbnm"
"""Those under the fingers first."""
_TITLE: Final = (2, 0)
"""Where a pane's own letter stands."""


def labels(count: int) -> list[str]:
    """Letters for so many places: one for the first ones, two for the others where there are many.

    None begins with another. There are 676 at most.
    """
    letters = len(_LETTERS)
    firsts = max(0, min(-(-(count - letters) // (letters - 1)), letters))
    single = letters - firsts
    pairs = (one + other for one in _LETTERS[single:] for other in _LETTERS)
    return [*_LETTERS[:single], *pairs][:count]


class JumpingScreen(ActingScreen):
    """While letters are shown, keys are for them, and what they stand beside stays there."""

    def __init__(self, app: "ConsoleApp") -> None:
        super().__init__(app)
        self._jumps: dict[str, Callable[[], object]] = {}
        self._typed = ""

    @property
    def jumping(self) -> bool:
        return bool(self._jumps)

    def do_jump(self) -> None:
        """Show the letters: those of panes, of this pane's lines, of all other lines."""
        here = self.here
        shown = sorted((pane for pane in self.panes if pane.display), key=lambda each: each != here)
        places: list[tuple[Pane, int, int, Callable[[], object]]] = [
            (pane, *_TITLE, partial(self.set_focus, pane)) for pane in shown
        ]
        places += [each for pane in shown for each in self._lines_of(pane)]
        beside: defaultdict[Pane, defaultdict[int, list[tuple[int, str]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for label, (pane, x, y, go) in zip(labels(len(places)), places, strict=False):
            self._jumps[label] = go
            beside[pane][y].append((x, label))
        self._typed = ""
        self.result.show("note", "the letters go where they stand; esc leaves")
        for pane, lines in beside.items():
            pane.show_labels(lines)

    def _lines_of(self, pane: Pane) -> Iterator[tuple[Pane, int, int, Callable[[], object]]]:
        side = 1 if pane.framed else 0
        for jump in pane.jumps():
            if jump.y < pane.body_height:
                yield pane, jump.x + side, jump.y + 1, partial(self._go, pane, jump.go)

    def _go(self, pane: Pane, go: Callable[[], object]) -> None:
        self.set_focus(pane)
        go()

    def jump_on(self, letter: str) -> None:
        """A key while letters are shown: what else it is leads back."""
        typed = self._typed + letter
        go = self._jumps.get(typed)
        if go is None and any(each.startswith(typed) for each in self._jumps):
            self._typed = typed
            return
        self._leave()
        if go is not None:
            go()
        elif letter != "escape":
            self.console_app.note(f"no letter {typed} was shown; J shows them")

    def _leave(self) -> None:
        self._jumps, self._typed = {}, ""
        for pane in self.panes:
            pane.show_labels({})

    def action_press(self, name: str) -> None:
        if self.jumping:
            self.jump_on(name)
        else:
            super().action_press(name)

    def lay_out(self) -> None:
        # Letters of another size, or of other panes, would stand beside nothing.
        if self.jumping:
            self._leave()
        super().lay_out()

    def on_click(self) -> None:
        if self.jumping:
            self._leave()

    # By name -----------------------------------------------------------------------------

    def places(self) -> Sequence[str]:
        """The panes that can be gone to: stored messages and a ladder only while they are open."""
        return [
            name
            for name, pane in zip(PANE_NAMES, self.panes, strict=True)
            if pane in self._always or pane is self.in_place
        ]

    @property
    def _always(self) -> tuple[Pane, ...]:
        return (*self.panes[:8], self.topology)

    def jump_to(self, name: str) -> None:
        if self.jumping:
            self._leave()
        pane = self.panes[list(PANE_NAMES).index(name)]
        if pane is self.in_place:
            self.open_in_place(pane)
        elif name == TOPOLOGY:
            self.do_topology()
        else:
            self.go_to(list(PANE_NAMES).index(name) + 1)
