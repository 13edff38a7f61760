"""Perceptual hashes, the pairs of them that lie close, and the groups that such pairs form."""

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Hashes = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
ROWS_AT_ONCE = 1024


def phash(image: Image.Image) -> int:
    """The 64 bits of `imagehash.phash`: the signs of the lowest 8x8 DCT coefficients against their median.

    Source: https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html
    """
    return int(str(imagehash.phash(image)), 16)


def near_pairs(hashes: Hashes, max_distance: int) -> tuple[Integers, Integers, Integers]:
    """All pairs first < second of rows whose hashes differ in at most `max_distance` bits, and in how many.

    Sorted by first, then second row.
    """
    firsts, seconds, distances = [], [], []
    for start in range(0, len(hashes), ROWS_AT_ONCE):
        block = np.bitwise_count(hashes[start : start + ROWS_AT_ONCE, None] ^ hashes[None, :])
        first, second = np.nonzero(block <= max_distance)
        is_pair = first + start < second
        firsts.append(first[is_pair] + start)
        seconds.append(second[is_pair])
        distances.append(block[first[is_pair], second[is_pair]].astype(np.int64))
    return _joined(firsts), _joined(seconds), _joined(distances)


def _joined(blocks: list[Integers]) -> Integers:
    return np.concatenate(blocks) if blocks else np.empty(0, dtype=np.int64)


def components(n: int, first: Integers, second: Integers) -> Integers:
    """For each of n rows the number of the group that the pairs, taken transitively, put it in."""
    graph = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n, n))
    labels: Integers = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels
