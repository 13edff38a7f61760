"""A search's trials: the values that Optuna suggests, and the accuracy below which a training stops early.

Both depend only on the seed, the trial's number and the trials before it. A search that continues after a kill
therefore suggests the same values as without the kill.
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
# Trials whose values are drawn at random, and done trials before any is stopped early: the default of Optuna's pruner.
STARTUP = 5
RUNGS = (4, 2)  # trials stop after a quarter or half of the epochs
TIE = 1e-4  # accuracies are rounded to 4 digits: an accuracy that equals the bound must not fall below it
DIGITS = 3  # significant digits of a suggested fraction, so that a person can read it


@dataclass(frozen=True)
class Trial:
    """The values that were tried and their result: validation accuracy of the epoch that is kept, and of all epochs."""

    values: Mapping[str, Value]
    status: str
    val_accuracy: float = 0
    accuracies: Sequence[float] = field(default_factory=list)
    reason: str = ""


def suggest(varied: Mapping[str, BaseDistribution], before: Sequence[Trial], seed: int) -> dict[str, Value]:
    """Suggest the next trial's values by a tree-structured Parzen estimator (Bergstra et al. 2011)."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    own_seed = int(np.random.SeedSequence([seed, len(before) + 1]).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=own_seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials([freeze(trial, varied) for trial in before])
    asked = study.ask(dict(varied)).params
    return {key: rounded(asked[key], distribution) for key, distribution in varied.items()}


def rounded(value: Value, distribution: BaseDistribution) -> Value:
    """Round a fraction to few digits, within its bounds; return any other value as it is."""
    if not isinstance(distribution, FloatDistribution):
        return value
    return min(max(float(f"{value:.{DIGITS}g}"), distribution.low), distribution.high)


def freeze(trial: Trial, varied: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Return the trial in Optuna's form."""
    return create_trial(
        state=STATES[trial.status],
        value=trial.val_accuracy if trial.status == DONE else None,
        params={key: trial.values[key] for key in varied},
        distributions=dict(varied),
        intermediate_values=dict(enumerate(np.maximum.accumulate(trial.accuracies).tolist(), 1)),
    )


def least_accuracies(before: Sequence[Trial], epochs: int) -> dict[int, float]:
    """Return by epoch the validation accuracy below which a training stops: the median of the trials before it.

    The best epoch so far of each trial that was not stopped counts, as in Optuna's MedianPruner. Optuna's pruner is
    asked after each epoch; these bounds are known beforehand, so that they are params of an experiment that anyone can
    run again.
    """
    done = [trial.accuracies for trial in before if trial.status == DONE]
    if len(done) < STARTUP:
        return {}
    ends = sorted({max(1, epochs // part) for part in RUNGS} - {epochs})
    return {end: round(median(max(accuracies[:end]) for accuracies in done) - TIE, 4) for end in ends}


def is_below(accuracies: Sequence[float], least: Mapping[int, float]) -> bool:
    """Return whether the bounds stopped a training with these accuracies."""
    return any(len(accuracies) == end and max(accuracies) < bound for end, bound in least.items())
