"""One console command in an instance that runs elsewhere, over its admin port."""

import base64
import http.client
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, quote, urlsplit

from mockforge_brokers.errors import InvalidInput

from .colours import page
from .console.language import Line, read_line
from .console.rowfile import LateFile, says_json
from .exit_codes import ExitCode
from .text import clean

PREFIX = "/__mockforge"
_TIMEOUT = 30.0
_AGAIN = 0.05


class Out(Protocol):
    """Where an answer is written."""

    def write(self, data: bytes, /) -> object: ...

    def flush(self) -> object: ...


class NoInstance(Exception):
    """Nothing of ours answers there."""


def run(line: str, url: str, token: str | None, *, as_json: bool = False) -> int:
    """Print what `line` gave there: data on standard output, problems on standard error.

    A file behind > is written here, not there.
    """
    asked = read_line(line)
    path = asked.into.value if asked.into is not None else None
    text = _without_file(asked) if path is not None else line
    try:
        connection, response = _post(text, url, token)
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"error: no instance answers at {url}: {error}", file=sys.stderr)
        return ExitCode.USAGE
    lines = _to_the_result(response)
    try:
        if path is None:
            return show(lines, sys.stdout.buffer, as_json=as_json)
        return _into_file(lines, path, as_json=as_json)
    except NoInstance as error:
        print(f"error: no instance answers at {url}: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    finally:
        connection.close()


def _to_the_result(response: Iterable[bytes]) -> Iterator[bytes]:
    """The lines as they come. Raises NoInstance where they end and none was a result."""
    line = b""
    try:
        for line in response:
            if _is_cut(line):
                raise NoInstance("it ended meanwhile")
            yield line
    except (OSError, http.client.HTTPException) as error:
        raise NoInstance(f"it ended meanwhile: {error}") from None
    # What streams has its result last; a connection that is cut looks like an end.
    if not _is_result(json.loads(line or b"{}")):
        raise NoInstance("it ended meanwhile")


def _is_cut(line: bytes) -> bool:
    """Whether it is the beginning of a line of ours: http.client gives it as if it were all."""
    if line.endswith(b"\n") or not line.startswith(b"{"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def _is_result(answer: Mapping[str, Any]) -> bool:
    # The row of a frame that was refused has an error, too.
    return "_command" in answer or ("error" in answer and "_text" not in answer)


def replay(file: str, speed: str, url: str, token: str | None) -> int:
    """Publish a recording's messages there; says how many when all are."""
    lines = Path(file).read_text(encoding="utf-8", errors="surrogateescape")
    path = f"/recordings/{quote(Path(file).name, safe='')}-{os.getpid()}"
    try:
        pace: float | str = speed if speed == "max" else float(speed)
    except ValueError:
        print(f"error: --speed: a number above 0, or max, is wanted, not {speed}", file=sys.stderr)
        return ExitCode.USAGE
    try:
        status, answer = _ask("PUT", path, {"lines": lines}, url, token)
        if status == 200:
            try:
                status, answer = _ask("POST", f"{path}/replay", {"speed": pace}, url, token)
            finally:
                # It was only brought along, whatever comes of it.
                _ask("DELETE", path, None, url, token)
        if status != 200:
            print(f"error: {answer['error']}", file=sys.stderr)
            return ExitCode.USAGE
        print(f"{answer['published']} of {answer['messages']} messages replayed")
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        print(f"error: no instance answers at {url}: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def _ask(
    method: str, path: str, body: dict[str, Any] | None, url: str, token: str | None
) -> tuple[int, Any]:
    """Status and JSON of an endpoint, however long it takes. Raises OSError, ValueError."""
    connection, base, headers = place_of(url, token)
    try:
        connection.connect()
        connection.sock.settimeout(None)
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, base + path, data, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def look_whether_ready(url: str, token: str | None) -> ExitCode:
    """Ask once, as patiently as for anything else; says so where it is not."""
    return wait_until_ready(url, token, 0, patience=_TIMEOUT)


def wait_until_ready(
    url: str, token: str | None, seconds: float, patience: float = _AGAIN
) -> ExitCode:
    """Ask again and again until an instance is ready there; says so where it is not in time.

    `patience` is how long it may take to answer, however little is left of `seconds`.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            connection, base, headers = place_of(url, token)
            # One that takes a connection and says nothing is not ready in its time either.
            connection.timeout = max(patience, min(_TIMEOUT, until - time.monotonic()))
            try:
                connection.request("GET", f"{base}/ready", headers=headers)
                status = connection.getresponse().status
            finally:
                connection.close()
            if status == 200:
                return ExitCode.OK
            why = f"status {status}"
        except (OSError, http.client.HTTPException) as error:
            why = str(error)
        except ValueError as error:
            print(f"error: {url}: {error}", file=sys.stderr)
            return ExitCode.USAGE
        if time.monotonic() >= until:
            print(f"error: no instance is ready at {url}: {why}", file=sys.stderr)
            return ExitCode.TIMED_OUT
        time.sleep(_AGAIN)


def show(lines: Iterable[bytes], out: Out, *, as_json: bool, rows_only: bool = False) -> int:
    """Write an answer as it comes: rows, exported content, and the result, which is its end.

    `rows_only`: what failed and the result of what streamed are narration, as for a file.
    """
    status, streamed = ExitCode.USAGE, False
    for line in lines:
        try:
            answer = json.loads(line)
        except ValueError:
            raise NoInstance("it is no mockforge-tui admin port") from None
        if not isinstance(answer, dict):
            raise NoInstance("it is no mockforge-tui admin port")
        if _is_result(answer):
            narrated = rows_only and (streamed or not answer.get("ok"))
            with_rows = as_json and not narrated
            status = _result(answer, out, as_json=with_rows, streamed=streamed)
            continue
        streamed = True
        _row(line, answer, out, as_json=as_json)
        out.flush()
    return status


def _result(answer: dict[str, Any], out: Out, *, as_json: bool, streamed: bool) -> ExitCode:
    if not answer.get("ok"):
        failure = answer.get("failure")
        _narrate(failure["text"] if failure else f"error: {answer.get('error', answer)}")
        if as_json:
            out.write(json.dumps(answer).encode() + b"\n")
    elif as_json:
        out.write(json.dumps(answer).encode() + b"\n")
    elif answer.get("text"):
        if streamed:
            _narrate(answer["text"])
        else:
            out.write(_printed(answer["text"]) + b"\n")
    out.flush()
    if answer.get("failure"):
        return ExitCode.EXPECTATION_FAILED
    return ExitCode.OK if answer.get("ok") else ExitCode.USAGE


def _row(line: bytes, answer: dict[str, Any], out: Out, *, as_json: bool) -> None:
    match answer:
        case {"_note": text} | {"_problem": text}:
            _narrate(text)
        case {"_content": text}:
            out.write(text.encode())
        case {"_content_b64": text}:
            out.write(base64.b64decode(text))
        case {"_text": text, "_formed": True}:
            out.write(_printed(text) + b"\n")
        case _ if as_json:
            record = {name: value for name, value in answer.items() if name != "_text"}
            out.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        case {"_text": text}:
            out.write(_printed(text) + b"\n")
        case _:
            out.write(line)


def _printed(text: str) -> bytes:
    """The text in the encoding of standard output, which may not have all of it."""
    return _cleaned(text).encode(sys.stdout.encoding or "utf-8", "backslashreplace")


def _narrate(text: str) -> None:
    print(page(_cleaned(text), sys.stderr), file=sys.stderr)


def _cleaned(text: str) -> str:
    """Lines that no terminal obeys: it was clients who gave names."""
    return "\n".join(map(clean, text.split("\n")))


def _into_file(lines: Iterable[bytes], path: str, *, as_json: bool) -> int:
    file = LateFile(path)
    try:
        status = show(lines, file, as_json=as_json or says_json(path), rows_only=True)
        if status == ExitCode.OK:
            file.write(b"")
        file.close()
    except InvalidInput as error:
        _narrate(f"error: {error}")
        return ExitCode.USAGE
    finally:
        with suppress(InvalidInput):
            file.close()
    if status == ExitCode.OK:
        print(f"wrote {path}", file=sys.stderr)
    return status


def _without_file(line: Line) -> str:
    assert line.redirect is not None
    return line.text[: line.redirect.start].rstrip()


def _post(
    line: str, url: str, token: str | None
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """POST one command; `url` may leave the prefix out. Raises OSError, ValueError."""
    connection, base, headers = place_of(url, token)
    try:
        wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        body = json.dumps({"line": line, "width": wide}).encode()
        connection.request("POST", f"{base}/commands", body, headers)
        response = connection.getresponse()
        if connection.sock is not None and response.headers.get_content_subtype() == "jsonl":
            # Rows come when they come.
            connection.sock.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return connection, response


def place_of(
    url: str, token: str | None
) -> tuple[http.client.HTTPConnection, str, dict[str, str | bytes]]:
    """How to ask there: the connection, the prefix of paths, headers. Raises ValueError."""
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise ValueError("the address begins with http://")
    base = place.path.rstrip("/")
    if not base.endswith(PREFIX):
        base += PREFIX
    headers: dict[str, str | bytes] = {"content-type": "application/json"}
    if token:
        # Bytes are sent as they are; of a text http.client would make Latin-1.
        headers["authorization"] = f"Bearer {token}".encode("utf-8", "surrogateescape")
    return _connection(place), base, headers


def _connection(place: SplitResult) -> http.client.HTTPConnection:
    assert place.hostname is not None
    if place.scheme == "https":
        return http.client.HTTPSConnection(place.hostname, place.port, timeout=_TIMEOUT)
    return http.client.HTTPConnection(place.hostname, place.port, timeout=_TIMEOUT)
