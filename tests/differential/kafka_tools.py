"""Kafka's command line tools in one JVM, and what `kafka_tools.txt` has them ask two brokers.

tests/clients/test_kafka_tools.py compares what they print of both; why some of it is not the same
stands in kafka_tools_known.py.
"""

import re
import shlex
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

HERE: Final = Path(__file__).parent
RAN: Final = HERE.parent / "clients/matrix/programs/java/kafkatools/Ran.java"
_GROUPS: Final = "consumer.group."
TOOLS: Final[Mapping[str, str]] = {
    "acls": "AclCommand",
    "broker-api-versions": "BrokerApiVersionsCommand",
    "client-metrics": "ClientMetricsCommand",
    "cluster": "ClusterTool",
    "configs": "ConfigCommand",
    "console-consumer": "consumer.ConsoleConsumer",
    "console-producer": "ConsoleProducer",
    "console-share-consumer": "consumer.ConsoleShareConsumer",
    "consumer-groups": _GROUPS + "ConsumerGroupCommand",
    "consumer-perf-test": "ConsumerPerformance",
    "delegation-tokens": "DelegationTokenCommand",
    "delete-records": "DeleteRecordsCommand",
    "e2e-latency": "EndToEndLatency",
    "features": "FeatureCommand",
    "get-offsets": "GetOffsetShell",
    "groups": "GroupsCommand",
    "leader-election": "LeaderElectionCommand",
    "log-dirs": "LogDirsCommand",
    "metadata-quorum": "MetadataQuorumCommand",
    "producer-perf-test": "ProducerPerformance",
    "reassign-partitions": "reassign.ReassignPartitionsCommand",
    "replica-verification": "ReplicaVerificationTool",
    "share-consumer-perf-test": "ShareConsumerPerformance",
    "share-groups": _GROUPS + "ShareGroupCommand",
    "streams-application-reset": "StreamsResetter",
    "streams-groups": "streams.StreamsGroupCommand",
    "topics": "TopicCommand",
    "transactions": "TransactionsCommand",
    "verifiable-consumer": "VerifiableConsumer",
    "verifiable-producer": "VerifiableProducer",
    "verifiable-share-consumer": "VerifiableShareConsumer",
}
"""The class of each script of Kafka's bin folder that asks a server, below its tools' package."""
GOES_ON: Final = -1
"""The status of a tool that was stopped."""
_NUMBER: Final = re.compile(r"\b\d+(\.\d+)?(?!\w)")
IN_TURN: Final = ("console-consumer",)
"""Tools that count what they do in a variable of their class, so that two would count together."""
VARIES: Final = (
    (r"(?m)console-consumer-\d+ *", "CONSUMER "),
    (r"(?<![\w-])(?=[\w-]*[A-Z0-9_-])[A-Za-z0-9_-]{22}(?![\w-])", "UUID"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"(?<!\.)\b1[0-9]{12}\b", "TIME"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,:]\d+)?Z?", "TIME"),
    (r"/tmp/[^\s\"]*kafka-\w+/data", "/memory"),
    (r"(?m)^SLF4J: .*\n", ""),
    (r"(?m)^\s+(at .*|\.\.\. \d+ more)\n", ""),
    (r"(?m)[ \t]+$", ""),
    (r"\b\d+ ms ago", "# ms ago"),
    (r"(tries=|after )\d+", r"\1#"),
    (r"Epoch: \d+", "Epoch: #"),
    (r"perf-consumer-\d+", "perf-consumer-#"),
    # Where the time is up hangs on how fast the machine is.
    (
        r"(?:Call\(callName=|Timed out waiting for a node assignment\. Call: )"
        r"(\w+\(api=\w+\))(?:, deadlineMs=TIME[^)]*\) timed out at TIME after # attempt\(s\))?\.?",
        r"timed out: \1",
    ),
)
"""What is another each time, or in another place, and what is shown for it."""
MEASURED: Final = {
    "producer-perf-test": (
        (r"(?<=records sent, )[^\n]*", lambda found: _NUMBER.sub("#", found[0])),
    ),
    "consumer-perf-test": (
        (r"(?m)^(TIME, TIME, [\d.]+, )[\d.]+(, \d+, ).*", r"\1#\2#"),
        (r"(?m)^(TIME, \d+, [\d.]+, )[\d.]+(, \d+, ).*", r"\1#\2#"),
    ),
    "e2e-latency": (
        (r"(?m)^(\d+\t|Avg latency|Percentiles).*", lambda found: _NUMBER.sub("#", found[0])),
    ),
    # The width of a column is that of a console's group, whose number is drawn.
    "consumer-groups": ((r"(?m)^GROUP +(?=COORDINATOR)", "GROUP "),),
    # It hears by two answers at once what it is to have, and what the topic of that id is called.
    "verifiable-consumer": ((r"\{[^\n]*\"partitions_assigned\",\"partitions\":\[\]\}\n", ""),),
    "verifiable-producer": ((r"(?<=avg_throughput\":)[\d.]+", "#"),),
    "transactions": (
        (
            r"(?m)^(\w+ +\t1 +\t|1 +\tperf +\t|)\d+ +(?=\t(\d+ +\t\d+ +\t|\d+ +\t[A-Z]|[A-Z]))",
            r"\1ID",
        ),
        (r"(?<=TIME)( +\t)\d+ *", r"\1#"),
    ),
    # In the order of a map that is another in each server.
    "configs": ((r"(SCRAM-SHA-512=\S+), (SCRAM-SHA-256=\S+)", r"\2, \1"),),
    "replica-verification": ((r"(?m)^(.*\n)\1+", r"\1"),),
}
"""The figures of those that take a time, or report again and again, by tool; and their ends."""
_LINE: Final = re.compile(
    r"(?P<unordered>~ )?(?:(?P<seconds>[\d.]+)s )?(?P<words>.*?)( < (?P<input>.*))?"
)
_SECONDS: Final = 40.0


class Line(NamedTuple):
    """Of `kafka_tools.txt`, whose head says what each part is."""

    text: str
    tool: str
    words: str
    given: str = ""
    unordered: bool = False
    seconds: float = _SECONDS

    @property
    def only_reads(self) -> bool:
        return re.search(r"^get-offsets|\b(list|describe)\b", self.text) is not None


class Asked(NamedTuple):
    """Lines by the name of their section, and the files that they name."""

    lines: Mapping[str, Sequence[Line]]
    files: Mapping[str, str]


def read_line(text: str) -> Line:
    found = _LINE.fullmatch(text)
    assert found is not None
    tool, _, words = found["words"].partition(" ")
    assert tool in TOOLS, text
    given = "".join(f"{one.strip()}\n" for one in (found["input"] or "").split(";") if one.strip())
    seconds = float(found["seconds"] or _SECONDS)
    return Line(text, tool, words, given, bool(found["unordered"]), seconds)


def read_asked() -> Asked:
    lines: dict[str, list[Line]] = {}
    files: dict[str, str] = {}
    for line in (HERE / "kafka_tools.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = lines[line.strip("[]")] = []
        elif line.startswith("@"):
            name, _, content = line[1:].partition(" =")
            files[name] = content.strip().replace("\\n", "\n")
        elif line and not line.startswith("#"):
            section.append(read_line(line))
    return Asked(lines, files)


class Answer(NamedTuple):
    """Status, or -1 of a tool that goes on, and what was printed, but for what varies."""

    status: int
    text: str


class Tools:
    """Asks several servers the same at once; `files` are there for all lines."""

    def __init__(self, process: "subprocess.Popen[str]", files: Mapping[str, Path]) -> None:
        self._process = process
        self._files = files

    def ask(self, line: Line, servers: Sequence[str]) -> list[Answer]:
        """The answer of each server."""
        if line.tool in IN_TURN and len(servers) > 1:
            return [self.ask(line, [server])[0] for server in servers]
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        name = f"org.apache.kafka.tools.{TOOLS[line.tool]}"
        for number, server in enumerate(servers):
            sent = [str(number), str(line.seconds), name, line.given, *self._words(line, server)]
            print(*(b64encode(word.encode()).decode() for word in sent), file=stdin, flush=True)
        found: dict[int, Answer] = {}
        for _ in servers:
            number, status, output = stdout.readline().strip("\n").split(" ")
            text = b64decode(output).decode()
            assert int(status) >= GOES_ON, text
            server = servers[int(number)]
            text = text.replace(server, "SERVER").replace(server.rpartition(":")[2], "PORT")
            found[int(number)] = Answer(int(status), self._comparable(text, line))
        return [found[number] for number in range(len(servers))]

    def _words(self, line: Line, server: str) -> list[str]:
        words = line.words if "%" in line.words else f"{line.words} %"
        words = words.replace("%=", server).replace("%-", "")
        words = words.replace("%", f"--bootstrap-server {server}")
        for name, path in self._files.items():
            words = re.sub(rf"@{name}(?![\w-])", str(path), words)
        return shlex.split(words)

    def _comparable(self, text: str, line: Line) -> str:
        for name, path in self._files.items():
            text = text.replace(str(path), f"@{name}")
        for pattern, shown in VARIES + MEASURED.get(line.tool, ()):
            text = re.sub(pattern, shown, text)
        text = text.strip()
        if line.unordered:
            text = "\n".join(
                sorted(", ".join(sorted(one.split(", "))) for one in text.splitlines())
            )
        return text


@contextmanager
def tools(library: str, folder: Path, files: Mapping[str, str]) -> Iterator[Tools]:
    """`library` is the path of Kafka's jars, as Java takes it; `folder` is empty."""
    sources = [HERE / "java" / "Commands.java", RAN]
    subprocess.run(["javac", "-nowarn", "-cp", library, "-d", folder, *sources], check=True)
    found = {name: folder / name for name in files}
    for name, content in files.items():
        found[name].write_text(content)
    java = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC"]
    java += ["--add-opens", "java.base/java.lang=ALL-UNNAMED"]
    with subprocess.Popen(
        [*java, "-cp", f"{folder}:{library}", "Commands"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Tools(process, found)
        finally:
            process.kill()
