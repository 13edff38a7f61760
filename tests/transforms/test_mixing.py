import numpy as np
import pytest

from stages.transforms.affine import Augmentation
from stages.transforms.mixing import mix

WAYS = pytest.mark.parametrize("amounts", [{"mixup": 0.4}, {"cutmix": 1}, {"mixup": 0.4, "cutmix": 1}])


def random(seed=3):
    return np.random.default_rng(seed)


@pytest.fixture
def batch():
    """Images each of one grey of their own, 0, 10, …, and a class for each."""
    greys = np.arange(0, 240, 10, dtype=np.uint8)
    return np.broadcast_to(greys[:, None, None, None], (24, 16, 20, 3)).copy(), np.eye(24, dtype=np.float32)


def test_without_amounts_nothing_changes(batch):
    images, labels = mix(*batch, Augmentation(rotation=30), random())
    assert images is batch[0] and labels is batch[1]


@WAYS
def test_shapes_and_types_stay_and_labels_still_sum_to_one(batch, amounts):
    images, labels = mix(*batch, Augmentation(**amounts), random())
    assert (images.shape, images.dtype) == (batch[0].shape, np.uint8)
    assert (labels.shape, labels.dtype) == (batch[1].shape, np.float32)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert not np.array_equal(images, batch[0])


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@WAYS
def test_labels_tell_how_much_of_which_image_is_seen(batch, amounts, kind):
    images, labels = mix(batch[0].astype(kind), batch[1], Augmentation(**amounts), random())
    greys = labels @ np.arange(0, 240, 10)
    # Each level of a blend is rounded, the mean of a pasted box is exact.
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), greys, atol=0.5 if kind is np.uint8 else 1e-3)


@WAYS
def test_the_same_numbers_give_the_same_batch_and_others_another(batch, amounts):
    first, second, other = (mix(*batch, Augmentation(**amounts), random(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


@WAYS
def test_what_was_given_is_not_written_to(batch, amounts):
    copies = [array.copy() for array in batch]
    mix(*batch, Augmentation(**amounts), random())
    for array, copy in zip(batch, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@WAYS
def test_an_image_alone_in_its_batch_stays(batch, amounts):
    images, labels = mix(batch[0][5:6], batch[1][5:6], Augmentation(**amounts), random())
    np.testing.assert_array_equal(images, batch[0][5:6])
    np.testing.assert_allclose(labels, batch[1][5:6], rtol=1e-6)


def test_cutmix_pastes_one_box_and_mixup_blends_everywhere(batch):
    cut, _ = mix(*batch, Augmentation(cutmix=1), random())
    blended, _ = mix(*batch, Augmentation(mixup=1), random())
    assert all(set(np.unique(image)) <= set(range(0, 240, 10)) for image in cut)
    for image, original in zip(cut, batch[0], strict=True):
        rows, columns = np.nonzero((image != original)[..., 0])
        if len(rows):
            assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert all(len(np.unique(image)) == 1 for image in blended)


def test_with_both_amounts_a_coin_decides(batch):
    both = Augmentation(mixup=0.4, cutmix=1)
    is_cut = [len(np.unique(mix(*batch, both, random(seed))[0][0])) > 1 for seed in range(60)]
    assert 10 < sum(is_cut) < 50


def test_weights_of_mixup_are_drawn_from_beta(batch):
    labels = [mix(*batch, Augmentation(mixup=0.2), random(seed))[1] for seed in range(40)]
    weights = np.concatenate([np.diagonal(each)[np.diagonal(each) < 1] for each in labels])
    assert weights.mean() == pytest.approx(0.5, abs=0.06)
    # Var of Beta(a, a) is 1 / (4 (2 a + 1)).
    assert weights.var() == pytest.approx(1 / (4 * 1.4), abs=0.03)
