"""Every key of the dashboard: what it does, and the words that help and the last line have for it.

A key that changes something runs a command line, which is told in the log: what was done by hand
can be written down as a script.
"""

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Key:
    """`keys` are Textual's names, `shown` is how people read them; `brief` goes to the last line.

    `pane` is where the last line tells of it ("" everywhere).
    """

    keys: str
    shown: str
    action: str
    says: str
    group: str
    brief: str = ""
    pane: str = ""


MOVE, LOOK, FILTER, ACT, SCREEN = "Move", "Look", "Filter", "Act", "Screen"

KEYS: tuple[Key, ...] = (
    Key("colon", ":", "prompt", "command prompt", SCREEN, "command"),
    Key("slash", "/", "filter", "filter the flow", FILTER, "filter"),
    Key("enter", "enter", "open", "inspect; in a pane: show only this", LOOK, "inspect"),
    Key("space", "space", "live", "pause, or back to live", MOVE, "pause"),
    Key("j,down", "j ↓", "move(1)", "next line", MOVE),
    Key("k,up", "k ↑", "move(-1)", "previous line", MOVE),
    Key("ctrl+d,pagedown", "^d", "page(1)", "half a page down", MOVE),
    Key("ctrl+u,pageup", "^u", "page(-1)", "half a page up", MOVE),
    Key("g,home", "g", "top", "oldest line", MOVE),
    Key("G,end", "G", "end", "newest line: live again", MOVE, "live", "paused"),
    Key("h,left", "h ←", "field(-1)", "previous column or tab", MOVE),
    Key("l,right", "l →", "field(1)", "next column or tab", MOVE),
    Key("tab", "tab", "next_pane(1)", "next pane", SCREEN),
    Key("shift+tab", "⇧tab", "next_pane(-1)", "previous pane", SCREEN),
    Key("1", "1", "pane(1)", "flow", SCREEN),
    Key("2", "2", "pane(2)", "connections", SCREEN),
    Key("3", "3", "pane(3)", "topics, exchanges, queues", SCREEN),
    Key("4", "4", "pane(4)", "groups", SCREEN),
    Key("5", "5", "pane(5)", "faults and held frames", SCREEN),
    Key("6", "6", "pane(6)", "log of commands and results", SCREEN),
    Key("z", "z", "zoom", "this pane alone, and back", SCREEN, "zoom"),
    Key("escape", "esc", "back", "back", SCREEN),
    Key("left_square_bracket", "[", "tab(-1)", "inspector: previous tab", LOOK),
    Key("right_square_bracket", "]", "tab(1)", "inspector: next tab", LOOK, "tab", "paused"),
    Key("w", "w", "wire", "inspector: decoded fields of the frame", LOOK),
    Key("full_stop", ".", "noise", "with or without pings and empty polls", LOOK),
    Key("plus", "+", "narrow(1)", "show only what is like this cell", FILTER, "only", "paused"),
    Key("minus", "-", "narrow(-1)", "hide what is like this cell", FILTER, "not", "paused"),
    Key("backslash", "\\", "toggle_filter", "clear the filter, or bring it back", FILTER),
    Key("m", "m", "mark", "mark", ACT),
    Key("M", "M", "only_marked", "only marked", FILTER),
    Key("r", "r", "republish", "publish this message again", ACT, "again", "paused"),
    Key("e", "e", "edit", "edit it as a command, and publish", ACT, "edit", "paused"),
    Key("p", "p", "publish", "publish to this destination…", ACT),
    Key("y", "y", "copy", "copy the payload to the clipboard", ACT, "copy", "paused"),
    Key("i", "i", "hold", "hold frames like this…", ACT),
    Key("a", "a", "release", "release the held frame", ACT, "release", "held"),
    Key("A", "A", "release_all", "release all held frames", ACT, "all", "held"),
    Key("X", "X", "drop", "drop the held frame", ACT, "drop", "held"),
    Key("f", "f", "fault", "fault on this client…", ACT, "fault", "paused"),
    Key("K", "K", "kill", "close this connection", ACT, "kill", "paused"),
    Key("ctrl+x", "^x", "panic", "panic: faults off, release all", ACT, "panic", "held"),
    Key("S", "S", "shot", "screenshot to an SVG file", SCREEN),
    Key("ctrl+l", "^l", "repaint", "draw everything again", SCREEN),
    Key("question_mark,f1", "?", "help", "help, searchable", SCREEN, "help"),
    Key("q,ctrl+q,ctrl+c", "q", "quit", "quit (asks)", SCREEN, "quit"),
)


def bindings() -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    # Of priority: they act in the order in which keys came, before what follows goes to the prompt
    # that they may have opened. Textual queues other keys for whoever has the focus now.
    return [Binding(key.keys, key.action, key.says, show=False, priority=True) for key in KEYS]


def brief_keys(contexts: set[str]) -> list[Key]:
    """What the last line tells: keys of the place where the person is, then the usual ones."""
    here = [key for key in KEYS if key.brief and key.pane in contexts]
    return here + [key for key in KEYS if key.brief and not key.pane]
