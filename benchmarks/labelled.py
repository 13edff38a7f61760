"""How well pairs of real images are told apart that people look at: by our rule, by hashes and by keypoints.

    python -m benchmarks.labelled --garments FOLDER --dog-cat FOLDER

`labels/pairs.csv` has 800 pairs of images, labelled by viewers that saw nothing but the two images: 400 of the
project's drawings, 200 of photographs of garments, 200 of cats and dogs. The drawings lie in this repository; the
photographs are read from the folders, and left out without them.
"""

import argparse
import hashlib
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.folder_peers import IN_PEERS, ask
from benchmarks.pair_scores import METHODS, Score, look, rgb, same_by_our_rule
from benchmarks.rounds import publish, to_table
from benchmarks.variants import CHANGES, choose_ending, encode
from stages.clean.settings import Clean
from stages.core import params
from stages.core.terminal import command, progress

LABELS = Path(__file__).parent / "labels" / "pairs.csv"
DRAWINGS = Path("data/0_embedded/clipart.zip")
LINKED = ("same", "variant", "template")
ORIGINALS = 100  # photographs of each set from which copies are made
LEAST_LINKED, LEAST_COPIES = 0.95, 0.995  # precision that a threshold must have on the half where it is chosen

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Contents = dict[str, bytes]


def main() -> None:
    """Score all pairs with all methods, and publish both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--garments", type=Path, help="folder of the garments, with a folder for each class")
    parser.add_argument("--dog-cat", type=Path, help="folder of the cats and dogs")
    parser.add_argument("--peers", help="the Python of the peers, such as .venv-peers/bin/python")
    parser.add_argument("--fastdup", help="the Python of an environment with fastdup, which needs NumPy 1")
    arguments = parser.parse_args()
    peers = dict.fromkeys(IN_PEERS, arguments.peers) if arguments.peers else {}
    peers |= {"fastdup": arguments.fastdup} if arguments.fastdup else {}
    settings = params.read(Clean, "clean")
    given = {"garments": arguments.garments, "dog_cat": arguments.dog_cat}
    sets = {"drawings": read_drawings(), **{name: read_folder(folder) for name, folder in given.items() if folder}}
    table = pd.read_csv(LABELS, dtype=str)
    table = table[table["set"].isin(sets)].reset_index(drop=True)
    contents = {key: content for each in sets.values() for key, content in each.items()}
    pairs = [(contents[one], contents[other]) for one, other in zip(table["first"], table["second"], strict=True)]
    parts = ["Pairs labelled by eye: " + count_labels(table), compare_links(pairs, table, settings)]
    photographs = {name: found for name, found in sets.items() if name != "drawings"}
    if photographs:
        parts += ["Copies planted among photographs:", compare_copies(photographs, pairs, table, settings, peers)]
    publish("labelled", parts[0] + "\n", "\n\n".join(parts[1:]))


def read_drawings() -> Contents:
    """Return the project's drawings by the SHA-256 of their bytes."""
    with zipfile.ZipFile(DRAWINGS) as archive:
        return by_id(archive.read(name) for name in archive.namelist())


def read_folder(folder: Path) -> Contents:
    """Return the files of a folder of classes by the SHA-256 of their bytes."""
    return by_id(path.read_bytes() for path in sorted(folder.glob("*/*")))


def by_id(contents: Any) -> Contents:
    """Return the contents by their SHA-256."""
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


def count_labels(table: pd.DataFrame) -> str:
    """Return in words how many pairs of each set have each label."""
    counts = table.groupby("set")["label"].value_counts()
    return "; ".join(
        f"{name}: " + ", ".join(f"{number} {label}" for (_, label), number in counts[[name]].items())
        for name in table["set"].unique()
    )


def compare_links(pairs: list[tuple[bytes, bytes]], table: pd.DataFrame, settings: Clean) -> str:
    """Return how well each method finds pairs that belong into one group: the same, a variant, or one template."""
    is_linked = table["label"].isin(LINKED).to_numpy()
    is_chosen_on = halve(list(table["first"]))
    rows = []
    for name, method in METHODS.items():
        scores, cost = score(pairs, method, name)
        fixed = settings.min_likeness if name == "ours" else None
        threshold = choose(scores[is_chosen_on], is_linked[is_chosen_on], LEAST_LINKED) if fixed is None else fixed
        recall, precision = rate(scores[~is_chosen_on] >= threshold, is_linked[~is_chosen_on])
        is_variant = (table["label"] == "variant").to_numpy()[~is_chosen_on]
        variants = float((scores[~is_chosen_on] >= threshold)[is_variant].mean())
        rows.append([name, f"{threshold:.3g}", f"{recall:.3f}", f"{variants:.3f}", f"{precision:.3f}", f"{cost:.2f}"])
    return to_table(["method", "threshold", "recall", "recall of variants", "precision", "ms a pair"], rows)


