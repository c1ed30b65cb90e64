"""Every key of the dashboard: what it does in which pane, in the words of help and the last line.

A key does nothing where this table does not have it. One that changes something runs a command
line, which stands in the log: what was done by hand can be written down as a script.
"""

from dataclasses import dataclass
from typing import Final

from textual.binding import Binding

FLOW, INSPECTOR, CONNECTIONS, DESTINATIONS = "flow", "inspector", "connections", "topics"
GROUPS, FAULTS, LOG, LINT, STORED = "groups", "faults", "log", "lint", "stored"
LADDER, TOPOLOGY = "ladder", "topology"
PANE_NAMES: Final = {
    FLOW: "the flow",
    CONNECTIONS: "connections",
    DESTINATIONS: "topics and queues",
    GROUPS: "groups and sessions",
    FAULTS: "faults and held frames",
    LOG: "the log",
    LINT: "lint",
    INSPECTOR: "the inspector",
    STORED: "stored messages",
    LADDER: "the ladder",
    TOPOLOGY: "the topology",
}
"""Places where a key may mean something, in the order of their numbers."""

_TABLES = (CONNECTIONS, DESTINATIONS, GROUPS, FAULTS, LINT)
_LISTS = (*_TABLES, LOG)
_SEARCHED = (CONNECTIONS, DESTINATIONS, GROUPS, LINT)
"""They may have thousands of lines."""
_ROWS = (FLOW, INSPECTOR, LADDER)
_MESSAGES = (*_ROWS, STORED)


@dataclass(frozen=True, slots=True)
class Key:
    """`keys` are Textual's names, `shown` is how people read them; `brief` goes to the last line.

    It acts in `panes` (none: in all); the last line has it only while `when` is so.
    """

    keys: str
    shown: str
    action: str
    says: str
    group: str
    brief: str = ""
    panes: tuple[str, ...] = ()
    when: str = ""

    def acts_in(self, pane: str) -> bool:
        return not self.panes or pane in self.panes


MOVE, LOOK, FILTER, ACT, SCREEN = "Move", "Look", "Filter", "Act", "Screen"
GROUPS_OF_KEYS: Final = (SCREEN, MOVE, LOOK, FILTER, ACT)
PAUSED, HELD = "paused", "held"

