"""Which rows of a table of images show the same image, and which rows only look alike."""

from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.clean.pixel_similarity import similarity
from stages.core.terminal import progress
from stages.images.hamming_search import Integers, components, near_pairs
from stages.images.perceptual_hash import phash, phash_forms
from stages.images.thumbnails import Thumbnail, read_colours

Known = dict[Path, Thumbnail]

PLAIN = "plain"
SAME, LOOK_ALIKE = "same", "look-alike"
# If the grey thumbnails correlate less than this, the files are not read again: what `similarity` would call alike is
# above 0.4.
SCREEN = 0.25
PAIRS_AT_ONCE = 20_000  # 12 KB of colours for each image in them


def find_pairs(thumbnails: npt.NDArray[np.uint8], max_distance: int, mirrored: bool, rotated: bool) -> pd.DataFrame:
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


def in_form(images: npt.NDArray[np.uint8], form: str) -> npt.NDArray[np.uint8]:
    """Return images `(…, height, width)`, or one image `(height, width, 3)`, in a form that `phash_forms` names."""
    rows, columns = (0, 1) if images.shape[-1] == 3 else (-2, -1)
    if form.startswith("mirror"):
        images = np.flip(images, columns)
    turns = int(form.split()[-1]) // 90 if form[-1].isdecimal() else 0
    return np.rot90(images, turns, axes=(rows, columns))


def compare_pixels(
    pairs: pd.DataFrame, thumbnails: npt.NDArray[np.uint8], files: list[Path], known: Known, enough: float
) -> pd.Series:
    """Return how alike the two images of each pair are, 0 to 1, by `similarity` of the rows' files.

    Files whose colours are known are not read. Pairs whose grey thumbnails `(n, 32, 32)` have little in common get the
    correlation of the thumbnails.
    """
    found = correlate_thumbnails(pairs, thumbnails)
    close = pairs[found >= SCREEN]
    for start in range(0, len(close), PAIRS_AT_ONCE):
        block = close.iloc[start : start + PAIRS_AT_ONCE]
        colours = read_rows(sorted({*block["first"], *block["second"]}), files, known)
        work = (
            joblib.delayed(similarity)(colours[first], in_form(colours[second], form), enough)
            for first, second, form in zip(block["first"], block["second"], block["form"], strict=True)
        )
        found[block.index] = list(joblib.Parallel(n_jobs=-1, prefer="threads")(work))
    return found


def correlate_thumbnails(pairs: pd.DataFrame, thumbnails: npt.NDArray[np.uint8]) -> pd.Series:
    """Return the correlation of each pair's grey thumbnails to three decimals, 0 where it is negative."""
    found = pd.Series(0.0, index=pairs.index)
    for form, rows in pairs.groupby("form"):
        for start in range(0, len(rows), PAIRS_AT_ONCE):
            block = rows.iloc[start : start + PAIRS_AT_ONCE]
            one = standardised(thumbnails[block["first"].to_numpy()])
            other = standardised(in_form(thumbnails[block["second"].to_numpy()], str(form)))
            found[block.index] = (one * other).mean(axis=(1, 2)).clip(0).round(3)
    return found


def standardised(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return each thumbnail with mean 0 and standard deviation 1."""
    centred = thumbnails - thumbnails.mean(axis=(1, 2), keepdims=True)
    scaled: npt.NDArray[np.float64] = centred / centred.std(axis=(1, 2), keepdims=True).clip(1e-6)
    return scaled


def read_rows(rows: list[int], files: list[Path], known: Known) -> dict[int, Thumbnail]:
    """Return the colour thumbnail of each row's image."""
    unknown = sorted({files[row] for row in rows} - known.keys())
    work = (joblib.delayed(read_colours)(file) for file in unknown)
    results = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(work)
    colours = known | dict(zip(unknown, progress(results, len(unknown), "compare"), strict=True))
    return {row: colours[files[row]] for row in rows}


def name_groups(image_ids: pd.Series, pairs: pd.DataFrame) -> list[str]:
    """Return for each row the smallest image_id among the rows that the pairs connect with it."""
    labels = number_groups(len(image_ids), pairs)
    smallest = image_ids.groupby(labels).min()
    return [smallest[label] for label in labels]


def number_groups(n: int, pairs: pd.DataFrame) -> Integers:
    """Return for each of n rows the number of its group."""
    return components(n, pairs["first"].to_numpy(), pairs["second"].to_numpy())


def nearest_of_another_class(classes: pd.Series, same: pd.DataFrame) -> dict[int, tuple[int, int | None]]:
    """Return for each row whose image also lies in another class such a row, and the distance in bits.

    Rows show the same image if pairs connect them. If no pair leads directly to another class, the row is the first one
    of another class in the group, and the distance is None.
    """
    labels, names = number_groups(len(classes), same), classes.to_numpy()
    crossing = same[names[same["first"]] != names[same["second"]]].sort_values(["distance", "first", "second"])
    direct: dict[int, tuple[int, int | None]] = {}
    for one, two, bits in zip(crossing["first"], crossing["second"], crossing["distance"], strict=True):
        direct.setdefault(one, (two, bits))
        direct.setdefault(two, (one, bits))
    rows = np.flatnonzero(classes.groupby(labels).transform("nunique") > 1)
    rivals = {}
    for row in map(int, rows):
        others = rows[(labels[rows] == labels[row]) & (names[rows] != names[row])]
        rivals[row] = direct.get(row, (int(others[0]), None))
    return rivals


def find_repeats(
    rank: npt.NDArray[np.int64], same: pd.DataFrame, is_pinned: npt.NDArray[np.bool_]
) -> dict[int, tuple[int, int]]:
    """Return for each row that repeats a better row which stays the nearest such row and the distance in bits.

    A lower rank is better. Rows are taken from the best on: a row stays if it is pinned, or not the same as a row that
    stays already.
    """
    first, second, bits = (same[column].to_numpy() for column in ("first", "second", "distance"))
    is_better = rank[first] < rank[second]
    better, worse = np.where(is_better, first, second), np.where(is_better, second, first)
    dropped: dict[int, tuple[int, int]] = {}
    for row in np.lexsort((rank[better], bits, rank[worse])):
        one, other = int(better[row]), int(worse[row])
        if one not in dropped and other not in dropped and not is_pinned[other]:
            dropped[other] = (one, int(bits[row]))
    return dropped
