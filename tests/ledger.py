"""`python -m tests.ledger`: which statements of MQTT 3.1.1 and 5.0 are shown to be kept.

`-v` names those that are not, and `-w LABEL` prints what shows one of them.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = TESTS / "brokers/mqtt/statements.txt"
TRANSCRIPTS = TESTS / "brokers/transcripts/mqtt"
WHO = ("server", "client")
_RANGE = re.compile(r"(.*-)(\d+)\.\.(\d+)")


@dataclass
class Version:
    """One specification: all of its labels, and by label whom it binds and what shows it."""

    labels: list[str] = field(default_factory=list)
    binds: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, list[str]] = field(default_factory=dict)

    @property
    def tested(self) -> list[str]:
        return [label for label in self.labels if self.evidence.get(label)]

    @property
    def only_clients(self) -> list[str]:
        """Those that bind only clients, tested or not."""
        return [label for label in self.labels if self.binds.get(label) == "client"]

    @property
    def open(self) -> list[str]:
        """Those that bind a server and nothing shows."""
        return [
            label
            for label in self.labels
            if self.binds.get(label) != "client" and not self.evidence.get(label)
        ]


def read(text: str) -> dict[str, Version]:
    """The table by version; raises ValueError with the line."""
    versions: dict[str, Version] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        head, _, labels = line.partition(": ")
        words = head.split()
        version = versions.setdefault(words[0], Version())
        if words[1:] == ["all"]:
            version.labels += _expanded(labels)
            continue
        if len(words) != 3 or words[1] not in WHO:
            raise ValueError(f"line {number}: VERSION WHO EVIDENCE: LABELS is wanted")
        for label in labels.split():
            if version.binds.setdefault(label, words[1]) != words[1]:
                raise ValueError(f"line {number}: {label} binds a server and only clients")
            if words[2] != "-":
                version.evidence.setdefault(label, []).append(words[2])
    return versions


def _expanded(labels: str) -> Iterator[str]:
    for word in labels.split():
        found = _RANGE.fullmatch(word)
        if found is None:
            yield word
        else:
            yield from (f"{found[1]}{each}" for each in range(int(found[2]), int(found[3]) + 1))


def missing_evidence(evidence: str) -> str:
    """Why an evidence is none; empty if it is one."""
    if evidence.endswith(".txt"):
        return "" if (TRANSCRIPTS / evidence).is_file() else f"no transcript {evidence}"
    name, _, test = evidence.partition("::")
    path = TESTS / "brokers" / name
    if not path.is_file():
        return f"no file {name}"
    return "" if f"def {test}(" in path.read_text() else f"no {test} in {name}"


def main(arguments: list[str]) -> int:
    versions = read(TABLE.read_text())
    if "-w" in arguments:
        label = arguments[arguments.index("-w") + 1].removeprefix("MQTT-")
        for name, version in versions.items():
            shown = ", ".join(version.evidence.get(label, ())) or "nothing"
            print(f"{name} MQTT-{label}: {version.binds.get(label, 'unknown')}, {shown}")
        return 0
    for name, version in versions.items():
        client = version.only_clients
        kept = [each for each in version.tested if each not in client]
        print(
            f"MQTT {name}: {len(version.labels)} statements; of those that bind a server "
            f"{len(kept)} are tested, {len(version.open)} are open; {len(client)} bind only "
            f"clients, of which {len(client) - len([c for c in client if c not in version.tested])}"
            " are checked"
        )
        if "-v" in arguments:
            for label in version.open:
                print(f"  open: MQTT-{label}")
    return 1 if any(version.open for version in versions.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
