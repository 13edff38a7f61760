"""How far two images agree in detail: whether they are one image, alike, or different ones.

Layout says little: garments on the same cloth, or faces in the same oval, agree in all but their detail. So it is the
fine structure that is compared, place by place, after a small alignment; then brightness and colour.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.clean.alignment import Matrix, align, inside_of, scaled, warp
from stages.clean.candidates import PLAIN, in_form
from stages.core.terminal import progress
from stages.images.thumbnails import COLOUR_SIDE, DETAIL_SIDE, View, read_view

Floats = npt.NDArray[np.float32]
Levels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

FINE, COARSE = 0.7, 2.1  # pixels of 96: what lies between two Gaussian blurs is the fine structure
NOISE = 0.3  # grey levels of fine structure below which there is none
STRIDE = 6  # pixels of 96 between two windows in which local agreement is measured
ALIKE_AS_THEY_LIE = 0.97  # similarity from which no alignment is tried
TEXTURED = 0.93  # share of the area with fine structure; of photographs 98 % have more, of drawings 98 % less
BINS = 64  # of grey levels, in each of which one image should have one grey level of the other
CHANGED_TONE, CHANGED_COLOUR = 0.4, 25.0  # standard deviations of the luma; levels of colour
GREY_TONE = 0.2  # the same of a copy without colour, whose luma is that of the original, not just any tones
COLOURLESS = 5.0  # root mean square of the colours of an image that counts as grey
HOPELESS = 0.25  # similarity below which no likeness is measured
WORTH_A_LOOK = 0.5  # likeness below which it does not matter what is changed
PAIRS_AT_ONCE = 250  # a thread's share; 80 KB for each image in them
PATCH = (5, 5)  # pixels of 48 over which a change is averaged, so that edges moved by resampling are none


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


@dataclass(frozen=True)
class Prepared:
    """What is compared of an image: its luma `(96, 96)` and `(48, 48)`, colours `(48, 48, 2)` around 0, and structure."""

    luma: npt.NDArray[np.uint8]
    small: npt.NDArray[np.uint8]
    colours: Floats
    structure: Floats


def compare_views(pairs: pd.DataFrame, files: list[Path], known: dict[Path, View]) -> pd.DataFrame:
    """Return the pairs of rows with the columns of `Agreement`; files whose view is not known are read."""
    blocks = [pairs.iloc[start : start + PAIRS_AT_ONCE] for start in range(0, len(pairs), PAIRS_AT_ONCE)]
    work = (joblib.delayed(compare_block)(block, files, known) for block in blocks)
    results = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(work)
    found = [agreement for block in progress(results, len(blocks), "compare") for agreement in block]
    columns = dict(zip(Agreement._fields, zip(*found, strict=True), strict=True)) if found else {}
    return pairs.assign(**{name: np.array(columns.get(name, ())) for name in Agreement._fields})


def compare_block(pairs: pd.DataFrame, files: list[Path], known: dict[Path, View]) -> list[Agreement]:
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


def prepare(view: View, form: str = PLAIN) -> Prepared:
    """Return a view in a form that `phash_forms` names, ready to be compared."""
    luma, chroma = in_form(view.luma, form), in_form(view.chroma, form)
    small = cv2.resize(luma, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA)
    return Prepared(luma, np.asarray(small), chroma.astype(np.float32) - 128, fine_structure(luma))


def compare(one: Prepared, other: Prepared) -> Agreement:
    """Return how far two images agree, as they lie or aligned by a small affine change, whichever is more."""
    as_they_lie = measure(one, other, None)
    if as_they_lie.similarity >= ALIKE_AS_THEY_LIE:
        return as_they_lie
    matrix = align(one.small, other.small)
    return as_they_lie if matrix is None else max(as_they_lie, measure(one, other, matrix))


def measure(one: Prepared, other: Prepared, matrix: Matrix | None) -> Agreement:
    """Return how far an image agrees with another one at the places to which the matrix `(2, 3)`, in pixels of 48, leads."""
    mine, its, inside = one.structure, other.structure, None
    if matrix is not None:
        large = scaled(matrix, DETAIL_SIDE / COLOUR_SIDE)
        inside = inside_of(DETAIL_SIDE, large)
        mine, its = mine * inside, fine_structure(warp(other.luma, large)) * inside
    similarity = to_share(correlate(mine, its))
    likeness = measure_likeness(mine, its) if similarity >= HOPELESS else 0.0
    if likeness < WORTH_A_LOOK:
        return Agreement(similarity, likeness, False, 1.0)
    return Agreement(similarity, likeness, is_textured(mine, its, inside), measure_change(one, other, matrix))


def to_share(correlation: float) -> float:
    """Return a correlation to three decimals, 0 where it is negative."""
    return round(max(0.0, float(correlation)), 3)


def fine_structure(luma: npt.NDArray[np.uint8]) -> Floats:
    """Return the luma between two blurs: edges and texture, without areas and light."""
    levels = luma.astype(np.float32)
    found: Floats = cv2.GaussianBlur(levels, (0, 0), FINE) - cv2.GaussianBlur(levels, (0, 0), COARSE)
    return found


def correlate(one: Floats, other: Floats) -> float:
    """Return the correlation of two fine structures, lowered if there is hardly any."""
    noise = NOISE**2 * one.size
    return float(np.vdot(one, other) / np.sqrt((np.vdot(one, one) + noise) * (np.vdot(other, other) + noise)))


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
    found = np.maximum(cv2.boxFilter(one * one, -1, PATCH), cv2.boxFilter(other * other, -1, PATCH)) > NOISE**2
    return bool(np.count_nonzero(found) >= TEXTURED * (found.size if inside is None else np.count_nonzero(inside)))


def measure_change(one: Prepared, other: Prepared, matrix: Matrix | None) -> float:
    """Return the share of the area in which brightness or colour differ by more than one change of tone explains."""
    inside = inside_of(COLOUR_SIDE, matrix) > 0
    # Taking all pixels by a mask costs a third of the comparison of two images that need no alignment.
    places = slice(None) if matrix is None else np.flatnonzero(inside)
    mine, its = (levels.reshape(-1)[places] for levels in (one.small, warp(other.small, matrix)))
    my_colours, its_colours = (c.reshape(-1, 2)[places] for c in (one.colours, warp(other.colours, matrix)))
    if is_grey(my_colours) != is_grey(its_colours):
        is_changed = spread(abs(standardised(mine) - standardised(its)), places) > GREY_TONE
    else:
        tone = np.maximum(misfit(mine, its), misfit(its, mine))
        colour = np.maximum(miscolour(my_colours, its_colours), miscolour(its_colours, my_colours))
        is_changed = (spread(tone, places) > CHANGED_TONE) | (spread(colour, places) > CHANGED_COLOUR)
    return round(float((is_changed & inside).sum()) / max(1, len(mine)), 3)


def is_grey(colours: Floats) -> bool:
    """Return whether colours `(n, 2)` are next to none."""
    return bool(np.vdot(colours, colours) < COLOURLESS**2 * len(colours))


def standardised(levels: Levels) -> Floats:
    """Return levels with mean 0 and standard deviation 1."""
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(levels))
    return (levels.astype(np.float32) - np.float32(mean)) / np.float32(deviation + 1)


def misfit(levels: Levels, given: Levels) -> Floats:
    """Return how far each level is from the mean level at pixels that are alike in the other image, in deviations.

    It is the residual of the correlation ratio, Roche et al. 1998, https://doi.org/10.1007/BFb0056301: 0 for any change
    of tone, such as contrast or a clipped brightness.
    """
    bins, values = given // (256 // BINS), standardised(levels)
    means = np.bincount(bins, values, BINS) / np.bincount(bins, minlength=BINS).clip(1)
    return abs(values - means.astype(np.float32)[bins])


def miscolour(colours: Floats, given: Floats) -> Floats:
    """Return how far each colour is from the other image's, in levels, after one change of saturation."""
    gain = np.float32(np.vdot(colours, given) / max(1.0, np.vdot(given, given)))
    rest = colours - gain * given
    return np.sqrt(np.einsum("nc,nc->n", rest, rest))


def spread(values: Floats, places: slice | npt.NDArray[np.int64]) -> Floats:
    """Return values at some places of an image `(48, 48)`, averaged over patches, with 0 elsewhere."""
    levels = np.zeros(COLOUR_SIDE**2, dtype=np.float32)
    levels[places] = values
    averaged: Floats = cv2.boxFilter(levels.reshape(COLOUR_SIDE, COLOUR_SIDE), -1, PATCH)
    return averaged
