"""Which pairs of images are worth a comparison in detail: those with near hashes, those with near features, or both.

    python -m benchmarks.candidates --garments FOLDER --dog-cat FOLDER

After `dvc repro`. The copies of the benchmark `labelled` lie among all photographs of the two folders, and the labelled
pairs of drawings among all drawings. `clean` takes pairs whose perceptual hashes are near and whose outlines agree;
beside it stand each image's nearest neighbours by the features of a frozen EfficientNet-Lite0. What is the same image,
or looks alike, then decides the same comparison in detail.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.candidate_sources import Features, Found, look_at_all, search
from benchmarks.labelled import LABELS, plant, read_drawings, read_folder
from benchmarks.pair_scores import look
from benchmarks.rounds import publish, to_table
from benchmarks.variants import CHANGES
from stages.classifier.model_facts import find_model
from stages.classifier.open_classifier import SECTIONS, Use, open_classifier
from stages.clean.duplicates import are_same
from stages.clean.settings import Clean
from stages.core import params
from stages.core.terminal import command, progress
from stages.images.opening import UnusableImage
from stages.networks.predicting import predict

NETWORK = "efficientnet_lite0"


def read_features() -> Callable[[list[bytes]], tuple[Features, float]]:
    """Return a function that returns the features of images, and the seconds that it took."""
    use = params.read(Use, *SECTIONS)
    folder = find_model(NETWORK, Path("data/6_models"))
    classifier = open_classifier(folder, Path("data/5_pretrained"), use, Path("data/7_evaluations"))
    if classifier.familiarity is None:
        raise ValueError(f"{folder}: expected limits of its evaluation, got none: run dvc repro.")
    model = classifier.familiarity.feature_model

    def read(contents: list[bytes]) -> tuple[Features, float]:
        start = time.perf_counter()
        pixels = np.stack([classifier.read_bytes(content) for content in progress(contents, len(contents), "pixels")])
        return predict(model, classifier.rows(pixels), use.batch_size, "features"), time.perf_counter() - start

    return read


def compare_copies(contents: list[bytes], copies: pd.DataFrame, found: dict[str, Found], settings: Clean) -> str:
    """Return the table of what each source finds of the copies, by kind, and which other pairs it calls the same."""
    rows_of = {content: row for row, content in enumerate(contents)}
    kinds = {
        (rows_of[original], rows_of[copy]): kind
        for kind, original, copy in copies[["kind", "original", "copy"]].itertuples(index=False)
    }
    origins = np.arange(len(contents))
    for original, copy in kinds:
        origins[copy] = original
    wanted = pd.Series(list(kinds.values())).value_counts()
    rows = []
    for name, each in found.items():
        called = each.pairs[are_same(each.pairs, settings)]
        right = [kinds.get(pair) for pair in to_tuples(called)]
        among = sum(pair in kinds for pair in to_tuples(each.pairs))
        sides = (origins[called[side]].tolist() for side in ("first", "second"))
        wrong = {(one, other) for one, other in zip(*sides, strict=True) if one != other}
        hits = pd.Series([kind for kind in right if kind]).value_counts()
        shares = [f"{hits.get(kind, 0) / wanted[kind]:.2f}" for kind in CHANGES]
        recall = hits.sum() / len(kinds)
        costs = [f"{each.search_s:.1f}", f"{each.compare_s:.1f}"]
        rows.append(
            [
                name,
                f"{len(each.pairs):,}",
                f"{among / len(kinds):.3f}",
                f"{recall:.3f}",
                str(len(wrong)),
                *costs,
                *shares,
            ]
        )
    header = ["candidates", "pairs", "copies among them", "copies found", "pairs of other photographs called the same"]
    return to_table([*header, "search s", "compare s", *CHANGES], rows)


def compare_variants(ids: list[str], found: dict[str, Found], settings: Clean) -> str:
    """Return the table of how many labelled pairs of drawings each source finds, and links as look-alikes."""
    rows_of = {image_id: row for row, image_id in enumerate(ids)}
    table = pd.read_csv(LABELS, dtype=str)
    table = table[table["set"] == "drawings"]
    labels = {
        tuple(sorted((rows_of[one], rows_of[other]))): label
        for one, other, label in table[["first", "second", "label"]].itertuples(index=False)
    }
    totals = pd.Series(list(labels.values())).value_counts()
    rows = []
    for name, each in found.items():
        linked = each.pairs[each.pairs["likeness"] >= settings.min_likeness]
        seen, joined = (
            pd.Series([labels.get(pair) for pair in to_tuples(part)], dtype=object).value_counts()
            for part in (each.pairs, linked)
        )
        counts = [
            f"{seen.get(label, 0)}, {joined.get(label, 0)} of {totals[label]}"
            for label in ("variant", "template", "unrelated")
        ]
        rows.append([name, f"{len(each.pairs):,}", f"{len(linked):,}", *counts])
    return to_table(
        [
            "candidates",
            "pairs",
            "linked",
            *(f"{label}: compared, linked" for label in ("variants", "templates", "unrelated")),
        ],
        rows,
    )


def is_readable(content: bytes) -> bool:
    """Return whether the image can be read."""
    try:
        look(content)
    except (UnusableImage, OSError, ValueError):
        return False
    return True


def to_tuples(pairs: pd.DataFrame) -> Iterable[tuple[int, int]]:
    """Return the two rows of each pair."""
    return zip(pairs["first"].tolist(), pairs["second"].tolist(), strict=True)


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--garments", type=Path, required=True, help="folder of the garments")
    parser.add_argument("--dog-cat", type=Path, required=True, help="folder of the cats and dogs")
    arguments = parser.parse_args()
    settings, features_of = params.read(Clean, "clean"), read_features()
    sets = {"garments": read_folder(arguments.garments), "dog_cat": read_folder(arguments.dog_cat)}
    copies = pd.DataFrame(plant(sets), columns=["kind", "original", "copy"])
    photographs = list(
        dict.fromkeys([*(content for each in sets.values() for content in each.values()), *copies["copy"]])
    )
    features, seconds = features_of(photographs)
    found = search(look_at_all(photographs, features), settings)
    copied = compare_copies(photographs, copies, found, settings)
    drawings = {image_id: content for image_id, content in read_drawings().items() if is_readable(content)}
    drawn = list(drawings.values())
    found = search(look_at_all(drawn, features_of(drawn)[0]), settings)
    intro = (
        f"{len(copies):,} copies planted among {len(photographs) - len(copies):,} photographs; "
        f"the features of all took {seconds:.0f} s.\n"
    )
    publish(
        "candidates",
        intro,
        copied,
        f"Labelled pairs among {len(drawn):,} drawings.\n",
        compare_variants(list(drawings), found, settings),
    )


if __name__ == "__main__":
    command(main)
