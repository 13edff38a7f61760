"""The learning rate of each step, from what params.yaml says and what validation has said so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stages.train.hyperparams import Hyperparams


@dataclass(frozen=True)
class Moment:
    """Where a training is: a step, from 0, of `steps` in each of `epochs`, after these losses on validation."""

    step: int
    steps: int
    epochs: int
    losses: Sequence[float]


def learning_rate(settings: Hyperparams, initial: float, now: Moment) -> float:
    """The rate of a step of a training that begins with the rate `initial`.

    `step` multiplies by `schedule_factor` every `schedule_epochs`; `plateau` does after so many epochs without a lower
    loss; `cosine` falls to 0 over all epochs (Loshchilov and Hutter 2016, https://arxiv.org/abs/1608.03983, without
    restarts). Before, the rate rises in a straight line over `warmup_epochs` (Goyal et al. 2017,
    https://arxiv.org/abs/1706.02677).
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
    """How often so many losses in a row were not below the lowest one before; after each the count begins anew."""
    lowest, waited, plateaus = math.inf, 0, 0
    for loss in losses:
        waited = 0 if loss < lowest else waited + 1
        lowest = min(lowest, loss)
        if waited == patience:
            waited, plateaus = 0, plateaus + 1
    return plateaus
