"""A web server on loopback addresses that fails like the web, and keeps a list of its visits."""

import gzip
import select
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field

BOMB = gzip.compress(bytes(5_000_000))
PAGE = b"<!DOCTYPE html><html><body>Please wait</body></html>"
# Faults that another try may mend, and faults that no try mends with the expected reason.
PASSING = ("429", "503", "500", "reset", "silence", "truncated", "too short", "too long", "slow", "page", "bad gzip")
LASTING = {
    "404": "gone", "410": "gone", "403": "forbidden", "418": "unexpected status", "loop": "too many redirects",
    "bomb": "too many bytes", "large": "too many bytes", "noai": "not for learning", "to file": "no web address",
}  # fmt: skip


@dataclass
class Visit:
    """One request: its host, its path, its start and end, and the kind of answer that it got."""

    host: str
    path: str
    start: float
    answer: str
    end: float = 0.0
    headers: dict = field(default_factory=dict)


class FaultServer:
    """A server with the same pages, bytes at paths, on each host.

    `plan[host, page]` has the faults of its first visits. If the last fault of a plan is one of LASTING, it stays.
    """

    def __init__(self, hosts=("127.0.0.1",), latency_s=0.0):
        self.pages, self.headers, self.latency_s = {}, {}, latency_s
        self.plan = defaultdict(deque)
        self.visits, self.lock, self.dripping = [], threading.Lock(), {}
        self.port, self.listeners = 0, []
        for host in hosts:
            listener = socket.create_server((host, self.port), backlog=128)
            self.port = listener.getsockname()[1]
            self.listeners.append(listener)
            threading.Thread(target=self.accept, args=(listener, host), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)  # or its thread goes on waiting, perhaps at the next server's number
            listener.close()

    def url(self, path, host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def page_of(self, path):
        """Return the page of a path: the page with this query if there is one, or else the page for any query."""
        return path if path in self.pages else path.partition("?")[0]

    def accept(self, listener, host):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection, host), daemon=True).start()

    def serve(self, connection, host):
        with connection, connection.makefile("rb") as stream:
            try:
                while self.answer(connection, stream, host):
                    pass
            except OSError:
                pass

    def answer(self, connection, stream, host):
        """Answer the next request; return whether the connection stays open after it."""
        line = stream.readline().split()
        if len(line) != 3:
            return False
        lines = iter(lambda: stream.readline().decode("latin-1").strip(), "")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
        visit = self.note(host, line[1].decode(), headers)
        try:
            return self.fail(visit, connection)
        finally:
            visit.end = visit.end or time.monotonic()

    def note(self, host, path, headers):
        with self.lock:
            # A client that hung up before this request is no longer served, although its thread still sleeps.
            for connection, dripped in list(self.dripping.items()):
                if select.select([connection], [], [], 0)[0]:
                    dripped.end = dripped.end or time.monotonic()
                    del self.dripping[connection]
            plan = self.plan[host, self.page_of(path)]
            fault = plan[0] if len(plan) == 1 and plan[0] in LASTING else plan.popleft() if plan else ""
            visit = Visit(host, path, time.monotonic(), fault or "whole", headers=headers)
            self.visits.append(visit)
            return visit

    def fail(self, visit, connection):
        time.sleep(self.latency_s)
        page = self.page_of(visit.path)
        content = self.pages.get(page, b"")
        fault = visit.answer if page in self.pages else "404"
        length = len(content)
        more = self.headers.get(page, "")
        if fault == "whole":
            return self.send(visit, connection, 200, content, length, more)
        if fault == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif fault == "truncated":
            self.send(visit, connection, 200, content[: length // 2], length)
        elif fault == "too long":
            self.send(visit, connection, 200, content, length + 10)
        elif fault == "too short":
            self.send(visit, connection, 200, content, length * 2 // 3)
        elif fault == "slow":
            self.drip(visit, connection, content)
        elif fault == "loop":
            return self.send(visit, connection, 302, b"", 0, f"Location: {visit.path}\r\n")
        elif fault == "to file":
            return self.send(visit, connection, 302, b"", 0, "Location: file:///etc/passwd\r\n")
        elif fault == "page":
            return self.send(visit, connection, 200, PAGE, len(PAGE), "Content-Type: image/jpeg\r\n")
        elif fault == "bomb":
            return self.send(visit, connection, 200, BOMB, len(BOMB), "Content-Encoding: gzip\r\n")
        elif fault == "bad gzip":
            return self.send(visit, connection, 200, content, length, "Content-Encoding: gzip\r\n")
        elif fault == "large":
            self.send(visit, connection, 200, bytes(2_000_000), 2_000_000)
        elif fault == "noai":
            return self.send(visit, connection, 200, content, length, "X-Robots-Tag: noindex, noai\r\n")
        elif fault != "silence":
            more += "Retry-After: 1\r\n" if fault == "429" else ""
            return self.send(visit, connection, int(fault), b"", 0, more)
        return False

    def send(self, visit, connection, status, content, length, more=""):
        size = "" if "Transfer-Encoding" in more else f"Content-Length: {length}\r\n"
        head = f"HTTP/1.1 {status} Whatever\r\n{size}{more}\r\n"
        visit.end = time.monotonic()  # before the client can know
        connection.sendall(head.encode("latin-1") + content)
        return True

    def drip(self, visit, connection, content):
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode())
        with self.lock:
            self.dripping[connection] = visit
        try:
            for byte in content:
                connection.sendall(bytes([byte]))
                if select.select([connection], [], [], 0.1)[0]:
                    return
        finally:
            with self.lock:
                self.dripping.pop(connection, None)
                visit.end = visit.end or time.monotonic()

    def count(self, answer="whole"):
        """Count for each (host, path) how often it got this kind of answer."""
        counts = defaultdict(int)
        for visit in list(self.visits):
            counts[visit.host, visit.path] += visit.answer == answer
        return counts

    def most_at_once(self, host):
        """Return the largest number of requests to the host that were under way at one time."""
        visits = [visit for visit in self.visits if visit.host == host]
        changes = sorted([(visit.start, 1) for visit in visits] + [(visit.end, -1) for visit in visits])
        most = now = 0
        for _, change in changes:
            now += change
            most = max(most, now)
        return most

    def most_within(self, host, seconds):
        """Return the largest number of requests that reached the host within the seconds."""
        starts = sorted(visit.start for visit in self.visits if visit.host == host)
        first = most = 0
        for last, start in enumerate(starts):
            while starts[first] <= start - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most
