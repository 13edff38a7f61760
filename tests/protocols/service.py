"""A web service on loopback with real HTTP, whose answers are computed and may be replaced by faults."""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # their names in lower case
    form: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(value, status=200, **headers):
    return Answer(json.dumps(value).encode(), status, {"Content-Type": "application/json", **headers})


BUSY = Answer(b'{"message": "Too Many Requests"}', 429, {"Retry-After": "1"})
BROKEN = Answer(b"<html>Bad gateway</html>", 502)
CUT_JSON = Answer(b'[{"id": 1, "ta', 200, {"Content-Type": "application/json"})
NOTHING = Answer(b"", 200)


class Service:
    """The requests in order, and `faults`: {number of a request: answer in place of the true one}."""

    def __init__(self, answer: Callable[[Request], Answer]):
        self.answer = answer
        self.requests = []
        self.faults = {}
        self.lock = threading.Lock()

    def handle(self, request):
        with self.lock:
            number = len(self.requests)
            self.requests.append(request)
        fault = self.faults.get(number)
        return self.answer(request) if fault is None else fault


def handler_of(service):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.serve("")

        def do_POST(self):
            self.serve(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def serve(self, body):
            parts = urlsplit(self.path)
            query, form = (dict(parse_qsl(text, keep_blank_values=True)) for text in (parts.query, body))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = service.handle(Request(self.command, parts.path, query, headers, form))
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            # Otherwise a client can send its next request into a connection that is about to close.
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *arguments):
            pass

    return Handler


@contextmanager
def serving(answer):
    """Run the service; yield it, with its address as `service.address`."""
    service = Service(answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(service))
    server.daemon_threads = True
    service.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
