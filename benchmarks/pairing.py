"""How long `hamming_search.near_pairs` takes for many hashes, and that it misses no pair.

    python -m benchmarks.pairing

The hashes have exactly 32 ones, as `imagehash.phash` gives them; every hundredth hash has another one 0 to 12 bits
away, and 1,000 are equal. Up to 100,000 hashes, the result is compared with the plain way: each hash with each, a block
at a time. Every run is a process of its own.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.random import default_rng

from benchmarks.rounds import Cost, median, now, publish, ratio, report, run_child, take_turns, to_table
from stages.core.terminal import command
from stages.images.hamming_search import near_pairs

SIZES = (10_000, 100_000, 1_000_000)
DISTANCES = (8, 12)
LARGEST_COMPARED = 100_000
ROWS_AT_ONCE = 256
EQUAL = 1000
Hashes = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Pairs = tuple[Integers, Integers, Integers]


def make_hashes(number: int) -> Hashes:
    """Return `number` hashes with near pairs and equal hashes among them, shuffled."""
    rng = default_rng(number)
    bits = np.zeros((number, 64), dtype=np.uint8)
    bits[:, :32] = 1
    bits = rng.permuted(bits, axis=1)
    near = number // 100
    places = rng.permuted(np.tile(np.arange(64), (near, 1)), axis=1)
    is_changed = places < rng.integers(0, 13, near)[:, None]
    bits[:near] = bits[near : 2 * near] ^ is_changed
    bits[-EQUAL:] = bits[-1]
    return rng.permutation(np.packbits(bits, axis=1).view(np.uint64)[:, 0])


def compare_all(hashes: Hashes, max_distance: int) -> Pairs:
    """Return what `near_pairs` returns, computed the plain way."""
    found = []
    for start in range(0, len(hashes), ROWS_AT_ONCE):
        distances = np.bitwise_count(hashes[start : start + ROWS_AT_ONCE, None] ^ hashes[None, start:])
        first, second = np.nonzero(distances <= max_distance)
        is_pair = first < second
        first, second = first[is_pair], second[is_pair]
        found.append((first + start, second + start, distances[first, second].astype(np.int64)))
    first, second, distance = (np.concatenate(column) for column in zip(*found, strict=True))
    return first, second, distance


WAYS: dict[str, Callable[[Hashes, int], Pairs]] = {"ours": near_pairs, "each with each": compare_all}


def work(way: str, hashes: str, max_distance: str, result: str) -> None:
    """Write, in a child process, the number and the digest of the way's pairs to the result's path."""
    rows = np.load(hashes)
    start = now()
    pairs = WAYS[way](rows, int(max_distance))
    digest = hashlib.sha256(b"".join(column.astype(np.int64).tobytes() for column in pairs)).hexdigest()
    report(Path(result), start, pairs=len(pairs[0]), digest=digest)


def measure(number: int, max_distance: int, folder: Path, rounds: int) -> list[str]:
    """Return the table's row for a number of hashes and a distance.

    Raises:
        ValueError: Two ways or rounds give different pairs.
    """
    path = folder / f"{number}.npy"
    if not path.exists():
        run_child(sys.executable, "-m", "benchmarks.pairing", "make", number, path)
    reported = []

    def run(way: str) -> Cost:
        result, cost = run_child(sys.executable, "-m", "benchmarks.pairing", "work", way, path, max_distance)
        reported.append((result["pairs"], result["digest"]))
        if reported[-1] != reported[0]:
            raise ValueError(f"{way}: expected {reported[0]} pairs and digest, got {reported[-1]}.")
        return cost

    ways = {"ours": "ours", "ours again": "ours"}
    if number <= LARGEST_COMPARED:
        ways["each with each"] = "each with each"
    costs = take_turns({name: partial(run, way) for name, way in ways.items()}, rounds)
    ours = costs["ours"]
    return [
        f"{number:,}",
        str(max_distance),
        f"{reported[0][0]:,}",
        *(f"{median(ours, unit):.2f}" for unit in ("wall_s", "cpu_s")),
        f"{median(ours, 'peak_mb'):.0f}",
        *(
            ratio(costs[other], ours, unit) if other in costs else ""
            for other, unit in (("each with each", "cpu_s"), ("each with each", "wall_s"), ("ours again", "cpu_s"))
        ),
    ]


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description="Measure the search for near pairs of hashes.")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help=f"numbers of hashes, over {EQUAL}")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        cases = [(number, distance) for number in arguments.sizes for distance in DISTANCES]
        rows = [measure(*case, Path(name), arguments.rounds) for case in cases]
    header = ["hashes", "distance", "pairs", "wall s", "CPU s", "peak MB"]
    header += ["CPU s, each with each against ours", "wall s", "CPU s, ours again against ours"]
    intro = f"Median of {arguments.rounds} rounds in turn, and range. All ways gave the same pairs in every round.\n"
    publish("pairing", intro, to_table(header, rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(*sys.argv[2:])
    elif sys.argv[1:2] == ["make"]:
        start = now()
        np.save(sys.argv[3], make_hashes(int(sys.argv[2])))
        report(Path(sys.argv[4]), start)
    else:
        command(main)
