"""The learning rate of each training step, from params.yaml and the validation losses so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stages.train.hyperparams import Hyperparams


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
