"""`collect` from the web goes on after a kill or an interrupt, in bounded memory, and shows no secrets."""

import io
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

from stages.collect.__main__ import main as collect_main
from stages.manifest.__main__ import main as manifest_main
from stages.web.errors import FetchError
from tests.web.fault_server import LASTING, PASSING, FaultServer

ROOT = Path(__file__).parents[2]
HOSTS = [f"127.0.0.{number}" for number in range(2, 7)]
THREADS = 6
SENTINEL = "SENTINEL-5up3r-s3cr3t"


@pytest.fixture
def configure(tmp_path):
    """Write the project's params.yaml with changes of `collect` and of `collect.fetch` into tmp_path."""

    def write(fetch=None, **changes):
        yaml = YAML()
        document = yaml.load(ROOT / "params.yaml")
        quick = {"threads": THREADS, "per_host": 2, "per_second": 12, "timeout_s": 2, "deadline_s": 2, "max_wait_s": 1}
        document["collect"]["fetch"] |= {**quick, "allow_private": True, **(fetch or {})}
        document["collect"] |= changes
        yaml.dump(document, tmp_path / "params.yaml")

    return write


def command(folder, step, *arguments, **environment):
    """Start a command in the folder, with a cache of its own; return its process."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache"), **environment}
    words = [sys.executable, "-m", f"stages.{step}", *arguments]
    return subprocess.Popen(words, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, status=0, timeout_s=300):
    """Wait for the end of the process with the status; return its standard error."""
    _, output = process.communicate(timeout=timeout_s)
    assert process.returncode == status, output
    return output


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def draw_pages(server, number, draw, faults=0.3):
    """Draw images as pages of the server, some with a fault; return their addresses."""
    chance, urls = random.Random(3), []
    for count in range(number):
        host, path = HOSTS[count % len(HOSTS)], f"/{count}.png"
        stream = io.BytesIO()
        draw(count).save(stream, "PNG")
        server.pages[path] = stream.getvalue()
        if chance.random() < faults:
            server.plan[host, path].append(chance.choice([*PASSING, *LASTING]))
        urls.append(server.url(path, host))
    return urls


def write_manifest(folder, urls):
    classes = [f"class {count % 3}" for count in range(len(urls))]
    pd.DataFrame({"url": urls, "class": classes}).to_csv(folder / "manifest.csv", index=False)


@pytest.mark.slow
def test_killed_at_five_moments_it_ends_with_the_same_and_fetches_little_again(tmp_path, draw, configure):
    configure(source="manifest.csv", max_megabytes=1)
    with FaultServer(HOSTS, latency_s=0.05) as server:
        urls = draw_pages(server, 300, draw)
        plan = {key: list(value) for key, value in server.plan.items()}
        write_manifest(tmp_path, urls)
        finish(command(tmp_path, "collect", "reference", "reference.json"))
        once = len(server.visits)
        server.visits.clear()
        server.plan.clear()
        for key, value in plan.items():
            server.plan[key].extend(value)
        shutil.rmtree(tmp_path / "cache")
        chance = random.Random(5)
        for _ in range(5):
            process = command(tmp_path, "collect", "raw", "raw.json")
            before = len(server.visits)
            while len(server.visits) == before and process.poll() is None:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.05, 0.9))
            assert process.poll() is None, process.stderr.read()
            process.send_signal(signal.SIGKILL)
            finish(process, -signal.SIGKILL)
        killed = len(server.visits)
        assert 0.1 * once < killed < once  # the kills fell into the work
        finish(command(tmp_path, "collect", "raw", "raw.json"))
        assert contents(tmp_path / "raw") == contents(tmp_path / "reference")
        assert (tmp_path / "raw.json").read_bytes() == (tmp_path / "reference.json").read_bytes()
        print(f"{once} requests without a kill, {len(server.visits)} with five")
        # A final answer is asked for again only if a kill cut it off.
        final = [visit for visit in server.visits if visit.answer == "whole" or visit.answer in LASTING]
        asked = pd.Series([f"{visit.host}{visit.path}" for visit in final if visit.answer != "loop"]).value_counts()
        print(f"{(asked - 1).sum()} asked again after a final answer")
        assert (asked - 1).sum() <= 5 * THREADS
        assert len(server.visits) <= once + 5 * THREADS


@pytest.mark.slow
def test_an_interrupted_run_shows_one_line_at_once_and_goes_on(tmp_path, draw, configure, run_main):
    configure(source="manifest.csv")
    with FaultServer(HOSTS) as server:
        write_manifest(tmp_path, draw_pages(server, 100, draw, faults=0))
        process = command(tmp_path, "collect", "raw", "raw.json")
        while len(server.visits) < 20:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        output = finish(process, 1, timeout_s=5)
        assert output == "interrupted: nothing half-written is left; the same command goes on with this step.\n"
        assert not (tmp_path / "raw").exists()
        run_main(collect_main, "raw", "raw.json")
        assert len(server.visits) <= 100 + THREADS
        assert len(list((tmp_path / "raw").glob("*/*.png"))) == 100


@pytest.fixture
def run_main(tmp_path, monkeypatch):
    """Run a command's main function in tmp_path, with the cache that `command` uses."""

    def run(main, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        main()

    return run


def test_no_secret_is_written_or_shown(tmp_path, draw, configure, run_main, monkeypatch, capfd, caplog):
    """A live source needs the key; the images are fetched without it."""
    caplog.set_level(0)
    monkeypatch.setenv("BING_SEARCH_KEY", SENTINEL)
    with FaultServer(HOSTS) as server:
        [url] = draw_pages(server, 1, draw, faults=0)
        found = f'{{"value": [{{"imageId": "1", "name": "a", "contentUrl": "{url}", "hostPageUrl": "{url}"}}]}}'
        server.pages["/images/search"] = found.encode()
        item = {"source": "bing", "queries": ["a"], "limit": 9, "address": server.url("", "127.0.0.2")}
        configure(source="manifest.csv", listings={"a": [item]})
        run_main(manifest_main, "list", "manifest.csv")
        run_main(collect_main, "raw", "raw.json")
        run_main(manifest_main, "purge", "manifest.csv")
        server.plan["127.0.0.2", "/images/search"].extend(["403"])
        with pytest.raises(FetchError) as caught:
            run_main(manifest_main, "list", "manifest.csv")
        assert [SENTINEL in str(visit.headers) for visit in server.visits] == [True, False, False, True]
    shown = [*capfd.readouterr(), caplog.text, *traceback.format_exception(caught.value), repr(vars(caught.value))]
    assert "1 images" in shown[0]
    assert SENTINEL not in "".join(shown)
    written = contents(tmp_path)
    assert "raw/images.csv" in written
    assert not [path for path, content in written.items() if SENTINEL.encode() in content or SENTINEL in path]


def stream_gigabytes(listener, head, size):
    """Answer every request with a body of `size` bytes."""

    def serve(connection):
        with connection:
            connection.recv(10_000)
            try:
                connection.sendall(head)
                for _ in range(size // 1_000_000):
                    connection.sendall(bytes(1_000_000))
            except OSError:
                pass

    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


MEASURED = """
import sys
from benchmarks.rounds import read_peak
from stages.collect.__main__ import main
imported = read_peak()
sys.argv = ["collect", "raw", "raw.json"]
main()
print(imported, read_peak())
"""


@pytest.mark.slow
def test_memory_is_bounded_with_bodies_of_gigabytes_and_images_of_200_megapixels(tmp_path, draw, configure):
    """One image of at most 100 megapixels (4 bytes each) is decoded at a time; each decoder holds a file of 100 MB."""
    import socket

    configure({"threads": 16, "per_host": 16, "per_second": 100, "deadline_s": 60, "retries": 0}, source="manifest.csv")
    with FaultServer(HOSTS) as server, socket.create_server(("127.0.0.9", 0)) as listener:
        urls = draw_pages(server, 1, draw, faults=0)
        for name, size, mode in (("/200", (20_000, 10_000), "RGB"), ("/90", (10_000, 9_000), "RGBA")):
            for ending, options in (("PNG", {"compress_level": 1}), ("JPEG", {"progressive": True})):
                stream = io.BytesIO()
                Image.new(mode if ending == "PNG" else "RGB", size).save(stream, ending, **options)
                server.pages[f"{name}.{ending}"] = stream.getvalue()
                urls += [server.url(f"{name}.{ending}?{copy}", host) for copy, host in enumerate(HOSTS)]
        head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"
        threading.Thread(target=stream_gigabytes, args=(listener, head, 2_000_000_000), daemon=True).start()
        urls += [f"http://127.0.0.9:{listener.getsockname()[1]}/{number}.png" for number in range(10)]
        write_manifest(tmp_path, urls)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
        words = [sys.executable, "-c", MEASURED]
        output = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500, check=False
        )
        assert output.returncode == 0, output.stderr
    failures = pd.read_csv(tmp_path / "raw" / "failures.csv")
    assert failures["reason"].value_counts().to_dict() == {"too many bytes": 10, "too many pixels": 10}
    imported, peak = map(float, output.stdout.splitlines()[-1].split())
    print(f"{imported:.0f} MB after imports, {peak:.0f} MB at most")
    assert peak - imported < 750
