"""How far two images agree in detail: whether they are one image, alike, or different ones.

Layout says little: garments on the same cloth, or faces in the same oval, agree in all but their detail. So it is the
fine structure that is compared, place by place, after a small alignment; then brightness and colour.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from stages.clean.alignment import Matrix, align, inside_of, scaled, warp
from stages.clean.candidates import PLAIN
from stages.clean.changes import measure_change
from stages.clean.prepared import NOISE, Floats, Prepared, fine_structure, has_texture, prepare
from stages.core.terminal import progress
from stages.images.machines import spread
from stages.images.thumbnails import COLOUR_SIDE, DETAIL_SIDE, View, read_view

STRIDE = 6  # pixels of 96 between two windows in which local agreement is measured
SURE = 0.97  # similarity from which no other alignment is tried
HOPELESS = 0.25  # similarity below which no likeness is measured
WORTH_A_LOOK = 0.5  # likeness below which it does not matter what is changed
TEXTURED = 0.93  # share of the area with fine structure; of photographs 98 % have more, of drawings 98 % less
PAIRS_AT_ONCE = 250  # a thread's share; 70 KB for each image in them


class Agreement(NamedTuple):
    """How far two images agree.

    `similarity` is the correlation of their fine structure, 0 to 1. `likeness` is the median of its local correlations,
    0 to 1: high also where a part of the image is another one. `is_textured` says whether there is fine structure
    nearly everywhere, as in photographs. `changed` is the share of the area, 0 to 1, whose brightness or colour is not
    that of the other image under one change of tone; 1 without being measured if the likeness is below a half.
    """

    similarity: float
    likeness: float
    is_textured: bool
    changed: float


def compare_views(pairs: pd.DataFrame, files: list[Path], known: dict[Path, View]) -> pd.DataFrame:
    """Return the pairs of rows with the columns of `Agreement`; files whose view is not known are read."""
    blocks = [pairs.iloc[start : start + PAIRS_AT_ONCE] for start in range(0, len(pairs), PAIRS_AT_ONCE)]
    results = spread(compare_block, [(block, *files_of(block, files, known)) for block in blocks])
    found = [agreement for block in progress(results, len(blocks), "compare") for agreement in block]
    columns = dict(zip(Agreement._fields, zip(*found, strict=True), strict=True)) if found else {}
    return pairs.assign(**{name: np.array(columns.get(name, ())) for name in Agreement._fields})


def files_of(
    pairs: pd.DataFrame, files: list[Path], known: dict[Path, View]
) -> tuple[dict[int, Path], dict[Path, View]]:
    """Return the file of each row in the pairs, and the views of these files that are known."""
    own = {row: files[row] for row in {*pairs["first"], *pairs["second"]}}
    return own, {file: known[file] for file in own.values() if file in known}


def compare_block(pairs: pd.DataFrame, files: dict[int, Path], known: dict[Path, View]) -> list[Agreement]:
    """Return how far the two images of each pair agree; each image is prepared once."""

    @cache
    def view(row: int) -> View:
        file = files[row]
        return known[file] if file in known else read_view(file)

    @cache
    def in_its_form(row: int, form: str) -> Prepared:
        return prepare(view(row), form)

    return [
        compare(in_its_form(first, PLAIN), in_its_form(second, form))
        for first, second, form in zip(pairs["first"], pairs["second"], pairs["form"], strict=True)
    ]


def compare(one: Prepared, other: Prepared) -> Agreement:
    """Return how far two images agree, as they lie or either aligned to the other by a small affine change, at best.

    The order of the two does not matter: the one whose pixels come first is the first to be aligned to.
    """
    best = lay(one, other, None)
    first, second = sorted((one, other), key=lambda each: each.luma.tobytes())
    for fixed, moving in ((first, second), (second, first)):
        if best.similarity >= SURE:
            break
        matrix = align(fixed.small, moving.small)
        if matrix is not None:
            best = max(best, lay(fixed, moving, matrix), key=lambda each: each.similarity)
    return measure(best)


@dataclass(frozen=True)
class Laid:
    """Two images, one laid on the other by a matrix, their fine structures where they overlap, and its correlation."""

    fixed: Prepared
    moving: Prepared
    matrix: Matrix | None
    structures: tuple[Floats, Floats]
    inside: Floats | None
    similarity: float


def lay(fixed: Prepared, moving: Prepared, matrix: Matrix | None) -> Laid:
    """Return an image with another one at the places to which the matrix, in pixels of 48, leads; None: as they lie."""
    mine, its, inside = fixed.structure, moving.structure, None
    if matrix is not None:
        large = scaled(matrix, DETAIL_SIDE / COLOUR_SIDE)
        inside = inside_of(DETAIL_SIDE, large)
        mine, its = mine * inside, fine_structure(warp(moving.luma, large)) * inside
    return Laid(fixed, moving, matrix, (mine, its), inside, to_share(correlate(mine, its)))


def measure(laid: Laid) -> Agreement:
    """Return how far an image agrees with the one that is laid on it."""
    likeness = measure_likeness(*laid.structures) if laid.similarity >= HOPELESS else 0.0
    if likeness < WORTH_A_LOOK:
        return Agreement(laid.similarity, likeness, False, 1.0)
    changed = measure_change(laid.fixed, laid.moving, laid.matrix)
    return Agreement(laid.similarity, likeness, is_textured(*laid.structures, laid.inside), changed)


def to_share(correlation: float) -> float:
    """Return a correlation to three decimals, 0 where it is negative."""
    return round(max(0.0, float(correlation)), 3)


def correlate(one: Floats, other: Floats) -> float:
    """Return the correlation of two fine structures, lowered if there is hardly any."""
    noise = NOISE**2 * one.size
    # In double precision and not by BLAS, so that processors differ as little as possible.
    both, ones, others = (float((a * b).sum(dtype=np.float64)) for a, b in ((one, other), (one, one), (other, other)))
    return both / float(np.sqrt((ones + noise) * (others + noise)))


def measure_likeness(one: Floats, other: Floats) -> float:
    """Return the median of the correlations in windows that have fine structure, 0 if there are none."""
    both, ones, others = (average(product) for product in (one * other, one * one, other * other))
    has_detail = np.maximum(ones, others) > NOISE**2
    if not has_detail.any():
        return 0.0
    local = both[has_detail] / np.sqrt((ones[has_detail] + NOISE**2) * (others[has_detail] + NOISE**2))
    return to_share(float(np.median(local)))


def average(values: Floats) -> Floats:
    """Return the mean of the values `(96, 96)` in windows of 12 pixels, one every 6, `(15, 15)`."""
    halves = cv2.resize(values, (DETAIL_SIDE // STRIDE, DETAIL_SIDE // STRIDE), interpolation=cv2.INTER_AREA)
    means: Floats = (halves[1:, 1:] + halves[1:, :-1] + halves[:-1, 1:] + halves[:-1, :-1]) / 4
    return means


def is_textured(one: Floats, other: Floats, inside: Floats | None) -> bool:
    """Return whether either image has fine structure nearly everywhere."""
    found = has_texture(one) | has_texture(other)
    return bool((found if inside is None else found[inside > 0]).mean() >= TEXTURED)