KEYS: tuple[Key, ...] = (
    Key("enter", "enter", "inspect", "inspect this message", LOOK, "inspect", (FLOW,)),
    Key("enter", "enter", "inspect", "inspect this held frame, hold or fault", LOOK, "inspect",
        (FAULTS,)),
    Key("enter", "enter", "fold", "fold or unfold; at “more”: the next lines", LOOK, "fold",
        (INSPECTOR,)),
    Key("enter", "enter", "show_only", "show only this client in the flow", LOOK, "only this",
        (CONNECTIONS,)),
    Key("enter", "enter", "stored", "its stored messages; unfold a branch", LOOK, "stored",
        (DESTINATIONS,)),
    Key("h,left", "h ←", "fold", "fold this topic's branch again", LOOK, "", (DESTINATIONS,)),
    Key("enter", "enter", "stored", "what waits in a session or queue; a Kafka group's members",
        LOOK, "stored", (GROUPS,)),
    Key("enter", "enter", "inspect", "inspect this stored message", LOOK, "inspect", (STORED,)),
    Key("enter", "enter", "packets", "the packets of this client that it is about", LOOK, "packets",
        (LINT,)),
    Key("enter", "enter", "inspect", "inspect this frame", LOOK, "inspect", (LADDER,)),
    Key("enter", "enter", "inspect", "inspect this client, group, topic or queue", LOOK, "inspect",
        (TOPOLOGY,)),
    Key("L", "L", "ladder", "draw what its client and the broker send each other", LOOK, "ladder",
        (FLOW, INSPECTOR, CONNECTIONS, LINT, TOPOLOGY)),
    Key("T", "T", "topology", "draw live who sends to whom, and back", LOOK, "topology"),
    Key("o", "o", "only_this", "only what has to do with this, and back", LOOK, "only this",
        (TOPOLOGY,)),
    Key("s", "s", "single", "an arrow for each frame, or one for frames that are alike", LOOK,
        "each", (LADDER,)),
    Key("c", "c", "all_of_client", "all connections of this client, or this one", LOOK, "client",
        (LADDER,)),
    Key("W", "W", "why", "why does nothing come here? Causes and remedies", LOOK, "why",
        (*_MESSAGES, CONNECTIONS, DESTINATIONS, GROUPS, TOPOLOGY)),
    Key("t", "t", "timeline", "what became of this message: who got it, and when", LOOK, "",
        _ROWS),
    Key("d", "d", "diff", "what differs from the marked message, or the one before", LOOK, "diff",
        _MESSAGES, PAUSED),
    Key("space", "space", "switch", "switch a fault off or on", ACT, "on/off", (FAULTS,)),
    Key("D", "D", "remove", "remove a fault, or a hold with all it holds", ACT, "remove",
        (FAULTS,)),
    Key("a", "a", "release", "release this held frame", ACT, "release", (*_ROWS, FAULTS), HELD),
    Key("b", "b", "release(1)", "move this held frame behind the next", ACT, "",
        (*_ROWS, FAULTS)),
    Key("X", "X", "drop", "drop this held frame", ACT, "drop", (*_ROWS, FAULTS), HELD),
    Key("x", "x", "refuse", "refuse this held request with a code…", ACT, "refuse",
        (*_ROWS, FAULTS), HELD),
    Key("A", "A", "release_all", "release all held frames", ACT, "all", (), HELD),
    Key("plus", "+", "narrow(1)", "show only what is like this cell", FILTER, "only", (FLOW,),
        PAUSED),
    Key("minus", "-", "narrow(-1)", "hide what is like this cell", FILTER, "not", (FLOW,), PAUSED),
    Key("plus", "+", "narrow(1)", "show only rows with this JSON value", FILTER, "only",
        (INSPECTOR,)),
    Key("minus", "-", "narrow(-1)", "hide rows with this JSON value", FILTER, "not", (INSPECTOR,)),
    Key("plus", "+", "narrow(1)", "this too must match in the flow", FILTER, "and",
        (*_TABLES, TOPOLOGY)),
    Key("minus", "-", "narrow(-1)", "hide this in the flow", FILTER, "hide",
        (*_TABLES, TOPOLOGY)),
    Key("r", "r", "republish", "publish this message again", ACT, "again", _MESSAGES, PAUSED),
    Key("e", "e", "edit", "edit it as a command: to publish, or as held", ACT, "edit",
        (*_MESSAGES, FAULTS), PAUSED),
    Key("p", "p", "publish", "publish to this destination…", ACT, "publish",
        (*_MESSAGES, DESTINATIONS, TOPOLOGY), PAUSED),
    Key("y", "y", "copy", "copy the payload to the clipboard", ACT, "copy", (*_MESSAGES, FAULTS),
        PAUSED),
    Key("Y", "Y", "copy_as", "copy it as a client's command, a test, a fixture…", ACT, "",
        (*_MESSAGES, FAULTS)),
    Key("f", "f", "fault", "fault on this client…", ACT, "fault", (*_ROWS, CONNECTIONS, TOPOLOGY),
        PAUSED),
    Key("K", "K", "kill", "close this connection (asks)", ACT, "kill",
        (*_ROWS, CONNECTIONS, TOPOLOGY), PAUSED),
    Key("i", "i", "hold", "hold frames like this…", ACT, "",
        (*_ROWS, CONNECTIONS, DESTINATIONS, TOPOLOGY)),
    Key("m", "m", "mark", "mark, or take the mark away", ACT, "", _ROWS),
    Key("M", "M", "only_marked", "only marked, and back", FILTER),
    Key("colon", ":", "prompt", "command prompt", SCREEN, "command"),
    Key("slash", "/", "filter", "filter the flow", FILTER, "filter", (FLOW, FAULTS, LOG)),
    Key("slash", "/", "find", "show only lines with a text", FILTER, "find", _SEARCHED),
    Key("slash", "/", "find", "show only arrows with a text", FILTER, "find", (LADDER,)),
    Key("slash", "/", "find", "show only what has to do with a name", FILTER, "find", (TOPOLOGY,)),
    Key("slash", "/", "filter", "filter the stored messages", FILTER, "filter", (STORED,)),
    Key("slash", "/", "find", "find a text in this message", FILTER, "find", (INSPECTOR,)),
    Key("n", "n", "find_next(1)", "next place of the text", FILTER, "", (INSPECTOR,)),
    Key("N", "N", "find_next(-1)", "place of the text before", FILTER, "", (INSPECTOR,)),
    Key("space", "space", "live", "pause the flow, or back to live", MOVE, "pause",
        (FLOW, INSPECTOR, CONNECTIONS, DESTINATIONS, GROUPS, LOG, LINT, STORED)),
    Key("space", "space", "live", "pause the ladder, or back to live", MOVE, "pause", (LADDER,)),
    Key("space", "space", "live", "freeze the topology, or go on", MOVE, "freeze", (TOPOLOGY,)),
    Key("j,down", "j ↓", "move(1)", "next line", MOVE),
    Key("k,up", "k ↑", "move(-1)", "line before", MOVE),
    Key("ctrl+d,pagedown", "^d", "page(1)", "half a page down", MOVE),
    Key("ctrl+u,pageup", "^u", "page(-1)", "half a page up", MOVE),
    Key("g,home", "g", "top", "first line", MOVE, "", (FLOW, INSPECTOR, LADDER, TOPOLOGY, *_LISTS)),
    Key("g,home", "g", "top", "the oldest stored messages", MOVE, "oldest", (STORED,)),
    Key("G,end", "G", "end", "the newest stored messages", MOVE, "newest", (STORED,)),
    Key("G,end", "G", "end", "newest row: live again", MOVE, "live", (FLOW, LADDER), PAUSED),
    Key("G,end", "G", "end", "last line", MOVE, "", (INSPECTOR, TOPOLOGY, *_LISTS)),
    Key("h,left", "h ←", "field(-1)", "column before", MOVE, "", (FLOW,)),
    Key("l,right", "l →", "field(1)", "next column", MOVE, "", (FLOW,)),
    Key("h,left", "h ←", "side(-1)", "who sends to this", MOVE, "", (TOPOLOGY,)),
    Key("l,right", "l →", "side(1)", "who gets it from there", MOVE, "", (TOPOLOGY,)),
    Key("h,left", "h ←", "tab(-1)", "tab before", MOVE, "", (INSPECTOR,)),
    Key("l,right", "l →", "tab(1)", "next tab", MOVE, "tab", (INSPECTOR,)),
    Key("left_square_bracket", "[", "tab(-1)", "inspector: tab before", LOOK),
    Key("right_square_bracket", "]", "tab(1)", "inspector: next tab", LOOK, "tab", (FLOW,), PAUSED),
    Key("right_square_bracket", "]", "tab(1)", "inspector: next tab", LOOK, "",
        (INSPECTOR, STORED, LADDER, TOPOLOGY, *_LISTS)),
    Key("w", "w", "wire", "inspector: decoded fields and bytes of the frame", LOOK),
    Key("o", "o", "exchange", "its answer, or what it answers", LOOK, "answer", _ROWS, PAUSED),
    Key("full_stop", ".", "noise", "with or without topics and queues that nobody has to do with",
        LOOK, "quiet", (TOPOLOGY,)),
    Key("full_stop", ".", "noise", "flow or ladder with or without pings and empty polls", LOOK, "",
        (FLOW, INSPECTOR, STORED, LADDER, *_LISTS)),
    Key("backslash", "\\", "toggle_filter", "clear the filter, or bring it back", FILTER),
    Key("tab", "tab", "next_pane(1)", "next pane", SCREEN),
    Key("shift+tab", "⇧tab", "next_pane(-1)", "pane before", SCREEN),
    Key("1", "1", "pane(1)", "flow", SCREEN),
    Key("2", "2", "pane(2)", "connections", SCREEN),
    Key("3", "3", "pane(3)", "topics, exchanges, queues", SCREEN),
    Key("4", "4", "pane(4)", "groups and sessions", SCREEN),
    Key("5", "5", "pane(5)", "faults and held frames, and back", SCREEN),
    Key("6", "6", "pane(6)", "log of commands and results, and back", SCREEN),
    Key("7", "7", "pane(7)", "what lint found, and back", SCREEN),
    Key("8", "8", "pane(8)", "the inspector, with what is chosen here", SCREEN),
    Key("J", "J", "jump", "a letter beside all there is, which goes there", SCREEN, "jump"),
    Key("z", "z", "zoom", "this pane alone, and back", SCREEN, "zoom"),
    Key("escape", "esc", "back", "back", SCREEN),
    Key("ctrl+x", "^x", "panic", "panic: faults off, release all", ACT, "panic", (), HELD),
    Key("S", "S", "shot", "screenshot to an SVG file", SCREEN),
    Key("ctrl+l", "^l", "repaint", "draw everything again", SCREEN),
    Key("question_mark,f1,ctrl+p", "? ^p", "help", "help on this pane: search, and enter does it",
        SCREEN, "help"),
    Key("q", "q", "leave", "back; where nothing is open: quit (asks)", SCREEN, "quit"),
    Key("ctrl+q,ctrl+c", "^q", "quit", "quit (asks)", SCREEN),
)  # fmt: skip


