"""One console command in an instance that runs elsewhere, over its admin port."""

import json
import sys
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from .exit_codes import ExitCode

PREFIX = "/__mockforge"


def run(line: str, url: str, token: str | None, *, as_json: bool = False) -> int:
    """Print what `line` gave there: data on standard output, problems on standard error."""
    try:
        answer = post(line, url, token)
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        print(f"error: no instance answers at {url}: {reason}", file=sys.stderr)
        return ExitCode.USAGE
    if as_json:
        print(json.dumps(answer))
    elif answer.get("ok"):
        text = answer.get("text", "")
        if text:
            print(text)
    else:
        print(f"error: {answer.get('error', answer)}", file=sys.stderr)
    return ExitCode.OK if answer.get("ok") else ExitCode.USAGE


def post(line: str, url: str, token: str | None) -> dict[str, Any]:
    """POST one command; `url` may leave the prefix out. Raises URLError, ValueError."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("the address begins with http://")
    base = url.rstrip("/")
    if not base.endswith(PREFIX):
        base += PREFIX
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(
        f"{base}/commands", json.dumps({"line": line}).encode(), headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            answer = json.loads(error.read() or b"{}")
    if not isinstance(answer, dict):
        raise ValueError("it is no mockforge-tui admin port")
    return answer
