"""A process that has imported what the steps and DVC import, and forks for each `python` and `dvc` that a test runs.

TensorFlow takes ten seconds to import, and DVC one. The test run starts this server, and its workers are forks; tests
that start commands put this folder first on PATH, where a `python` and a `dvc` lie that ask here. A fork imports the
project from its own folder; nothing of it is imported before. What a start from nothing does, `make repro` shows.
"""

import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
import types
from contextlib import suppress
from importlib import import_module

import colorama

IMPORTED = (
    "cleanlab", "cv2", "dvc.cli.parser", "dvc.repo.experiments.executor.local", "dvc.repo.experiments.show",
    "dvc.repo.reproduce", "dvc.repo.status", "dvclive", "flask", "keras", "keras_cv", "matplotlib.pyplot", "optuna",
    "pandas", "playwright.sync_api", "praw", "pydantic", "pytest", "ruamel.yaml", "seaborn", "sklearn.linear_model",
)  # fmt: skip
CHECK_S = 0.02  # between two looks for processes that have ended


def receive(connection):
    """Return a request and the three streams that come with it."""
    head, streams, _, _ = socket.recv_fds(connection, 4, 3)
    left, content = int.from_bytes(head, "big"), b""
    while left > len(content):
        content += connection.recv(left - len(content))
    return json.loads(content), streams


def become(request, streams):
    """Make this process the one that is asked for, and return Python's option and what it runs."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    gc.enable()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path[:1] = [request["folder"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    option, what, *rest = request["arguments"]
    sys.argv = [option, *rest]
    sys.executable = request["python"]
    if what == "dvc":
        colorama.init()  # as DVC does with the streams it finds when it is imported
    return option, what


def run(option, what):
    """Do as `python -m <module>` or `python -c <code>`, and end without freeing memory, which would copy it first."""
    status = 0
    try:
        if option == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.modules["__main__"] = types.ModuleType("__main__")  # without a file that a spawned process would run
            exec(what, vars(sys.modules["__main__"]))
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = 1 if isinstance(end.code, str) else end.code or 0
    except BaseException as error:
        traceback.print_exc()
        status = 128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)


def serve(path):
    """Fork for each request until the standard input is closed, and in each fork return what it is to run."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    selector = selectors.DefaultSelector()
    for each in (listener, sys.stdin):
        selector.register(each, selectors.EVENT_READ)
    connections = {}  # the one who waits for each process
    print("ready", flush=True)
    while True:
        for key, _ in selector.select(CHECK_S):
            if key.fileobj is sys.stdin:
                os._exit(0)
            if key.fileobj is not listener:  # The one who waits for this process was killed.
                selector.unregister(key.fileobj)
                os.kill(key.data, signal.SIGKILL)
                continue
            connection, _ = listener.accept()
            request, streams = receive(connection)
            process = os.fork()
            if not process:
                for each in (listener, selector, connection, *connections.values()):
                    each.close()
                return become(request, streams)
            for stream in streams:
                os.close(stream)
            connection.sendall(process.to_bytes(4, "big"))
            connections[process] = connection
            selector.register(connection, selectors.EVENT_READ, process)
        while connections and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with connections.pop(ended[0]) as connection, suppress(KeyError, OSError):
                connection.sendall(os.waitstatus_to_exitcode(ended[1]).to_bytes(4, "big", signed=True))
                selector.unregister(connection)


def import_all():
    """Import what the steps and DVC need. It is never garbage, and need not be looked through again and again."""
    # As in stages/__init__.
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1", "PILLOW_BLOCK_SIZE": "64m"}
    gc.disable()
    for name in IMPORTED:
        import_module(name)
    gc.freeze()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import_all()
    run(*serve(sys.argv[1]))
