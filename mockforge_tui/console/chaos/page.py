"""The verdict as one page of HTML: charts in it, nothing that it would have to fetch."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any, Final

from ... import units
from ...text import encodable
from .run import InForce, Run
from .story import BUCKET, ClientStory, Moment

_WIDTH: Final = 960
_COLUMNS: Final = 240
"""Bars of a chart at most."""
_BARS: Final = 56
"""Height of a chart's bars."""
_TICKS: Final = ((0.0, "start"), *((at, "middle") for at in (0.25, 0.5, 0.75)), (1.0, "end"))
_MARKS: Final = {"fault": "M-4 -7H4L0 0Z", "doubled": "M0 -5L5 0L0 5L-5 0Z"}
_LONGEST: Final = 500
"""Characters of somebody else's words."""
_TAG: Final = re.compile(r"(?=<(?:section|svg|rect|path|line|text|tr|p|table)\b)")
"""Where a line of the page begins: what shows results cuts long ones."""
_STYLE: Final = """
:root{color-scheme:light dark;--text:#1b1f24;--dim:#5b6470;--line:#d5dae1;--ground:#fff;
--card:#f6f8fa;--bar:#3b74c4;--good:#17803d;--bad:#c02626;--fault:#b45309;--band:#f59e0b33}
@media(prefers-color-scheme:dark){:root{--text:#e6e9ee;--dim:#98a2b0;--line:#343b46;--ground:#14171c;
--card:#1c2027;--bar:#6ea3f0;--good:#4ade80;--bad:#f87171;--fault:#fbbf24;--band:#f59e0b33}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--ground);
max-width:1000px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:0}p{margin:.3rem 0}
section{background:var(--card);border:1px solid var(--line);border-radius:6px;
padding:1rem;margin:1rem 0}
svg{width:100%;height:auto;display:block}text{font:11px system-ui,sans-serif;fill:var(--dim)}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.15rem .8rem .15rem 0;
vertical-align:top}th{color:var(--dim);
font-weight:normal;width:11em}code{font-size:.9em;overflow-wrap:anywhere}
.dim{color:var(--dim)}.good{color:var(--good)}.bad{color:var(--bad)}.bar{fill:var(--bar)}
.away{fill:var(--bad);opacity:.18}.fault{fill:var(--fault)}.doubled{fill:var(--bad)}
.each{margin-top:.6rem;font-size:.9em}.each th{width:auto}
.axis{stroke:var(--line)}.band{fill:var(--band)}.pause{fill:var(--fault)}
"""


def page(run: Run) -> str:
    """What clients made of a run, for a browser."""
    stories = sorted(run.observer.stories(), key=lambda one: (_clean(one), one.client))
    lasted = max(run.observer.lasted, BUCKET)
    body = [
        _head(run, stories, lasted),
        _all(run, stories, lasted),
        *(_client(story, lasted) for story in stories),
        _done(run),
    ]
    title = encodable(f"chaos report: {run.names}")
    whole = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>"
    )
    return _TAG.sub("\n", whole)


def _clean(story: ClientStory) -> bool:
    return bool(story.facts()["clean"])


def _text(text: str) -> str:
    """Somebody else's words, for a page."""
    return escape(encodable(text[:_LONGEST]))


def _head(run: Run, stories: Sequence[ClientStory], lasted: float) -> str:
    met = [_clean(story) for story in stories if not story.outside]
    right, wrong = met.count(True), met.count(False)
    outside = len(stories) - len(met)
    seconds = units.format_duration(lasted)
    healthy = "".join(
        f"<p><b>{escape(preset.name)}</b>: {escape(preset.summary)}."
        f' <span class="dim">A healthy client {escape(preset.healthy)}.</span></p>'
        for preset in run.presets
    )
    verdict = (
        f'<span class="good">✓ {right} kept all</span>'
        f' · <span class="{"bad" if wrong else "dim"}">✗ {wrong} did not</span>'
        + (f' · <span class="bad">{outside} never let in</span>' if outside else "")
        if stories
        else '<span class="dim">no client was there</span>'
    )
    return (
        f"<header><h1>Chaos report</h1><p>{verdict}</p>{healthy}"
        f'<p class="dim">{seconds}, seed {run.seed}: repeat it with'
        f" <code>chaos start {escape(','.join(p.name for p in run.presets))}"
        f"{_given(run)} --seed {run.seed}</code></p></header>"
    )


