import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.core import hashes
from stages.core.hashes import components, near_pairs, phash

BITS = st.lists(st.integers(0, 63), max_size=8).map(lambda bits: sum(1 << bit for bit in set(bits)))
CLOSE_HASHES = st.tuples(st.integers(0, 2**64 - 1), st.lists(BITS, max_size=20)).map(
    lambda drawn: [drawn[0] ^ mask for mask in drawn[1]]
)


def brute_force(values, max_distance):
    rows = range(len(values))
    distances = [(a, b, (values[a] ^ values[b]).bit_count()) for a in rows for b in rows if a < b]
    return [pair for pair in distances if pair[2] <= max_distance]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("size", [(64, 48), (31, 201), (8, 8)])
def test_a_hash_has_the_bits_of_imagehash(draw, seed, size):
    assert f"{phash(draw(seed, size)):016x}" == str(imagehash.phash(draw(seed, size)))


@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_flat_picture_has_a_hash_of_64_bits(colour):
    assert 0 <= phash(Image.new("RGB", (40, 40), colour)) < 2**64


def test_a_smaller_copy_is_near_and_another_picture_is_far(draw):
    copy = draw(0, (200, 160)).resize((100, 80), Image.Resampling.LANCZOS)
    assert (phash(draw(0, (200, 160))) ^ phash(copy)).bit_count() <= 4
    assert (phash(draw(0, (200, 160))) ^ phash(draw(1, (200, 160)))).bit_count() > 12


@given(values=CLOSE_HASHES, max_distance=st.integers(0, 64), rows=st.sampled_from([1, 3, 1024]))
def test_near_pairs_are_those_of_a_loop_over_all(values, max_distance, rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "ROWS_AT_ONCE", rows)
        pairs = near_pairs(np.array(values, dtype=np.uint64), max_distance)
    assert list(zip(*(column.tolist() for column in pairs), strict=True)) == brute_force(values, max_distance)


@pytest.mark.parametrize(("max_distance", "pairs"), [(7, []), (8, [(0, 1, 8)]), (64, [(0, 1, 8)])])
def test_a_pair_at_the_limit_counts(max_distance, pairs):
    found = near_pairs(np.array([0, 0xFF], dtype=np.uint64), max_distance)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == pairs


def test_opposite_hashes_differ_in_all_64_bits():
    assert near_pairs(np.array([0, 2**64 - 1], dtype=np.uint64), 64)[2].tolist() == [64]


def grouped(n, pairs):
    first, second = (np.array(column, dtype=np.int64) for column in (zip(*pairs, strict=True) if pairs else ((), ())))
    labels = components(n, first, second).tolist()
    return {frozenset(row for row in range(n) if labels[row] == label) for label in labels}


@pytest.mark.parametrize(
    ("n", "pairs", "groups"),
    [
        (0, [], set()),
        (3, [], {frozenset({0}), frozenset({1}), frozenset({2})}),
        (4, [(0, 1), (1, 2)], {frozenset({0, 1, 2}), frozenset({3})}),
        (4, [(2, 3), (0, 1)], {frozenset({0, 1}), frozenset({2, 3})}),
        (4, [(0, 1), (2, 3), (1, 3)], {frozenset({0, 1, 2, 3})}),
    ],
)
def test_groups_are_what_pairs_connect(n, pairs, groups):
    assert grouped(n, pairs) == groups
