"""Which rows of a table of pictures show the same picture, and which only look alike."""

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
# Correlation of the small grey pictures below which the files are not read again: what `similarity` would call alike
# is above 0.4.
SCREEN = 0.25
PAIRS_AT_ONCE = 20_000  # 12 KB of colours for each picture in them


def find_pairs(thumbnails: npt.NDArray[np.uint8], max_distance: int, mirrored: bool, rotated: bool) -> pd.DataFrame:
    """All pairs of the grey thumbnails `(n, 32, 32)` whose perceptual hashes are near, in any of the forms asked for.

    Columns: `first` < `second` (rows), `distance` in bits, and `form`: how the second one has to be turned to be near
    the first. A pair that is near in several forms has the nearest one, of equals the earliest.
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


def in_form(pictures: npt.NDArray[np.uint8], form: str) -> npt.NDArray[np.uint8]:
    """Pictures `(…, height, width)`, or one `(height, width, 3)`, in a form that `phash_forms` names."""
    rows, columns = (0, 1) if pictures.shape[-1] == 3 else (-2, -1)
    if form.startswith("mirror"):
        pictures = np.flip(pictures, columns)
    turns = int(form.split()[-1]) // 90 if form[-1].isdecimal() else 0
    return np.rot90(pictures, turns, axes=(rows, columns))


def compare(
    pairs: pd.DataFrame, thumbnails: npt.NDArray[np.uint8], files: list[Path], known: Known, enough: float
) -> pd.Series:
    """How alike the two pictures of each pair are, 0 to 1, by `similarity`, from the files of the rows.

    Files whose colours are known are not read. Pairs whose grey thumbnails `(n, 32, 32)` have little in common get the
    correlation of these.
    """
    found = screen(pairs, thumbnails)
    close = pairs[found >= SCREEN]
    for start in range(0, len(close), PAIRS_AT_ONCE):
        block = close.iloc[start : start + PAIRS_AT_ONCE]
        colours = read_all(sorted({*block["first"], *block["second"]}), files, known)
        work = (
            joblib.delayed(similarity)(colours[first], in_form(colours[second], form), enough)
            for first, second, form in zip(block["first"], block["second"], block["form"], strict=True)
        )
        found[block.index] = list(joblib.Parallel(n_jobs=-1, prefer="threads")(work))
    return found


def screen(pairs: pd.DataFrame, thumbnails: npt.NDArray[np.uint8]) -> pd.Series:
    """The correlation of each pair's grey thumbnails, 0 where it is negative, to three decimals."""
    found = pd.Series(0.0, index=pairs.index)
    for form, rows in pairs.groupby("form"):
        for start in range(0, len(rows), PAIRS_AT_ONCE):
            block = rows.iloc[start : start + PAIRS_AT_ONCE]
            one = standardised(thumbnails[block["first"].to_numpy()])
            other = standardised(in_form(thumbnails[block["second"].to_numpy()], str(form)))
            found[block.index] = (one * other).mean(axis=(1, 2)).clip(0).round(3)
    return found


def standardised(thumbnails: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Each thumbnail with mean 0 and deviation 1."""
    centred = thumbnails - thumbnails.mean(axis=(1, 2), keepdims=True)
    scaled: npt.NDArray[np.float64] = centred / centred.std(axis=(1, 2), keepdims=True).clip(1e-6)
    return scaled


def read_all(rows: list[int], files: list[Path], known: Known) -> dict[int, Thumbnail]:
    """The rows' pictures in colour, small."""
    unknown = sorted({files[row] for row in rows} - known.keys())
    work = (joblib.delayed(read_colours)(file) for file in unknown)
    results = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(work)
    colours = known | dict(zip(unknown, progress(results, len(unknown), "compare"), strict=True))
    return {row: colours[files[row]] for row in rows}


def group(image_ids: pd.Series, pairs: pd.DataFrame) -> list[str]:
    """For each row the smallest image_id among the rows that the pairs connect with it."""
    labels = connect(len(image_ids), pairs)
    smallest = image_ids.groupby(labels).min()
    return [smallest[label] for label in labels]


def connect(n: int, pairs: pd.DataFrame) -> Integers:
    """For each of n rows the number of its group."""
    return components(n, pairs["first"].to_numpy(), pairs["second"].to_numpy())


def nearest_of_another_class(classes: pd.Series, same: pd.DataFrame) -> dict[int, tuple[int, int | None]]:
    """For each row whose picture also lies in another class such a row, and the distance in bits.

    Pictures are the same when pairs connect them. Where no pair leads to another class directly, the row is the first
    one there, and there is no distance.
    """
    labels, names = connect(len(classes), same), classes.to_numpy()
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


def repeats(
    rank: npt.NDArray[np.int64], same: pd.DataFrame, is_pinned: npt.NDArray[np.bool_]
) -> dict[int, tuple[int, int]]:
    """For each row that repeats a better one which stays, that one, the nearest, and the distance in bits.

    A lower rank is better. Rows are taken from the best on: one stays if it is pinned, or not the same as one that
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
