import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.images import hamming_search
from stages.images.hamming_search import choose_bands, components, near_pairs, pairs_in_bands, pairs_in_blocks
from stages.images.perceptual_hash import phash, phash_forms

BITS = st.lists(st.integers(0, 63), max_size=8).map(lambda bits: sum(1 << bit for bit in set(bits)))
CLOSE_HASHES = st.tuples(st.integers(0, 2**64 - 1), st.lists(BITS, max_size=20)).map(
    lambda drawn: [drawn[0] ^ mask for mask in drawn[1]]
)


def brute_force(values, max_distance):
    rows = range(len(values))
    distances = [(a, b, (values[a] ^ values[b]).bit_count()) for a in rows for b in rows if a < b]
    return [pair for pair in distances if pair[2] <= max_distance]


def thumbnail(image):
    return np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS))


def hash_of(image):
    return int(phash(thumbnail(image)[None])[0])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("size", [(64, 48), (31, 201), (8, 8)])
def test_a_hash_has_the_bits_of_imagehash(draw, seed, size):
    assert f"{hash_of(draw(seed, size)):016x}" == str(imagehash.phash(draw(seed, size)))


def test_hashes_of_a_batch_are_those_of_each(draw):
    thumbnails = np.stack([thumbnail(draw(seed)) for seed in range(20)])
    assert phash(thumbnails).tolist() == [hash_of(draw(seed)) for seed in range(20)]


def test_there_are_no_hashes_of_no_image():
    assert phash(np.empty((0, 32, 32), dtype=np.uint8)).tolist() == []


@pytest.mark.parametrize("seed", range(5))
def test_the_forms_have_the_hashes_of_the_turned_images(draw, seed):
    small = thumbnail(draw(seed))
    forms = phash_forms(small[None], mirrored=True, rotated=True)
    assert list(forms) == ["90", "180", "270", "mirror", "mirror 90", "mirror 180", "mirror 270"]
    for name, found in forms.items():
        turned = np.fliplr(small) if "mirror" in name else small
        turned = np.rot90(turned, int(name.split()[-1]) // 90 if name[-1] == "0" else 0)
        assert (int(found[0]) ^ int(phash(turned[None])[0])).bit_count() <= 2, name


@pytest.mark.parametrize(("mirrored", "rotated", "names"), [(False, False, []), (True, False, ["mirror"])])
def test_only_the_forms_asked_for_are_hashed(draw, mirrored, rotated, names):
    assert list(phash_forms(thumbnail(draw(0))[None], mirrored, rotated)) == names


@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_flat_image_has_a_hash_of_64_bits(colour):
    assert 0 <= hash_of(Image.new("RGB", (40, 40), colour)) < 2**64


def test_a_smaller_copy_is_near_and_another_image_is_far(draw):
    copy = draw(0, (200, 160)).resize((100, 80), Image.Resampling.LANCZOS)
    assert (hash_of(draw(0, (200, 160))) ^ hash_of(copy)).bit_count() <= 4
    assert (hash_of(draw(0, (200, 160))) ^ hash_of(draw(1, (200, 160)))).bit_count() > 12


def as_list(pairs):
    return sorted(zip(*(column.tolist() for column in pairs), strict=True))


@given(values=CLOSE_HASHES, max_distance=st.integers(0, 64), at_once=st.sampled_from([1, 30, 1_000_000]))
def test_near_pairs_are_those_of_a_loop_over_all(values, max_distance, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming_search, "COMPARED_AT_ONCE", at_once)
        pairs = near_pairs(np.array(values, dtype=np.uint64), max_distance)
    assert list(zip(*(column.tolist() for column in pairs), strict=True)) == brute_force(values, max_distance)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    values=CLOSE_HASHES,
    max_distance=st.integers(0, 6),
    count=st.integers(4, 8),
    at_once=st.sampled_from([1, 7, 100_000]),
)
def test_bands_miss_no_pair_and_give_none_twice(values, max_distance, count, at_once):
    widths = [64 * (band + 1) // count - 64 * band // count for band in range(count)]
    radii = [(max_distance + count - band) // count - 1 for band in range(count)]
    bands = list(zip(widths, radii, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming_search, "LOOKED_AT_ONCE", at_once)
        found = list(pairs_in_bands(np.array(values, dtype=np.uint64), max_distance, bands))
    pairs = [np.concatenate(column) for column in zip(*found, strict=True)] if found else [np.empty(0, dtype=int)] * 3
    assert as_list(pairs) == brute_force(values, max_distance)


@pytest.mark.parametrize("max_distance", [0, 12])
def test_many_hashes_give_the_same_pairs_in_bands_as_in_blocks(max_distance):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**64, 6_000, dtype=np.uint64)
    values[3_000:] = values[:3_000] ^ (np.uint64(1) << rng.integers(0, 64, 3_000).astype(np.uint64))
    assert choose_bands(len(values), max_distance)
    expected = [np.concatenate(column) for column in zip(*pairs_in_blocks(values, max_distance), strict=True)]
    assert as_list(near_pairs(values, max_distance)) == as_list(expected)


@pytest.mark.parametrize("n", [100, 10_000, 1_000_000])
@pytest.mark.parametrize("max_distance", [0, 1, 8, 12, 20])
def test_a_pair_within_the_distance_is_within_the_radius_of_a_band(n, max_distance):
    bands = choose_bands(n, max_distance)
    assert not bands or sum(width for width, _ in bands) == 64
    assert not bands or sum(radius + 1 for _, radius in bands) == max_distance + 1


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
