"""Which rows of a table of images may show the same image: their perceptual hashes and their outlines are close."""

from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.images.hamming_search import near_pairs
from stages.images.perceptual_hash import phash, phash_forms

PLAIN = "plain"
Thumbnails = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Pixel = TypeVar("Pixel", np.uint8, np.float32)

BLUR = 1.5  # pixels of 32: outlines are what such a blur takes away
SHIFT = 1  # pixel by which outlines may be apart, as those of a crop are
# Of copies of photographs with near hashes, 0.2 % have outlines that correlate by less than 0.55; of photographs of
# different garments with near hashes, 77 %.
LEAST_OUTLINES = 0.5
NOISE = 50.0  # sum of squares of the outlines of an image that has hardly any
PAIRS_AT_ONCE = 20_000


def find_pairs(thumbnails: Thumbnails, max_distance: int, mirrored: bool, rotated: bool) -> pd.DataFrame:
    """Return all pairs of grey thumbnails `(n, 32, 32)` whose perceptual hashes are near in any form asked for.

    Columns: `first` < `second` (rows), `distance` in bits, and `form`: how the second image has to be turned to be near
    the first. A pair that is near in several forms has the nearest form, of equally near forms the earliest.
    """
    forms = {PLAIN: phash(thumbnails), **phash_forms(thumbnails, mirrored, rotated)}
    names, hashes = np.array(list(forms)), np.concatenate(list(forms.values()))
    n = len(thumbnails)
    first, second, distance = near_pairs(hashes, max_distance)
    is_asked = (first < n) & (first < second % n) if n else first < n
    first, second, distance = first[is_asked], second[is_asked], distance[is_asked]
    form = second // max(n, 1)
    pairs = pd.DataFrame({"first": first, "second": second % max(n, 1), "distance": distance, "form": form})
    nearest = pairs.sort_values(["first", "second", "distance", "form"]).drop_duplicates(["first", "second"])
    return nearest.assign(form=names[nearest["form"]]).reset_index(drop=True)


def in_form(image: npt.NDArray[Pixel], form: str) -> npt.NDArray[Pixel]:
    """Return an image `(height, width)` or `(height, width, channels)` in a form that `phash_forms` names."""
    if form == PLAIN:
        return image
    turned = np.flip(image, 1) if form.startswith("mirror") else image
    turns = int(form.split()[-1]) // 90 if form[-1].isdecimal() else 0
    return np.ascontiguousarray(np.rot90(turned, turns))


def screen(pairs: pd.DataFrame, thumbnails: Thumbnails) -> npt.NDArray[np.bool_]:
    """Return for each pair whether the outlines of thumbnails `(n, 32, 32)` agree, one pixel apart or less."""
    is_close = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        block = pairs.iloc[start : start + PAIRS_AT_ONCE]
        rows = np.unique(block[["first", "second"]].to_numpy())
        outlines = {row: draw_outlines(thumbnails[row]) for row in rows}
        one = np.stack([outlines[row] for row in block["first"]])
        other = np.stack([
            in_form(outlines[row], form) for row, form in zip(block["second"], block["form"], strict=True)
        ])  # fmt: skip
        is_close[start : start + PAIRS_AT_ONCE] = correlate(one, other).round(3) >= LEAST_OUTLINES
    return is_close


def draw_outlines(thumbnail: npt.NDArray[np.uint8]) -> Floats:
    """Return what a blur takes away from a thumbnail."""
    levels = thumbnail.astype(np.float32)
    outlines: Floats = levels - cv2.GaussianBlur(levels, (0, 0), BLUR)
    return outlines


def correlate(one: Floats, other: Floats) -> Floats:
    """Return the correlation of each pair of outlines `(pairs, 32, 32)` where they lie at their best."""
    inner = slice(SHIFT, one.shape[1] - SHIFT)
    fixed = one[:, inner, inner]
    lengths = np.einsum("nij,nij->n", fixed, fixed) + NOISE
    best = np.full(len(one), -1, dtype=np.float32)
    for down in range(2 * SHIFT + 1):
        for right in range(2 * SHIFT + 1):
            moved = other[:, down : down + fixed.shape[1], right : right + fixed.shape[2]]
            product = np.einsum("nij,nij->n", fixed, moved)
            best = np.maximum(best, product / np.sqrt(lengths * (np.einsum("nij,nij->n", moved, moved) + NOISE)))
    return best
