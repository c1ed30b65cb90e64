"""What came of each client, and the table made of it, here and in README.md."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .catalogue import CLIENTS

RECORDED = Path(__file__).with_name("results.json")
README = Path(__file__).parents[3] / "README.md"
BEGIN, END = "<!-- clients: python -m tests.clients.matrix --record -->", "<!-- /clients -->"


@dataclass(slots=True)
class Result:
    protocol: str
    client: str
    language: str
    version: str = ""
    checks: dict[str, str] = field(default_factory=dict)
    """`ok`, or `skipped: WHY`, or `failed: WHY`."""
    skipped: str = ""
    """Why it did not run at all."""

    def read(self, line: dict[str, Any]) -> None:
        """A line that its program printed."""
        if "client" in line:
            self.version = line["version"]
        elif line.get("ok"):
            self.checks[line["check"]] = "ok"
        else:
            what = next(word for word in ("skipped", "failed") if word in line)
            self.checks[line["check"]] = f"{what}: {line[what]}"

    @property
    def failed(self) -> bool:
        return not self.skipped and (
            not self.checks or any(found.startswith("failed") for found in self.checks.values())
        )

    @property
    def passed(self) -> list[str]:
        return [name for name, found in self.checks.items() if found == "ok"]

    @property
    def others(self) -> list[str]:
        if self.skipped:
            return [f"skipped: {self.skipped}"]
        found = [f"{name} {how}" for name, how in self.checks.items() if how != "ok"]
        return found if self.checks else ["failed: it printed nothing"]

    def line(self) -> str:
        words = [f"{self.client} {self.version}".strip(), ", ".join(self.passed), *self.others]
        return f"{self.protocol}: " + "; ".join(word for word in words if word)


def table(results: Iterable[Result]) -> str:
    """In Markdown: a row for each client."""
    lines = ["| | client | passes | does not |", "|---|---|---|---|"]
    for one in results:
        name = f"{one.client} {one.version}".strip()
        if one.language != "Tools":
            name += f" ({one.language})"
        others = "; ".join(one.others).replace(" skipped: ", ": ").replace("|", "\\|")
        passed = ", ".join(one.passed)
        lines.append(
            f"| {_TITLES[one.protocol]} | {name} | {passed} | {others} |".replace("|  |", "| |")
        )
    return "\n".join(lines)


_TITLES = {"kafka": "Kafka", "mqtt": "MQTT", "amqp": "AMQP"}


def shown(results: list[Result]) -> str:
    """For a terminal: one line for each client."""
    width = max((len(f"{one.client} {one.version}") for one in results), default=0)
    lines = []
    for one in results:
        mark = "FAILED " if one.failed else ""
        found = "; ".join(word for word in (", ".join(one.passed), *one.others) if word)
        lines.append(f"{one.protocol:5} {f'{one.client} {one.version}':{width}}  {mark}{found}")
    return "\n".join(lines)


def recorded() -> list[Result]:
    return [Result(**each) for each in json.loads(RECORDED.read_text())]


def record(results: list[Result]) -> None:
    """Put these results in the place of what was recorded of their clients; README follows."""
    kept = {one.client: one for one in (recorded() if RECORDED.exists() else [])}
    kept |= {one.client: one for one in results}
    ordered = [kept[client.name] for client in CLIENTS if client.name in kept]
    RECORDED.write_text(json.dumps([asdict(each) for each in ordered], indent=1) + "\n")
    README.write_text(with_table(README.read_text(), ordered))


def with_table(text: str, results: list[Result]) -> str:
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(results)}\n{END}{after}"
