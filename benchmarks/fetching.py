"""How long images take from a server 50 ms away, against a plain loop of `requests.get` and against the latency alone.

    python -m benchmarks.fetching

The server is a process of its own on this machine, which answers each request 50 ms after it came. Ours checks every
address and decodes every image; the loop writes what it gets to a file. Each way starts with an empty store.
"""

import argparse
import asyncio
import io
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import requests

from benchmarks.rounds import Cost, median, publish, ratio, take_turns, to_table
from benchmarks.scenes import draw_scene
from stages.core.terminal import command
from stages.downloads.download import Bounds, download
from stages.downloads.store import Store
from stages.web.client import Fetch

IMAGES, SIDE = 480, 256
LATENCY_S, CONNECTIONS = 0.05, 16
FETCH = Fetch(
    threads=CONNECTIONS, per_host=CONNECTIONS, per_second=100_000, timeout_s=10, deadline_s=30, retries=0,
    max_wait_s=1, max_megabytes=1, allow_private=True, user_agent="benchmark/1.0",
)  # fmt: skip


def draw_jpeg() -> bytes:
    """Return a JPEG with the spectrum of a photograph."""
    stream = io.BytesIO()
    draw_scene((SIDE, SIDE), [1, 0], [1, 1], [1, 2]).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def serve(pipe: Connection, image: bytes) -> None:
    """Send the port through the pipe, then answer every request to it with the image followed by the request's path."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(LATENCY_S)
                content = image + head.split()[1]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=256)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def ours(urls: list[str], folder: Path) -> list[bytes]:
    """Return the contents that our fetcher downloads."""
    store = Store(folder)
    for url, failure in download(urls, store, FETCH, Bounds(max_megabytes=1, max_megapixels=1)):
        if failure:
            raise ValueError(f"{url}: expected a image, got {failure}.")
    return [store.read(url) for url in urls]


def one_after_the_other(get: Callable[..., requests.Response], urls: list[str], folder: Path) -> list[bytes]:
    """Return the contents that the function gets, and write each of them to a file."""
    contents = []
    for number, url in enumerate(urls):
        contents.append(get(url, timeout=10).content)
        (folder / str(number)).write_bytes(contents[-1])
    return contents


def in_session(urls: list[str], folder: Path) -> list[bytes]:
    """Return the contents that a session gets, which keeps its connection."""
    with requests.Session() as session:
        return one_after_the_other(session.get, urls, folder)


WAYS: dict[str, Callable[[list[str], Path], list[bytes]]] = {
    "ours": ours, "ours again": ours, "requests.get": partial(one_after_the_other, requests.get),
    "requests.Session": in_session,
}  # fmt: skip


def time_once(way: Callable[[list[str], Path], list[bytes]], urls: list[str], image: bytes) -> Cost:
    """Return the cost of the way, after checking that all images are right."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        contents = way(urls, Path(folder))
        cost = Cost(time.perf_counter() - wall, time.process_time() - cpu)
    expected = [image + b"/" + url.rpartition("/")[2].encode() for url in urls]
    if contents != expected:
        raise ValueError("benchmarks.fetching: expected the images that the server sent, got others.")
    return cost


def measure(rounds: int, images: int) -> tuple[dict[str, list[Cost]], int]:
    """Return the costs of each way in each round, and the size of an image in bytes."""
    image = draw_jpeg()
    pipe, end = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(end, image), daemon=True)
    server.start()
    try:
        port = pipe.recv()
        urls = [f"http://127.0.0.1:{port}/{number}" for number in range(images)]
        ways = {name: partial(time_once, way, urls, image) for name, way in WAYS.items()}
        return take_turns(ways, rounds), len(image)
    finally:
        server.terminate()


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=IMAGES)
    arguments = parser.parse_args()
    costs, size = measure(arguments.rounds, arguments.images)
    bound_s = arguments.images * LATENCY_S / CONNECTIONS
    bounds = [Cost(bound_s, 0.0)] * arguments.rounds
    rows = [
        [
            name, f"{median(costs[name], 'wall_s'):.2f}", f"{arguments.images / median(costs[name], 'wall_s'):.0f}",
            ratio(costs[name], costs["ours"], "wall_s"), ratio(costs[name], bounds, "wall_s"),
            f"{1000 * median(costs[name], 'cpu_s') / arguments.images:.1f}",
        ]
        for name in WAYS
    ]  # fmt: skip
    header = ["way", "seconds", "images a second", "by ours", f"by the latency of {CONNECTIONS} at once", "CPU ms each"]
    publish(
        "fetching",
        f"# {arguments.images} images of {size / 1000:.0f} kB from a server {1000 * LATENCY_S:.0f} ms away\n",
        to_table(header, rows),
        f"Medians of {arguments.rounds} rounds, ratios with their range. {CONNECTIONS} connections can do no better "
        f"than {bound_s:.2f} seconds.\n",
    )


if __name__ == "__main__":
    command(main)
