"""The screen's colours and glyphs; no state is shown by a colour alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from mockforge_brokers.protocols import PROTOCOLS
from rich.style import Style
from textual.theme import Theme


@dataclass(frozen=True)
class Palette:
    """One theme as colours; the styles made of them are what widgets draw with."""

    name: str
    dark: bool
    ground: str
    raised: str
    line: str
    lit: str
    text: str
    dim: str
    faint: str
    bright: str
    accent: str
    chosen: str
    kafka: str
    mqtt: str
    amqp: str
    good: str
    warn: str
    bad: str
    held: str
    fault: str
    string: str
    number: str
    word: str
    name_: str

    def style(self, color: str, *, bold: bool = False, on: str | None = None) -> Style:
        return Style(color=color, bgcolor=on or self.ground, bold=bold)

    @cached_property
    def plain(self) -> Style:
        return self.style(self.text)

    @cached_property
    def muted(self) -> Style:
        return self.style(self.dim)

    @cached_property
    def faintest(self) -> Style:
        return self.style(self.faint)

    @cached_property
    def strong(self) -> Style:
        return self.style(self.bright, bold=True)

    @cached_property
    def border(self) -> Style:
        return self.style(self.line)

    @cached_property
    def border_focused(self) -> Style:
        return self.style(self.lit)

    @cached_property
    def title(self) -> Style:
        return self.style(self.dim, bold=True)

    @cached_property
    def title_focused(self) -> Style:
        return self.style(self.accent, bold=True)

    @cached_property
    def accented(self) -> Style:
        return self.style(self.accent)

    @cached_property
    def key(self) -> Style:
        return self.style(self.accent, bold=True)

    @cached_property
    def ok(self) -> Style:
        return self.style(self.good)

    @cached_property
    def warning(self) -> Style:
        return self.style(self.warn)

    @cached_property
    def error(self) -> Style:
        return self.style(self.bad)

    @cached_property
    def holding(self) -> Style:
        return self.style(self.held, bold=True)

    @cached_property
    def faulty(self) -> Style:
        return self.style(self.fault, bold=True)

    @cached_property
    def cursor(self) -> Style:
        """Laid over a row's own styles."""
        return Style(bgcolor=self.chosen)

    @cached_property
    def underlined(self) -> Style:
        return Style(underline=True)

    @cached_property
    def protocols(self) -> dict[str, Style]:
        return {each: self.style(getattr(self, each)) for each in PROTOCOLS}

    @cached_property
    def roles(self) -> dict[str, Style]:
        """By the role of a span: of a command line, and of JSON."""
        return {
            "prefix": self.style(self.word),
            "command": self.style(self.bright, bold=True),
            "target": self.style(self.accent),
            "argument": self.style(self.text),
            "option": self.style(self.warn),
            "value": self.style(self.number),
            "payload": self.style(self.string),
            "template": self.style(self.word, bold=True),
            "filter": self.style(self.accent),
            "operator": self.style(self.dim),
            "file": self.style(self.string),
            "error": self.style(self.bad) + Style(underline=True),
            "comment": self.style(self.faint),
            "key": self.style(self.name_),
            "string": self.style(self.string),
            "number": self.style(self.number),
            "word": self.style(self.word),
            "mark": self.style(self.dim),
            "found": Style(color=self.ground, bgcolor=self.held, bold=True),
        }

    def protocol(self, name: str) -> Style:
        return self.protocols.get(name, self.muted)

    def as_theme(self) -> Theme:
        """What Textual's own parts (inputs, dialogs) take their colours from."""
        return Theme(
            name=self.name,
            primary=self.accent,
            secondary=self.dim,
            accent=self.accent,
            warning=self.warn,
            error=self.bad,
            success=self.good,
            foreground=self.text,
            background=self.ground,
            surface=self.ground,
            panel=self.raised,
            dark=self.dark,
            variables={
                "line": self.line,
                "lit": self.lit,
                "dim": self.dim,
                "faint": self.faint,
                "chosen": self.chosen,
                "block-cursor-background": self.chosen,
                "input-cursor-background": self.bright,
                "input-cursor-foreground": self.ground,
                "input-selection-background": self.chosen,
            },
        )


