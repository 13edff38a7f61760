"""A search's trials: what Optuna suggests after those before, and how bad a training must be to be stopped early.

Everything follows from the seed, the trial's number and the trials before it, so that a search which goes on after a
kill suggests what it would have suggested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from stages.tracking.run import Value

DONE, PRUNED, FAILED = "done", "pruned", "failed"
STATES = {DONE: TrialState.COMPLETE, PRUNED: TrialState.PRUNED, FAILED: TrialState.FAIL}
STARTUP = 5  # trials with values drawn at random, and done ones before any is stopped early: Optuna's MedianPruner's 5
RUNGS = (4, 2)  # stopped after a quarter or half of the epochs
TIE = 1e-4  # accuracies come rounded to 4 digits: one that equals the bound must not fall below it
DIGITS = 3  # of a suggested fraction, so that a person can read it


@dataclass(frozen=True)
class Trial:
    """What was tried and came of it: the accuracy on validation of the epoch that is kept, and of all epochs."""

    values: Mapping[str, Value]
    status: str
    val_accuracy: float = 0
    accuracies: Sequence[float] = field(default_factory=list)
    reason: str = ""


def suggest(varied: Mapping[str, BaseDistribution], before: Sequence[Trial], seed: int) -> dict[str, Value]:
    """The next trial's values, by a tree-structured Parzen estimator (Bergstra et al. 2011) over the trials before."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    own_seed = int(np.random.SeedSequence([seed, len(before) + 1]).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=own_seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials([freeze(trial, varied) for trial in before])
    asked = study.ask(dict(varied)).params
    return {key: rounded(asked[key], distribution) for key, distribution in varied.items()}


def rounded(value: Value, distribution: BaseDistribution) -> Value:
    """A fraction of few digits, within its bounds; any other value as it is."""
    if not isinstance(distribution, FloatDistribution):
        return value
    return min(max(float(f"{value:.{DIGITS}g}"), distribution.low), distribution.high)


def freeze(trial: Trial, varied: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """The trial as Optuna takes it."""
    return create_trial(
        state=STATES[trial.status],
        value=trial.val_accuracy if trial.status == DONE else None,
        params={key: trial.values[key] for key in varied},
        distributions=dict(varied),
        intermediate_values=dict(enumerate(np.maximum.accumulate(trial.accuracies).tolist(), 1)),
    )


def least_accuracies(before: Sequence[Trial], epochs: int) -> dict[int, float]:
    """By epoch the accuracy on validation below which a training of so many epochs stops: the median of those before.

    Of each trial that was not stopped its best epoch so far counts, as in Optuna's MedianPruner. That one asks after
    each epoch of a training; known beforehand the bounds are params of an experiment that anyone can run again.
    """
    done = [trial.accuracies for trial in before if trial.status == DONE]
    if len(done) < STARTUP:
        return {}
    ends = sorted({max(1, epochs // part) for part in RUNGS} - {epochs})
    return {end: round(median(max(each[:end]) for each in done) - TIE, 4) for end in ends}


def is_below(accuracies: Sequence[float], least: Mapping[int, float]) -> bool:
    """Whether a training with these accuracies was stopped by the bounds."""
    return any(len(accuracies) == end and max(accuracies) < bound for end, bound in least.items())
