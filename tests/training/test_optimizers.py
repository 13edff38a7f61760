import keras
import pytest

from stages.models import vgg
from stages.training.hyperparams import read_settings
from stages.training.optimizers import Moment, count_plateaus, learning_rate, make_optimizer, variables_of


@pytest.fixture
def rates(project):
    settings = read_settings("vgg", vgg)

    def rates(epochs=10, steps=2, losses=(), **changes):
        changed = settings.model_copy(update={"schedule_epochs": 3, "schedule_factor": 0.1, **changes})
        moments = (Moment(step, steps, epochs, losses[: step // steps]) for step in range(epochs * steps))
        return [learning_rate(changed, 1.0, now) for now in moments]

    return rates


def test_a_constant_rate_stays(rates):
    assert rates(schedule="constant") == [1.0] * 20


def test_a_step_falls_after_so_many_epochs(rates):
    assert rates(schedule="step") == pytest.approx([1.0] * 6 + [0.1] * 6 + [0.01] * 6 + [0.001] * 2)


def test_a_cosine_goes_from_the_rate_to_nearly_nothing_through_its_half(rates):
    found = rates(schedule="cosine")
    assert found[0] == 1
    assert found[10] == pytest.approx(0.5)
    assert 0 < found[-1] < 0.01
    assert found == sorted(found, reverse=True)


def test_a_plateau_falls_after_so_many_epochs_without_a_lower_loss(rates):
    losses = [1.0, 0.9, 0.9, 0.95, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8]
    assert rates(schedule="plateau", losses=losses) == pytest.approx([1.0] * 10 + [0.1] * 8 + [0.01] * 2)


def test_a_warm_up_rises_to_the_rate_in_a_straight_line_and_the_schedule_follows(rates):
    found = rates(schedule="constant", warmup_epochs=2)
    assert found[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found[4:] == [1.0] * 16
    cosine = rates(schedule="cosine", warmup_epochs=2)
    assert cosine[3] == cosine[4] == 1
    assert cosine[5:] == sorted(cosine[5:], reverse=True)


def test_a_warm_up_as_long_as_the_training_never_ends(rates):
    assert rates(schedule="cosine", epochs=2, warmup_epochs=5) == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("losses", "plateaus"), [([], 0), ([1, 1], 0), ([1, 1, 1], 1), ([1, 1, 1, 1, 1], 2), ([3, 2, 1, 2, 0.5], 0)]
)
def test_plateaus_are_counted(losses, plateaus):
    assert count_plateaus(losses, 2) == plateaus


@pytest.mark.parametrize("is_scaled", [False, True])
@pytest.mark.parametrize("name", ["adam", "nadam", "sgd"])
def test_an_optimizer_that_is_given_all_variables_of_another_goes_on_like_it(project, tensors, name, is_scaled):
    def make():
        settings = read_settings("vgg", vgg).model_copy(update={"optimizer": name, "momentum": 0.9})
        optimizer = make_optimizer(settings, 0.1)
        weight = keras.Variable([1.0, 2.0])
        scaled = keras.optimizers.LossScaleOptimizer(optimizer) if is_scaled else optimizer
        scaled.build([weight])
        return scaled, weight

    def step(optimizer, weight):
        optimizer.apply([keras.ops.convert_to_tensor([0.5, -2.0])], [weight])
        return keras.ops.convert_to_numpy(weight.value).tolist()

    first, second = make(), make()
    for _ in range(3):
        step(*first)
    for one, other in zip((*variables_of(first[0]), first[1]), (*variables_of(second[0]), second[1]), strict=True):
        other.assign(one)
    assert step(*first) == step(*second)
