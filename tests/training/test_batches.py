import numpy as np
import pytest

from stages.networks.inputs import SplitRows
from stages.training.batches import Batches, balanced_weights
from stages.transforms.affine import Augmentation

pytestmark = pytest.mark.usefixtures("tensors")

ARRAY = np.arange(10 * 4 * 4 * 3, dtype=np.uint8).reshape(10, 4, 4, 3)
ROWS = SplitRows(np.array([1, 3, 5, 7, 9]), np.array([0, 1, 0, 1, 0]))


ALIKE = np.ones(2)


def make(batch_size=2, seed=0, amounts=None, weights=ALIKE, **options):
    return Batches(ARRAY, ROWS, batch_size, seed, weights, amounts, **options)


def epoch_of(batches):
    return [batches[i] for i in range(len(batches))]


def test_an_epoch_holds_each_row_once_with_its_label():
    images = np.concatenate([x for x, _, _ in epoch_of(make())])
    labels = np.concatenate([y for _, y, _ in epoch_of(make())])
    order = np.argsort(images[:, 0, 0, 0])
    np.testing.assert_array_equal(images[order], ARRAY[ROWS.rows][np.argsort(ARRAY[ROWS.rows][:, 0, 0, 0])])
    wanted = ROWS.labels[np.argsort(ARRAY[ROWS.rows][:, 0, 0, 0])]
    np.testing.assert_array_equal(labels[order].argmax(axis=1), wanted)
    assert [len(x) for x, _, _ in epoch_of(make())] == [2, 2, 1]
    np.testing.assert_array_equal(labels.sum(axis=1), 1)


def test_the_same_seed_and_epoch_give_the_same_batches_in_any_order():
    amounts = Augmentation(rotation=30, mixup=0.2)
    first, second = (make(seed=7, amounts=amounts) for _ in range(2))
    backwards = [second[i] for i in reversed(range(len(second)))][::-1]
    for one, other in zip(epoch_of(first), backwards, strict=True):
        for ours, theirs in zip(one, other, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("amounts", [None, Augmentation(rotation=30)])
def test_another_epoch_gives_others(amounts):
    batches = make(5, 7, amounts)
    before = batches[0][0]
    batches.epoch += 1
    assert not np.array_equal(before, batches[0][0])


def test_a_row_weighs_what_its_class_does_and_a_mixed_one_in_its_shares():
    for amounts in (None, Augmentation(mixup=1.0)):
        _, labels, weights = make(5, amounts=amounts, weights=np.array([1.0, 3.0]))[0]
        np.testing.assert_allclose(weights, labels @ [1, 3], rtol=1e-6)


def test_a_row_shows_itself_or_one_of_its_views_by_chance():
    views = np.stack([ARRAY + 1000.0, ARRAY + 2000.0])
    batches = make(5, views=views)
    shown = set()
    for _ in range(20):
        shown |= {int(image[0, 0, 0]) // 1000 for image in batches[0][0]}
        originals = sorted(int(image[0, 0, 0]) % 1000 for image in batches[0][0])
        assert originals == sorted(int(image[0, 0, 0]) for image in ARRAY[ROWS.rows])
        batches.epoch += 1
    assert shown == {0, 1, 2}


def test_class_weights_make_every_class_weigh_the_same():
    labels = np.array([0] * 838 + [1] * 699)
    weights = balanced_weights(labels, 2)
    assert weights[0] * 838 == pytest.approx(weights[1] * 699)
    assert weights[labels].mean() == pytest.approx(1)


def test_cars_tanks_get_the_weights_that_its_notebook_missed():
    np.testing.assert_allclose(balanced_weights(np.array([0] * 735 + [1] * 568), 2), [0.886, 1.147], atol=5e-4)


def test_labels_are_smoothed_and_weigh_as_before():
    weights = np.array([1.0, 3.0])
    plain, smoothed = make(5, weights=weights)[0], make(5, weights=weights, label_smoothing=0.1)[0]
    np.testing.assert_allclose(smoothed[1], np.where(plain[1] == 1, 0.95, 0.05), rtol=1e-6)
    np.testing.assert_array_equal(smoothed[2], plain[2])
