"""Brokers in another process, asked over their admin port."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Timer
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote
from uuid import uuid4

from mockforge_brokers.errors import InvalidInput, LocalError

from .answer import WITHIN, Answer, unended
from .base import Forge
from .settings import words_of
from .spelling import MEDIA_TYPE, answer_of, asked_of, message_of, published, since_of
from .verbs import Ended, ExpectationFailed, Hits, refuse_on_a_loop, seconds

if TYPE_CHECKING:
    from types import TracebackType

    from ..expectations.message import Message
    from ..fixtures.expected.model import Came, Expectation
    from ..fixtures.messages import Outgoing

_START: Final = 60.0
"""Seconds until a process is ready: Python, all that is loaded, and large fixtures."""
_GRACE: Final = 10.0
_MORE: Final = 30.0
"""Seconds for an answer beside what is waited for."""


class RemoteForge(Forge):
    """A running instance by its admin address. Raises LocalError where none answers."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url
        self._token = token
        self._began = 0.0
        self._strict = True
        """Fixtures that want other brokers than run are refused, as in this process."""
        self._workers = ThreadPoolExecutor(thread_name_prefix="mockforge")
        self.facts: dict[str, Any] = self._get("/info")
        self.reset()

    def close(self) -> None:
        self._workers.shutdown(cancel_futures=True)

    def run(self, line: str, *, within: str | float = WITHIN) -> Answer:
        __tracebackhide__ = True
        patience = seconds(within)
        late = unended(line, patience)
        connection, response = self._open("POST", "/commands", {"line": line}, patience, late)
        try:
            if response.getheader("content-type") == MEDIA_TYPE:
                refuse_on_a_loop(f"mockforge.aio.run({line!r})")
            return answer_of(response, monotonic() + patience)
        except TimeoutError:
            raise late from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unanswered(error) from None
        finally:
            connection.close()

    # What Forge wants.

    def scenario(self, name: str) -> None:
        __tracebackhide__ = True
        refuse_on_a_loop(f"mockforge.aio.scenario({name!r})")
        status, answer = self._request("POST", f"/scenarios/{quote(name, safe='')}/run")
        if status == 406:
            raise ExpectationFailed(f"{answer['name']} {answer['status']}\n{answer['text']}")
        if status != 200:
            raise InvalidInput(answer["error"])

    def mark(self) -> int:
        from ..expectations.record import Mark

        return Mark.parse(self._get("/messages?limit=1")["mark"])

    def snapshot(self, name: str) -> None:
        self._ask("POST", "/snapshots", {"name": name})

    def reset(self, *, to: str | None = None) -> None:
        # A snapshot has the seed of its fixtures, which may be another one.
        answer = self._ask("POST", "/reset", None if to is None else {"to": to})
        self.facts["seed"] = answer["seed"]
        self._began = self.now()

    def renew(self, paths: Sequence[Path], seed: int | None = None) -> None:
        texts = dict(_texts(paths))
        asked: dict[str, Any] = {"files": texts, "strict": self._strict}
        if seed is not None:
            asked["seed"] = seed
        self.facts["seed"] = self._ask("PUT", "/fixtures", asked)["seed"]
        self._began = self.now()

    def begin_recording(self, name: str, where: str) -> None:
        self._ask("POST", "/recordings", {"name": name, "filter": where})

    def end_recording(self, name: str) -> bytes:
        self._ask("POST", f"/recordings/{name}/stop")
        connection, response = self._open("GET", f"/recordings/{name}", None, _MORE)
        try:
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unanswered(error) from None
        finally:
            connection.close()
        problem = self._ask("DELETE", f"/recordings/{name}")["problem"]
        if problem:
            raise InvalidInput(problem)
        return content

    def replay_lines(self, text: str, name: str, speed: float | Literal["max"]) -> int:
        from ..fixtures.recordings import parse_recording

        last = parse_recording(text, name)[-1].after
        path = f"/recordings/replay-{uuid4().hex}"
        self._ask("PUT", path, {"lines": text})
        try:
            patience = _MORE + (0 if speed == "max" else last / speed)
            status, answer = self._request("POST", f"{path}/replay", {"speed": speed}, patience)
        finally:
            self._ask("DELETE", path)
        if status != 200:
            raise InvalidInput(answer["error"])
        return int(answer["published"])

    def journal(self, count: int = 50) -> list[str]:
        lines: list[str] = self._get(f"/journal?limit={count}&since={self._began:.6f}")["lines"]
        return lines

    # What handles want.

    def begin(self, expectation: Expectation, since: int | None) -> Future[Ended]:
        asked = {**asked_of(expectation), **since_of(since)}
        return self._workers.submit(self._wait, asked, expectation.within)

    def _wait(self, asked: Mapping[str, Any], within: float) -> Ended:
        status, answer = self._request("POST", "/messages/wait", asked, within + _MORE)
        if status not in (200, 406):
            raise InvalidInput(answer["error"])
        found = tuple(map(message_of, answer["messages"]))
        text = "" if status == 200 else answer["failure"]["text"]
        return Ended(found, text, answer.get("frames", ()))

    def find(self, came: Came, since: int | None) -> list[Message]:
        asked = asked_of(came)
        for name in ("within", "count", "least", "settle"):
            asked.pop(name, None)
        body = {**asked, **since_of(since), "limit": 10_000}
        items = self._ask("POST", "/messages/find", body)["items"]
        return [message_of(each) for each in items]

    def publish(self, message: Outgoing) -> None:
        self._ask("POST", "/messages", published(message))

    def add_fault(self, fault: Mapping[str, Any]) -> int:
        return int(self._ask("POST", "/faults", fault)["id"])

    def hits(self, fault: int) -> Hits:
        answer = self._get(f"/faults/{fault}")
        return Hits(answer["hits"], answer["seen"])

    def remove_fault(self, fault: int) -> None:
        self._ask("DELETE", f"/faults/{fault}")

    def advance(self, seconds: float) -> None:
        self._ask("POST", "/clock/advance", {"by": seconds})

    def now(self) -> float:
        return float(self._get("/clock")["wall"])

    # HTTP.

    def _get(self, path: str) -> Any:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        status, answer = self._request(method, path, body)
        if status != 200:
            raise InvalidInput(answer.get("error", f"status {status}"))
        return answer

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        patience: float = _MORE,
    ) -> tuple[int, Any]:
        connection, response = self._open(method, path, body, patience)
        try:
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unanswered(error) from None
        finally:
            connection.close()

    def _open(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        patience: float,
        late: LocalError | None = None,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Raises LocalError: `late` where an instance is there and has not begun to answer."""
        from ..remote import place_of

        try:
            connection, base, headers = place_of(self._url, self._token)
        except ValueError as error:
            raise InvalidInput(f"{self._url}: {error}") from None
        connection.timeout = patience
        data = None if body is None else json.dumps(body).encode()
        asked = False
        try:
            connection.request(method, base + path, data, headers)
            asked = True
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if asked and late is not None and isinstance(error, TimeoutError):
                raise late from None
            raise self._unanswered(error) from None

    def _unanswered(self, error: Exception) -> LocalError:
        return LocalError(f"no instance answers at {self._url}: {error}")


class ProcessForge(RemoteForge):
    """Brokers in a process of their own, from the first line to `close`; a context manager.

    `settings` are those of the command line by name.
    """

    def __init__(self, *fixtures: Path, **settings: Any) -> None:
        # As in this process: no config file of the working folder, no MOCKFORGE_ variables.
        words = ["--headless", "--random-ports", "--config", "", *words_of(settings)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MOCKFORGE_")}
        # A file, since nobody reads while it runs: a pipe would be full at some warning, and the
        # brokers would wait for ever.
        self._log = tempfile.TemporaryFile(mode="w+", errors="replace")  # noqa: SIM115 (`_end` does)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mockforge_tui", *words, *map(str, fixtures)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        try:
            ready = self._ready()
            super().__init__(ready["admin"]["url"], settings.get("admin_token"))
        except BaseException:
            self._end()
            raise
        self._strict = settings.get("kafka_nodes") is None
        self.facts = ready

    def _ready(self) -> dict[str, Any]:
        """The ready line. Raises LocalError."""
        assert self._process.stdout is not None
        late = Event()

        def end() -> None:
            # Which ends the read, on any system. It is not asked: what hangs may not listen.
            late.set()
            self._process.kill()

        timer = Timer(_START, end)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
            timer.join()
        if late.is_set() or not line:
            self._process.wait()
            self._log.seek(0)
            text = self._log.read().strip() or "it said nothing"
            when = (
                f"was not ready within {_START:g} s"
                if late.is_set()
                else "ended before it was ready"
            )
            raise LocalError(f"mockforge-tui {when}: {text}")
        ready: dict[str, Any] = json.loads(line)
        if "admin" not in ready:
            raise InvalidInput("brokers of a process are asked over their admin port: admin=True")
        return ready

    def close(self) -> None:
        super().close()
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._log.close()

    def __enter__(self) -> ProcessForge:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _texts(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """The fixture files of files and folders, by name. Raises InvalidInput."""
    from ..fixtures.loader import files_of

    for path in paths:
        if not path.exists():
            raise InvalidInput(f"{path}:1:1: no such file or folder")
    for file in files_of(*paths):
        try:
            yield str(file), file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            text = f"not UTF-8 text: byte {error.start} cannot be read"
            raise InvalidInput(f"{file}:1:1: {text}") from None
        except OSError as error:
            raise InvalidInput(f"{file}:1:1: {error.strerror}") from None