def compare_copies(
    sets: dict[str, Contents], pairs: list[tuple[bytes, bytes]], table: pd.DataFrame, settings: Clean,
    peers: dict[str, str],
) -> str:  # fmt: skip
    """Return the share of each kind of planted copy that each method finds, and how many other pairs it takes for one.

    The other pairs are the labelled pairs of photographs that are not the same image.
    """
    copies = pd.DataFrame(plant(sets), columns=["kind", "original", "copy"])
    is_other = (table["set"].isin(sets) & (table["label"] != "same")).to_numpy()
    others = [pair for pair, is_one in zip(pairs, is_other, strict=True) if is_one]
    planted = list(zip(copies["original"], copies["copy"], strict=True))
    is_chosen_on = np.concatenate([
        halve([hashlib.sha256(original).hexdigest() for original in copies["original"]]),
        halve(list(table["first"][is_other])),
    ])  # fmt: skip
    is_copy = np.arange(len(is_chosen_on)) < len(planted)
    kinds = np.array([*copies["kind"], *[""] * len(others)])
    methods = METHODS | {"ours": lambda one, other: same_by_our_rule(one, other, settings)}
    everything = planted + others
    ways: dict[str, Callable[[], Floats]] = {
        name: partial(score_all, everything, method, name) for name, method in methods.items()
    }
    ways |= {name: partial(ask, name, python, everything) for name, python in peers.items()}
    rows = []
    for name, score_them in ways.items():
        scores = score_them()
        least = 1.0 if name == "ours" else choose(scores[is_chosen_on], is_copy[is_chosen_on], LEAST_COPIES)
        is_found, held = scores >= least, ~is_chosen_on
        recall, precision = rate(is_found[held], is_copy[held])
        each = [f"{rate(is_found[held], (kinds == kind)[held])[0]:.2f}" for kind in CHANGES]
        rows.append([name, f"{recall:.3f}", f"{precision:.4f}", *each])
    return to_table(["method", "recall", "precision", *CHANGES], rows)


def plant(sets: dict[str, Contents]) -> list[tuple[str, bytes, bytes]]:
    """Return a copy of each kind of some photographs of each set: kind, original, copy."""
    rows = []
    for contents in sets.values():
        chosen = np.random.default_rng(0).choice(sorted(contents), min(ORIGINALS, len(contents)), replace=False)
        for number, image_id in enumerate(chosen):
            image = rgb(contents[image_id])
            for kind, (change, quality) in CHANGES.items():
                rng = np.random.default_rng([number, *kind.encode()])
                changed = change(image, rng)
                copy = encode(changed, choose_ending(kind, ".jpg", rng), int(rng.integers(*quality)))
                rows.append((kind, contents[image_id], copy))
    return rows


def score(pairs: list[tuple[bytes, bytes]], method: Score, title: str) -> tuple[Floats, float]:
    """Return the score of each pair, and how many milliseconds a pair took."""
    look.cache_clear()  # so that each method decodes the images itself
    start = time.perf_counter()
    scores = np.array([method(*pair) for pair in progress(pairs, len(pairs), title)], dtype=float)
    return scores, 1000 * (time.perf_counter() - start) / len(pairs)


def score_all(pairs: list[tuple[bytes, bytes]], method: Score, title: str) -> Floats:
    """Return the score of each pair."""
    return score(pairs, method, title)[0]


def halve(image_ids: list[str]) -> Flags:
    """Return for each image_id whether it is of the half on which thresholds are chosen."""
    return np.array([int(image_id[:8], 16) % 2 == 0 for image_id in image_ids])


def choose(scores: Floats, is_wanted: Flags, least: float) -> float:
    """Return the lowest score from which on at least the share `least` is wanted; infinity if there is none."""
    fitting = [value for value in np.unique(scores) if is_wanted[scores >= value].mean() >= least]
    return float(min(fitting, default=np.inf))


def rate(is_found: Flags, is_wanted: Flags) -> tuple[float, float]:
    """Return recall and precision; the precision of nothing is 1."""
    hits = int((is_found & is_wanted).sum())
    return hits / max(1, int(is_wanted.sum())), hits / int(is_found.sum()) if is_found.any() else 1.0


if __name__ == "__main__":
    command(main)