def _given(run: Run) -> str:
    return "".join(f" -s {_text(name)}={_text(value)}" for name, value in run.given)


def _all(run: Run, stories: Sequence[ClientStory], lasted: float) -> str:
    counts: Counter[int] = Counter()
    for story in stories:
        counts.update(story.buckets)
    marks = [each for story in stories for each in story.moments if each.kind == "fault"]
    rules = run.in_force()
    height = _BARS + 34 + 16 * len(rules)
    return _section(
        "All clients",
        "messages, the faults that hit (▼), and below which rules were in force",
        _svg(
            height,
            (
                *_bars(counts, lasted),
                *_marks(marks, lasted),
                *_axis(lasted),
                *(_band(rule, place, lasted) for place, rule in enumerate(rules)),
            ),
        ),
    )


def _client(story: ClientStory, lasted: float) -> str:
    facts = story.facts()
    clean = facts["clean"]
    sign = '<span class="good">✓</span>' if clean else '<span class="bad">✗</span>'
    rows = [
        ("verdict", f'<span class="{"good" if clean else "bad"}">{_text(facts["verdict"])}</span>'),
        ("sent, got", f"{facts['sent']:,}, {facts['got']:,}"),
        ("faults", _text(", ".join(f"{kind} {n}" for kind, n in story.faults.items()) or "none")),
        ("connections ended", f"{story.lost:,}{', and it gave up' if facts['gave_up'] else ''}"),
        ("tried again after", _durations(facts["tries"])),
        ("back after", _durations(story.pauses)),
        ("backoff", facts["backoff"] or '<span class="dim">-</span>'),
        ("sent again after", _durations(facts["resent_after"])),
    ]
    table = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    marks = [each for each in story.moments if each.kind in _MARKS]
    chart = _svg(
        _BARS + 34,
        (
            *_away(story, lasted),
            *_bars(story.buckets, lasted),
            *_marks(marks, lasted),
            *_axis(lasted),
        ),
    )
    title = f"{sign} {_text(story.client)} <span class='dim'>{escape(story.protocol)}</span>"
    backoff = _backoff(facts["tries"])
    after = _after_each(facts["under"])
    return f"<section><h2>{title}</h2><table>{table}</table>{chart}{backoff}{after}</section>"


def _after_each(under: Sequence[dict[str, Any]]) -> str:
    """What it did after each kind of fault."""
    if not under:
        return ""
    head = "".join(
        f"<th>{name}</th>"
        for name in (
            "after",
            "hits",
            "ended",
            "back after",
            "backoff",
            "asked again after",
            "sent again after",
            "out of order",
        )
    )
    rows = "".join(
        f"<tr><td>{_text(each['fault'])}</td><td>{each['hits']:,}</td>"
        f"<td>{each['ended']:,}{', gave up' if each['gave_up'] else ''}</td>"
        f"<td>{_durations(each['pauses'])}</td><td>{each['backoff'] or '-'}</td>"
        f"<td>{_durations(each['asked_again'])}</td>"
        f"<td>{_resent(each)}</td><td>{_text(', '.join(each['disordered'])) or '-'}</td></tr>"
        for each in under
    )
    return f'<table class="each"><tr>{head}</tr>{rows}</table>'


def _resent(each: dict[str, Any]) -> str:
    if not each["doubled"]:
        return _durations(())
    names = dict.fromkeys(each["doubled"])
    return f"{_durations(each['resent_after'])}: {_text(', '.join(names))}"


def _section(title: str, note: str, inner: str) -> str:
    return f'<section><h2>{title}</h2><p class="dim">{note}</p>{inner}</section>'


def _durations(seconds: Sequence[float]) -> str:
    if not seconds:
        return '<span class="dim">-</span>'
    shown = ", ".join(units.format_duration(each) for each in seconds[:12])
    return shown + (f" and {len(seconds) - 12:,} more" if len(seconds) > 12 else "")


def _svg(height: int, parts: Iterable[str]) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(parts)}</svg>'


def _x(at: float, lasted: float) -> float:
    return round(min(at / lasted, 1.0) * _WIDTH, 1)