def bindings() -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    # Of priority: they act in the order in which keys came, before what follows goes to the prompt
    # that they may have opened. Textual queues other keys for whoever has the focus now.
    names = dict.fromkeys(name for key in KEYS for name in key.keys.split(","))
    return [Binding(name, f"press('{name}')", show=False, priority=True) for name in names]


def key_of(name: str, pane: str) -> Key | None:
    """What a key (by Textual's name) does in a pane."""
    for key in KEYS:
        if key.acts_in(pane) and name in key.keys.split(","):
            return key
    return None


def where(key: Key) -> str:
    """The panes of a key, for the guide."""
    if not key.panes or len(key.panes) == len(PANE_NAMES):
        return "everywhere"
    others = [pane for pane in PANE_NAMES if pane not in key.panes]
    if len(others) == 1:
        return f"not in {PANE_NAMES[others[0]]}"
    return ", ".join(PANE_NAMES[pane].removeprefix("the ") for pane in key.panes)


def brief_keys(pane: str, states: set[str]) -> list[Key]:
    """What the last line shows: keys of this pane alone first, then the usual ones."""
    shown = [
        key for key in KEYS
        if key.brief and key.acts_in(pane) and (not key.when or key.when in states)
    ]  # fmt: skip
    return sorted(shown, key=lambda key: 3 if not key.panes else 2 if pane == LOG else
                  0 if key.panes == (pane,) else 1)  # fmt: skip
