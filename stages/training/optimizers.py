"""The optimizers that the documents used, and their learning rates: the schedule from params.yaml, step by step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from stages.training.hyperparams import Hyperparams


def make_optimizer(settings: Hyperparams, learning_rate: float) -> keras.optimizers.Optimizer:
    """Return Adam (cars_tanks, film_genres), Nadam (anime_characters) or SGD, with Keras's defaults for other settings.

    If `clip_norm` is set, the gradients are scaled so that the norm of all of them together is at most `clip_norm`
    (Pascanu et al. 2012, https://arxiv.org/abs/1211.5063).
    """
    common = {"learning_rate": learning_rate, "global_clipnorm": settings.clip_norm}
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=settings.momentum, **common)
    return {"adam": keras.optimizers.Adam, "nadam": keras.optimizers.Nadam}[settings.optimizer](**common)


def variables_of(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return all variables of an optimizer that is built, in order.

    Keras's own list leaves out the running product of a Nadam whose loss is scaled, as in mixed_float16.
    """
    listed = list(optimizer.variables)
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    known = {id(variable) for variable in listed}
    hidden = (each for each in vars(inner).values() if isinstance(each, keras.Variable) and id(each) not in known)
    return [*listed, *hidden]


@dataclass(frozen=True)
class Moment:
    """A moment of a phase: its step, counted from 0 over all epochs, and the validation losses so far.

    Each of the `epochs` epochs has `steps` steps.
    """

    step: int
    steps: int
    epochs: int
    losses: Sequence[float]


def learning_rate(settings: Hyperparams, initial: float, now: Moment) -> float:
    """Return the learning rate of a step in a phase whose learning rate in params.yaml is `initial`.

    The schedule `step` multiplies the rate by `schedule_factor` every `schedule_epochs` epochs. `plateau` multiplies it
    after each `schedule_epochs` epochs without a lower loss. `cosine` lets it fall to 0 over all epochs (Loshchilov and
    Hutter 2016, https://arxiv.org/abs/1608.03983, without restarts). Before the schedule, the rate rises in a straight
    line over `warmup_epochs` (Goyal et al. 2017, https://arxiv.org/abs/1706.02677).
    """
    warmup, last = settings.warmup_epochs * now.steps, now.epochs * now.steps
    if now.step < warmup:
        return initial * (now.step + 1) / warmup
    if settings.schedule == "cosine":
        return initial * (1 + math.cos(math.pi * (now.step - warmup) / (last - warmup))) / 2
    falls = {
        "constant": 0,
        "step": now.step // now.steps // settings.schedule_epochs,
        "plateau": count_plateaus(now.losses, settings.schedule_epochs),
    }
    return initial * float(settings.schedule_factor ** falls[settings.schedule])


def count_plateaus(losses: Sequence[float], patience: int) -> int:
    """Return how often `patience` losses in a row were not below the lowest loss before them.

    After each plateau the count of losses in a row starts again at 0.
    """
    lowest, waited, plateaus = math.inf, 0, 0
    for loss in losses:
        waited = 0 if loss < lowest else waited + 1
        lowest = min(lowest, loss)
        if waited == patience:
            waited, plateaus = 0, plateaus + 1
    return plateaus
