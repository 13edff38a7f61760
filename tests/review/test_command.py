import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stages.core.terminal import command
from stages.review import __main__ as review_command
from tests.review.study import HEADER, NOON, rows


def arguments_for(paths, *options):
    named = zip(("raw", "cleaned", "suggestions", "review"),
        (paths.raw, paths.cleaned, paths.suggestions, paths.reviews), strict=True)  # fmt: skip
    return ["--no-browser", *(f"--{name}={path}" for name, path in named), *options]


class Server:
    """The command in a process of its own."""

    def __init__(self, paths, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stages.review", *arguments_for(paths, *options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        first = self.process.stdout.readline()
        assert first, self.process.communicate()
        port, self.path = re.search(r"http://127\.0\.0\.1:(\d+)(/[\w-]{32}/)", first).groups()
        self.port = int(port)

    def stop(self, signal_=signal.SIGINT):
        self.process.send_signal(signal_)
        output = self.process.communicate(timeout=20)
        return self.process.returncode, *output


@pytest.fixture
def serve(paths):
    """Start the command on the study; every process is ended after the test."""
    servers = []

    def serve(*options):
        servers.append(Server(paths, *options))
        return servers[-1]

    yield serve
    for server in servers:
        with server.process:
            server.process.kill()


def send(server, path=None, **body):
    """POST a decision as the page does, or to another path, and return the status."""
    data, where = json.dumps(body), f"{server.path if path is None else path}api/decisions"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            f"POST {where} HTTP/1.0\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: http://127.0.0.1:{server.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n{data}".encode()
        )
        return b"".join(iter(lambda: connection.recv(65536), b"")).split(b"\r\n")[0].split()[1]


def test_the_command_serves_this_machine_at_the_given_port_until_ctrl_c_and_loses_nothing(serve, paths):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = serve(f"--port={port}")
    assert server.port == port
    # Another address of the same machine: a server that listens on all addresses would answer.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port))
    other_letter = "B" if server.path[-2] == "A" else "A"
    for path in ("/", f"{server.path[:-2]}{other_letter}/", "/../"):
        assert send(server, path, image_id="cat2", decision="keep", **{"class": "cat"}) == b"404"
    assert send(server, image_id="cat1", decision="keep", **{"class": "cat"}) == b"200"
    assert server.stop() == (0, "1 decisions stand; `dvc repro` applies them.\n", "")
    assert rows(paths) == ["cat1,keep,cat,"]


def test_a_kill_loses_no_decision_that_was_answered(serve, paths):
    server = serve()
    for image_id in ("cat1", "cat2", "cat3"):
        assert send(server, image_id=image_id, decision="reject", **{"class": "cat"}) == b"200"
    assert server.stop(signal.SIGKILL)[0] == -signal.SIGKILL
    assert rows(paths) == ["cat1,reject,cat,", "cat2,reject,cat,", "cat3,reject,cat,"]


@pytest.fixture
def fail(paths, monkeypatch):
    """Run the command in this process, and return the line or status that it ends with."""

    def fail(*options):
        monkeypatch.setattr(sys, "argv", ["review", *arguments_for(paths, *options)])
        with pytest.raises(SystemExit) as caught:
            command(review_command.main)
        return caught.value.code

    return fail


def test_a_port_in_use_is_one_line(fail):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "Address already in use" in fail(f"--port={taken.getsockname()[1]}")


def test_a_text_that_is_not_a_port_is_refused(fail, capsys):
    assert fail("--port=65536") == 2
    assert "argument --port: expected 0 to 65535, got '65536'" in capsys.readouterr().err


def test_without_images_the_command_is_one_line(fail, paths):
    (paths.raw / "images.csv").unlink()
    assert fail() == f"{paths.raw / 'images.csv'}: expected a table, got no such file."


def test_a_wrong_table_of_decisions_is_one_line(fail, paths):
    paths.reviews.write_text(HEADER + f"cat1,keep,dog,,{NOON}\n")
    assert fail() == f"{paths.reviews} line 2: expected a class of cat to keep, got 'dog'."
