"""The phases of a training, and when it ends before its last epoch."""

from dataclasses import dataclass

import keras

from stages.networks.network_params import TransferParams
from stages.results.history import History
from stages.train.hyperparams import Hyperparams


@dataclass(frozen=True)
class Phase:
    """A part of a training: so many epochs at most, with a learning rate of its own from params.yaml."""

    number: int
    epochs: int
    learning_rate: float
    param: str
    trains_tail: bool


def plan(settings: Hyperparams) -> list[Phase]:
    """One phase; with fine-tuning two: the head alone, then at a lower rate the backbone's last layers with it."""
    if not isinstance(settings, TransferParams) or not settings.fine_tuning_epochs:
        return [Phase(0, settings.epochs, settings.learning_rate, "learning_rate", trains_tail=True)]
    return [
        Phase(0, settings.epochs, settings.learning_rate, "learning_rate", trains_tail=False),
        Phase(1, settings.fine_tuning_epochs, settings.fine_tuning_rate, "fine_tuning_rate", trains_tail=True),
    ]


def is_pruned(history: History, settings: Hyperparams) -> bool:
    """Whether by one of `prune_epochs` no validation accuracy had reached the one of `prune_accuracies` beside it."""
    reached = history.get("val_accuracy", [])
    wanted = zip(settings.prune_epochs, settings.prune_accuracies, strict=True)
    return any(len(reached) >= epoch and max(reached[:epoch]) < least for epoch, least in wanted)


def set_trainable(tail: keras.Model, is_trainable: bool) -> None:
    """The backbone's last layers learn or not; their batch normalisation keeps the statistics it came with."""
    tail.trainable = is_trainable
    for layer in tail.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
