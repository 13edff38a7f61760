"""The phases of a training, and the rules that end a training before its last epoch."""

from dataclasses import dataclass

import keras

from stages.networks.network_params import TransferParams
from stages.results.history import History, best_epoch, count_epochs
from stages.training.hyperparams import Hyperparams


@dataclass(frozen=True)
class Phase:
    """A phase of a training: at most `epochs` epochs, with the learning rate of the key `param` in params.yaml."""

    number: int
    epochs: int
    learning_rate: float
    param: str
    trains_tail: bool


def plan(settings: Hyperparams) -> list[Phase]:
    """Return one phase, or with fine-tuning two: the head, then the head and the backbone's last layers."""
    if not isinstance(settings, TransferParams) or not settings.fine_tuning_epochs:
        return [Phase(0, settings.epochs, settings.learning_rate, "learning_rate", trains_tail=True)]
    return [
        Phase(0, settings.epochs, settings.learning_rate, "learning_rate", trains_tail=False),
        Phase(1, settings.fine_tuning_epochs, settings.fine_tuning_rate, "fine_tuning_rate", trains_tail=True),
    ]


def is_over(history: History, phase: Phase, first: int, settings: Hyperparams) -> bool:
    """Return whether a phase that began after `first` epochs has had all of its epochs, or waited long enough."""
    done, best = count_epochs(history), best_epoch(history, settings.monitor)
    is_stuck = done - max(best, first) >= settings.patience
    return done - first == phase.epochs or is_stuck or is_pruned(history, settings)


def is_pruned(history: History, settings: Hyperparams) -> bool:
    """Return whether by one of `prune_epochs` no validation accuracy had reached its value in `prune_accuracies`."""
    reached = history.get("val_accuracy", [])
    wanted = zip(settings.prune_epochs, settings.prune_accuracies, strict=True)
    return any(len(reached) >= epoch and max(reached[:epoch]) < least for epoch, least in wanted)


def set_trainable(tail: keras.Model, is_trainable: bool) -> None:
    """Let the tail be trained or not; its batch normalisation always keeps the statistics of the published weights."""
    tail.trainable = is_trainable
    for layer in tail.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