NIGHT = Palette(
    name="night",
    dark=True,
    ground="#10141b",
    raised="#171d27",
    line="#2c3645",
    lit="#5f8bb5",
    text="#c3ccd8",
    dim="#77849a",
    faint="#4a5568",
    bright="#f0f4f9",
    accent="#7fb4e6",
    chosen="#22344a",
    kafka="#b39df3",
    mqtt="#86d4a0",
    amqp="#f2a46c",
    good="#86d4a0",
    warn="#e3c37a",
    bad="#f0757b",
    held="#e3c37a",
    fault="#f0757b",
    string="#a8d8b0",
    number="#f0c890",
    word="#c9a5f0",
    name_="#8fc1ef",
)

DAY = Palette(
    name="day",
    dark=False,
    ground="#fbfaf7",
    raised="#f1efe9",
    line="#d3cfc4",
    lit="#4d7fae",
    text="#2d3440",
    dim="#6a7383",
    faint="#a5abb5",
    bright="#0d1117",
    accent="#1f6fb2",
    chosen="#d7e6f4",
    kafka="#6b4fc0",
    mqtt="#2b8a52",
    amqp="#b85c12",
    good="#2b8a52",
    warn="#94700a",
    bad="#c0333c",
    held="#94700a",
    fault="#c0333c",
    string="#2f7d46",
    number="#a8620b",
    word="#7a41b5",
    name_="#1f6fb2",
)

CONTRAST = Palette(
    name="contrast",
    dark=True,
    ground="#000000",
    raised="#000000",
    line="#808080",
    lit="#ffffff",
    text="#ffffff",
    dim="#d0d0d0",
    faint="#a0a0a0",
    bright="#ffffff",
    accent="#00d7ff",
    chosen="#004c87",
    kafka="#d7afff",
    mqtt="#5fff87",
    amqp="#ffaf5f",
    good="#5fff87",
    warn="#ffff5f",
    bad="#ff8787",
    held="#ffff5f",
    fault="#ff8787",
    string="#5fff87",
    number="#ffd75f",
    word="#ff87ff",
    name_="#00d7ff",
)

PALETTES = {palette.name: palette for palette in (NIGHT, DAY, CONTRAST)}


def of_terminal(environment: Mapping[str, str]) -> Palette:
    """The one for the terminal's ground, where it says what that is (`COLORFGBG=0;15`)."""
    ground = environment.get("COLORFGBG", "").rpartition(";")[2]
    return DAY if ground in ("7", "15") else NIGHT


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One-cell signs; the ASCII ones stand in where a font or a person prefers it."""

    inward: str = "→"
    outward: str = "←"
    event: str = "·"
    fault: str = "↯"
    held: str = "‖"
    error: str = "×"
    auto: str = "∗"
    on: str = "●"
    off: str = "○"
    half: str = "◌"
    cursor: str = "▶"
    mark: str = "★"
    newer: str = "▼"
    live: str = "↓"
    folded: str = "▸"
    open: str = "▾"
    thumb: str = "┃"
    more: str = "…"
    prompt: str = "❯"
    ok: str = "✓"
    bars: str = "▁▂▃▄▅▆▇█"
    box: str = "╭─╮│╰╯"
    ladder: str = "│"


UNICODE = Glyphs()
ASCII = Glyphs(
    inward=">",
    outward="<",
    event=".",
    fault="!",
    held="=",
    error="x",
    auto="*",
    on="o",
    off="-",
    half="~",
    cursor=">",
    mark="*",
    newer="v",
    live="v",
    folded="+",
    open="-",
    thumb="#",
    more="~",
    prompt=">",
    ok="+",
    bars=" .:-=+*#",
    box="+-+|++",
    ladder="|",
)
