"""How a program asks for what happens to it: GET /PROTOCOL/kill or restart, answered when done."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from .subjects import Subject


class Control:
    """A small HTTP server on loopback for as long as a `with`."""

    def __init__(self, subject: Subject) -> None:
        verbs = {"kill": subject.end_connections, "restart": subject.restart}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                protocol, _, verb = self.path.strip("/").partition("/")
                try:
                    verbs[verb](protocol)
                    status, text = 200, b"done\n"
                except Exception as error:
                    status, text = 500, f"{error}\n".encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *arguments: object) -> None:
                """Nothing: the table is the output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Control":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