def _bars(counts: Counter[int], lasted: float) -> Iterator[str]:
    """Messages over time; the highest bar is as high as the chart."""
    per_bar = max(1, -(-int(lasted / BUCKET + 1) // _COLUMNS))
    bars: Counter[int] = Counter()
    for bucket, count in counts.items():
        bars[bucket // per_bar] += count
    most = max(bars.values(), default=1)
    width = max(1.0, _x(per_bar * BUCKET, lasted) - 0.5)
    for place, count in sorted(bars.items()):
        at = place * per_bar * BUCKET
        high = max(1.0, round(count / most * _BARS, 1))
        words = f"{count:,} messages, {units.format_duration(at)}"
        yield (
            f'<rect class="bar" x="{_x(at, lasted)}" y="{10 + _BARS - high}" width="{width}"'
            f' height="{high}"><title>{words}</title></rect>'
        )


def _marks(moments: Sequence[Moment], lasted: float) -> Iterator[str]:
    """One for each kind and place, however many there were."""
    marks: dict[tuple[str, int], list[Moment]] = {}
    for each in moments:
        column = int(_x(each.at, lasted) * _COLUMNS / _WIDTH)
        marks.setdefault((each.kind, column), []).append(each)
    for (kind, _), these in marks.items():
        first = these[0]
        y = 10 if kind == "fault" else 14 + _BARS
        place = f"translate({_x(first.at, lasted)} {y})"
        more = f" and {len(these) - 1:,} more" if len(these) > 1 else ""
        words = _text(f"{kind}: {first.text}{more}, {units.format_duration(first.at)}")
        yield (
            f'<path class="{kind}" d="{_MARKS[kind]}" transform="{place}">'
            f"<title>{words}</title></path>"
        )


def _away(story: ClientStory, lasted: float) -> Iterator[str]:
    """Where it had no connection and wanted one."""
    lost: Moment | None = None
    end_of_it = [] if story.left else [Moment(lasted, "back", "")]
    for each in [*story.moments, *end_of_it]:
        if each.kind == "lost":
            lost = lost or each
        elif each.kind == "back" and lost is not None:
            x, end = _x(lost.at, lasted), _x(each.at, lasted)
            words = _text(f"away for {units.format_duration(each.at - lost.at)}: {lost.text}")
            yield (
                f'<rect class="away" x="{x}" y="10" width="{max(1.0, end - x):.1f}"'
                f' height="{_BARS}"><title>{words}</title></rect>'
            )
            lost = None


def _axis(lasted: float) -> Iterator[str]:
    y = 10 + _BARS
    yield f'<line class="axis" x1="0" y1="{y}" x2="{_WIDTH}" y2="{y}"/>'
    for place, anchor in _TICKS:
        label = units.format_duration(lasted * place) if place else "0"
        yield f'<text x="{place * _WIDTH}" y="{y + 20}" text-anchor="{anchor}">{label}</text>'


def _band(rule: InForce, place: int, lasted: float) -> str:
    x = _x(rule.begun, lasted)
    end = _x(lasted if rule.gone is None else rule.gone, lasted)
    y = _BARS + 34 + 16 * place
    words = _text(rule.line.removeprefix("fault add "))
    at, anchor = (x + 4, "start") if x < _WIDTH / 2 else (end - 4, "end")
    return (
        f'<rect class="band" x="{x}" y="{y}" width="{max(2.0, end - x):.1f}" height="14"/>'
        f'<text x="{at}" y="{y + 11}" text-anchor="{anchor}">{words}</text>'
    )


def _backoff(pauses: Sequence[float]) -> str:
    """One bar for each try to come back: growing ones are what a healthy client has."""
    if len(pauses) < 2:
        return ""
    shown, most = pauses[:60], max(*pauses, 0.001)
    parts = [
        f'<rect class="pause" x="{place * 16}" y="{40 - max(1.0, each / most * 40):.1f}" width="12"'
        f' height="{max(1.0, each / most * 40):.1f}"><title>{units.format_duration(each)}</title>'
        "</rect>"
        for place, each in enumerate(shown)
    ]
    note = "pauses before it tried to come back, one after the other"
    return f'<p class="dim">{note}</p>{_svg(42, parts)}'


def _done(run: Run) -> str:
    rows = "".join(
        f"<tr><td>{units.format_duration(each.at)}</td><td><code>{_text(each.line)}</code></td>"
        f'<td class="dim">{_text(each.answer)}</td></tr>'
        for each in run.done
    )
    return _section("What was done", "line by line", f"<table>{rows}</table>")
