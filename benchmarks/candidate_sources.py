"""Where pairs of images come from that are worth a comparison in detail: near hashes, near features, or both."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from benchmarks.pair_scores import look
from stages.clean.agreement import compare_views
from stages.clean.candidates import PLAIN, find_pairs, screen
from stages.clean.settings import Clean
from stages.core.terminal import progress
from stages.images.perceptual_hash import phash, phash_forms
from stages.images.thumbnails import View
from stages.networks.novelty import to_length_1

NEIGHBOURS = (5, 20)

Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Images:
    """The looks of images, grey thumbnails `(n, 32, 32)` and views, and their features `(n, d)`."""

    thumbnails: npt.NDArray[np.uint8]
    views: list[View]
    features: Features


@dataclass(frozen=True)
class Found:
    """Pairs that were compared in detail, and the seconds that the search for them and their comparison took."""

    pairs: pd.DataFrame
    search_s: float
    compare_s: float


def by_hashes(images: Images, settings: Clean) -> pd.DataFrame:
    """Return the pairs that `clean` compares."""
    pairs = find_pairs(images.thumbnails, settings.max_distance, settings.mirrored, settings.rotated)
    return pairs[screen(pairs, images.thumbnails)]


def by_features(images: Images, settings: Clean, neighbours: int) -> pd.DataFrame:
    """Return the pairs of which one image is among the nearest of the other, by the cosine of their features."""
    features = to_length_1(images.features)
    near = NearestNeighbors(n_neighbors=neighbours + 1, algorithm="brute").fit(features).kneighbors(features)[1]
    pairs = np.column_stack([np.repeat(np.arange(len(near)), neighbours + 1), near.ravel()])
    return in_nearest_form(pairs[pairs[:, 0] != pairs[:, 1]], images, settings)


def in_nearest_form(pairs: npt.NDArray[np.int64], images: Images, settings: Clean) -> pd.DataFrame:
    """Return each pair of rows once, with the form of the second image in which the hashes are nearest."""
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    forms = {PLAIN: phash(images.thumbnails), **phash_forms(images.thumbnails, settings.mirrored, settings.rotated)}
    bits = np.stack([np.bitwise_count(forms[PLAIN][pairs[:, 0]] ^ form[pairs[:, 1]]) for form in forms.values()])
    names = np.array(list(forms))
    return pd.DataFrame({"first": pairs[:, 0], "second": pairs[:, 1], "form": names[bits.argmin(axis=0)]})


def search(images: Images, settings: Clean) -> dict[str, Found]:
    """Return what each source of candidates finds; the last one unites the first two, and its costs are their sums."""
    ways: dict[str, Callable[[], pd.DataFrame]] = {"hashes": partial(by_hashes, images, settings)}
    ways |= {f"{number} nearest by features": partial(by_features, images, settings, number) for number in NEIGHBOURS}
    found = {}
    for name, find in ways.items():
        start = time.perf_counter()
        pairs = find()
        middle = time.perf_counter()
        found[name] = Found(compare_in_detail(pairs, images), middle - start, time.perf_counter() - middle)
    hashes, features = list(found.values())[:2]
    both = pd.concat([hashes.pairs, features.pairs]).drop_duplicates(["first", "second"]).reset_index(drop=True)
    sums = (hashes.search_s + features.search_s, hashes.compare_s + features.compare_s)
    return {**found, f"hashes and {NEIGHBOURS[0]} nearest": Found(both, *sums)}


def compare_in_detail(pairs: pd.DataFrame, images: Images) -> pd.DataFrame:
    """Return the pairs with what `clean` measures of them."""
    names = [Path(str(row)) for row in range(len(images.views))]
    return compare_views(pairs.reset_index(drop=True), names, dict(zip(names, images.views, strict=True)))


def look_at_all(contents: list[bytes], features: Features) -> Images:
    """Return what is known of images."""
    looks = [look(content) for content in progress(contents, len(contents), "looks")]
    return Images(np.stack([each.thumbnail for each in looks]), [each.view for each in looks], features)
