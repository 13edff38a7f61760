"""All pairs of 64-bit hashes that lie close together, and the groups that such pairs form."""

from collections.abc import Iterator
from itertools import combinations
from math import comb

import joblib
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stages.images.perceptual_hash import BITS, Hashes

Integers = npt.NDArray[np.int64]
Pairs = tuple[Integers, Integers, Integers]
# Measured: looking up one key in a band takes about as long as comparing ten hashes in a block.
LOOKUP_COST = 10
COMPARED_AT_ONCE = 4_000_000  # pairs; 32 MB of differing bits
LOOKED_AT_ONCE = 100_000  # pairs in a band: what a processor's cache holds


def near_pairs(hashes: Hashes, max_distance: int) -> Pairs:
    """Return all pairs first < second of rows whose hashes differ in at most `max_distance` bits, and their distances.

    The pairs are sorted by the first, then by the second row. Few hashes are all compared with each other. Of many
    hashes, only pairs that nearly agree in one of several bands of bits are compared, which misses no pair: multi-index
    hashing, Norouzi et al. 2012, https://arxiv.org/abs/1307.2982.
    """
    bands = choose_bands(len(hashes), max_distance)
    found = list(pairs_in_bands(hashes, max_distance, bands) if bands else pairs_in_blocks(hashes, max_distance))
    first, second, distance = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((second, first))
    return first[order], second[order], distance[order]


def choose_bands(n: int, max_distance: int) -> list[tuple[int, int]]:
    """Return the (width, radius) in bits of the cheapest bands, or an empty list if comparing all pairs is cheaper.

    The radii, each plus one, add up to `max_distance` + 1. So a pair within the distance is within the radius of at
    least one band: otherwise its bits would differ by more.
    """
    best, cheapest = [], n * n / 2
    for count in range(2, 9):
        widths = [BITS * (band + 1) // count - BITS * band // count for band in range(count)]
        radii = [(max_distance + 1 + count - 1 - band) // count - 1 for band in range(count)]
        bands = [(width, radius) for width, radius in zip(widths, radii, strict=True) if width <= 24]
        if len(bands) < count:
            continue
        cost = sum(n * count_neighbours(*band) * (LOOKUP_COST + n / 2 ** band[0]) / 2 for band in bands)
        if cost < cheapest:
            best, cheapest = bands, cost
    return best


def count_neighbours(width: int, radius: int) -> int:
    """Return how many keys of `width` bits differ from a given key in at most `radius` bits."""
    return sum(comb(width, changed) for changed in range(radius + 1))


def pairs_in_blocks(hashes: Hashes, max_distance: int) -> Iterator[Pairs]:
    """Yield the pairs, found by comparing each hash with all later hashes, a block of rows at a time."""
    rows = max(1, COMPARED_AT_ONCE // max(1, len(hashes)))
    for start in range(0, max(1, len(hashes)), rows):
        block = np.bitwise_count(hashes[start : start + rows, None] ^ hashes[None, start:])
        first, second = np.nonzero(np.triu(block <= max_distance, k=1))
        yield first + start, second + start, block[first, second].astype(np.int64)


def pairs_in_bands(hashes: Hashes, max_distance: int, bands: list[tuple[int, int]]) -> Iterator[Pairs]:
    """Yield the pairs, found by looking up in each band the keys within its radius; each pair comes once."""
    shifts = np.cumsum([0, *(width for width, _ in bands)])
    parts = [
        (np.uint64(shift), np.uint64(2**width - 1), radius)
        for shift, (width, radius) in zip(shifts, bands, strict=False)
    ]
    for number, (shift, mask, radius) in enumerate(parts):
        keys = ((hashes >> shift) & mask).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        index = Index(keys[order], hashes[order], np.searchsorted(keys[order], np.arange(int(mask) + 2)))
        work = (joblib.delayed(index.near)(change, max_distance) for change in bit_changes(bands[number][0], radius))
        for first, second in joblib.Parallel(n_jobs=-1, require="sharedmem", return_as="generator_unordered")(work):
            differing = index.hashes[first] ^ index.hashes[second]
            is_new = np.ones(len(first), dtype=bool)
            for shift_, mask_, radius_ in parts[:number]:
                is_new &= np.bitwise_count((differing >> shift_) & mask_) > radius_
            rows = np.sort(order[np.stack([first[is_new], second[is_new]])], axis=0)
            yield rows[0], rows[1], np.bitwise_count(differing[is_new]).astype(np.int64)


def bit_changes(width: int, radius: int) -> Iterator[int]:
    """Yield every way to change at most `radius` of `width` bits, as an integer to combine by exclusive or."""
    for changed in range(radius + 1):
        for bits in combinations(range(width), changed):
            yield sum(1 << bit for bit in bits)


class Index:
    """Hashes sorted by the key that one band of their bits forms; key k has the rows starts[k] to starts[k + 1]."""

    def __init__(self, keys: Integers, hashes: Hashes, starts: Integers) -> None:
        self.keys, self.hashes, self.starts = keys, hashes, starts

    def near(self, change: int, max_distance: int) -> tuple[Integers, Integers]:
        """Return the rows of each pair within the distance whose keys differ in exactly the bits of `change`."""
        if change:
            # Of the two orders of each pair, the one in which the highest changed bit is not set.
            first = np.flatnonzero(self.keys & (1 << (change.bit_length() - 1)) == 0)
            begin, end = self.starts[self.keys[first] ^ change], self.starts[(self.keys[first] ^ change) + 1]
        else:
            first = np.arange(len(self.keys))
            begin, end = first + 1, self.starts[self.keys + 1]
        counts = end - begin
        is_met = counts > 0
        first, begin, counts = first[is_met], begin[is_met], counts[is_met]
        ends = np.cumsum(counts)
        cuts = np.searchsorted(ends, np.arange(LOOKED_AT_ONCE, ends[-1] if len(ends) else 0, LOOKED_AT_ONCE))
        found = [np.empty((2, 0), dtype=np.int64)]
        for rows in np.split(np.arange(len(first)), cuts):
            found.append(self.compare(first[rows], begin[rows], counts[rows], max_distance))
        pairs = np.concatenate(found, axis=1)
        return pairs[0], pairs[1]

    def compare(self, first: Integers, begin: Integers, counts: Integers, max_distance: int) -> Integers:
        """Return the pairs `(2, n)` within the distance of each row in `first` with `counts` rows from `begin` on."""
        ends = np.cumsum(counts)
        right = np.arange(ends[-1] if len(ends) else 0) + np.repeat(begin - ends + counts, counts)
        differing = np.repeat(self.hashes[first], counts) ^ self.hashes[right]
        near = np.flatnonzero(np.bitwise_count(differing) <= max_distance)
        return np.stack([first[np.searchsorted(ends, near, side="right")], right[near]])


def components(n: int, first: Integers, second: Integers) -> Integers:
    """Return for each of n rows the number of its group; pairs connect rows transitively."""
    graph = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n, n))
    labels: Integers = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels
