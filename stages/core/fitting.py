"""Fitting a model, epoch after epoch, so that a kill costs no more than the epoch in which it comes."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from dvclive.live import Live

from stages.core.batches import Batches
from stages.core.checkpoints import Arrays, load_state, restore, save_state
from stages.core.history import History, add, best_epoch, count_epochs
from stages.core.hyperparams import Hyperparams, TransferParams
from stages.core.optimizers import make_optimizer
from stages.core.saving import save
from stages.core.schedules import Moment, learning_rate

LAST_GOOD = "last_good.keras"


@dataclass(frozen=True)
class Phase:
    """A part of a training: so many epochs at most, with a learning rate of its own from params.yaml."""

    number: int
    epochs: int
    learning_rate: float
    param: str
    trains_tail: bool


@dataclass(frozen=True)
class Data:
    """What is learned from, and what each epoch is judged by."""

    training: Batches
    validation: Batches


def plan(settings: Hyperparams) -> list[Phase]:
    """One phase; with fine-tuning two: the head alone, then at a lower rate the backbone's last layers with it."""
    if not isinstance(settings, TransferParams) or not settings.fine_tuning_epochs:
        return [Phase(0, settings.epochs, settings.learning_rate, "learning_rate", trains_tail=True)]
    return [
        Phase(0, settings.epochs, settings.learning_rate, "learning_rate", trains_tail=False),
        Phase(1, settings.fine_tuning_epochs, settings.fine_tuning_rate, "fine_tuning_rate", trains_tail=True),
    ]


def fit(
    network: str, model: keras.Model, tail: keras.Model | None, data: Data, settings: Hyperparams, folder: Path,
    live: Path,
) -> History:  # fmt: skip
    """The history; the model then has the weights of its best epoch by `monitor`.

    Checkpoints are kept in the folder, and gone on with where there are any. While it runs, DVCLive writes the curves
    to the folder `live`.

    Raises:
        ValueError: the loss is no longer finite.
    """
    history: History = {}
    best: Arrays = []
    with Live(str(live), dvcyaml=None, report=None, save_dvc_exp=False) as curves:
        for phase in plan(settings):
            if tail is not None:
                set_trainable(tail, phase.trains_tail)
            history, best = fit_phase(model, data, phase, settings, Log(network, folder, curves, history, best))
            model.set_weights(best)
            if is_pruned(history, settings):
                break
    return history


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


@dataclass(frozen=True)
class Log:
    """Where the training of a network is kept and shown, and what came before its present phase."""

    network: str
    folder: Path
    curves: Live
    before: History
    best: Arrays


def fit_phase(model: keras.Model, data: Data, phase: Phase, settings: Hyperparams, log: Log) -> tuple[History, Arrays]:
    """The history with this phase's epochs, and the weights of the best one so far."""
    model.compile(
        optimizer=make_optimizer(settings, phase.learning_rate),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    state = load_state(log.folder / f"phase-{phase.number}.npz")
    if state is not None:
        restore(state, model)
        print(f"training goes on after epoch {count_epochs(state.history)}, from {log.folder}")
    history = log.before if state is None else state.history
    watch = Watch(data.training, phase, settings, log, history, state.best if state else [])
    if state is None or not state.is_over:
        # Not for validation's sake, but for the last digit of its loss, which depends on the order of rows.
        data.training.epoch = data.validation.epoch = count_epochs(history)
        model.fit(
            data.training,
            validation_data=data.validation,
            initial_epoch=count_epochs(history),
            epochs=watch.first + phase.epochs,
            shuffle=False,  # `Batches` does, by its own seed
            callbacks=[watch],
            verbose=1 if sys.stdout.isatty() else 2,
        )
    return watch.history, watch.best or log.best


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the rate of each step, stops at a loss that is no number, and after each epoch keeps what there is."""

    def __init__(
        self, training: Batches, phase: Phase, settings: Hyperparams, log: Log, history: History, best: Arrays
    ) -> None:
        super().__init__()
        self.best = best
        self.training, self.phase, self.settings, self.log, self.history = training, phase, settings, log, history
        self.first = count_epochs(log.before)
        for epoch in range(self.first, count_epochs(history)):
            self.show({key: values[epoch] for key, values in history.items() if key != "seconds"})

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """The epoch's time is taken."""
        self.start = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """The optimizer has the step's rate."""
        steps = len(self.training)
        step = (count_epochs(self.history) - self.first) * steps + batch
        losses = self.history.get("val_loss", [])[self.first :]
        now = Moment(step, steps, self.phase.epochs, losses)
        self.rate = learning_rate(self.settings, self.phase.learning_rate, now)
        self.model.optimizer.learning_rate = self.rate

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """A loss that is no number ends the training."""
        self.check(logs["loss"], f"step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """The epoch is in the history and on the curves, its state in the folder, and was perhaps the last one."""
        self.check(logs["val_loss"], "validation")
        numbers = {key: float(logs[key]) for key in ("loss", "accuracy", "val_loss", "val_accuracy")}
        numbers["learning_rate"] = self.rate
        self.history = add(self.history, numbers | {"seconds": time.perf_counter() - self.start})
        done, best = count_epochs(self.history), best_epoch(self.history, self.settings.monitor)
        if best == done:
            self.best = self.model.get_weights()
        is_last = done - self.first == self.phase.epochs
        is_stuck = done - max(best, self.first) >= self.settings.patience
        is_over = is_last or is_stuck or is_pruned(self.history, self.settings)
        path = self.log.folder / f"phase-{self.phase.number}.npz"
        save_state(path, self.model, self.best, self.history, is_over)
        self.show(numbers)
        self.model.stop_training = is_over

    def show(self, epoch: Mapping[str, float]) -> None:
        """The epoch is on the curves."""
        for key, value in epoch.items():
            split, _, name = key.rpartition("_") if key.startswith("val_") else ("train", "", key)
            self.log.curves.log_metric(name if key == "learning_rate" else f"{split}/{name}", value)
        self.log.curves.next_step()  # type: ignore[no-untyped-call]

    def check(self, loss: Any, where: str) -> None:
        """Nothing, where the loss is a number.

        Raises:
            ValueError: it is none.
        """
        if not np.isfinite(float(loss)):
            raise ValueError(
                f"params.yaml train.{self.log.network}.{self.phase.param}: expected one with which the loss stays "
                f"finite, got a loss of {float(loss)} in {where} of epoch {count_epochs(self.history) + 1}, at a rate "
                f"of {self.rate:g}; try a tenth of it, warmup_epochs or clip_norm.{self.keep_last_good()}"
            )

    def keep_last_good(self) -> str:
        """A sentence that says where the model of the best epoch so far is kept; empty without any."""
        if not (best := self.best or self.log.best):
            return ""
        self.model.set_weights(best)
        save(self.model, self.log.folder / LAST_GOOD)
        return f" The model of the best epoch before is kept in {self.log.folder / LAST_GOOD}."
