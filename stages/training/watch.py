"""The actions at each step and epoch of a training: learning rate, checkpoint and curves."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from dvclive.live import Live

from stages.results.history import History, add, best_epoch, count_epochs
from stages.training.batches import Data
from stages.training.checkpoints import Arrays, save_state
from stages.training.hyperparams import Hyperparams
from stages.training.optimizers import Moment, learning_rate
from stages.training.phases import Phase, is_over
from stages.training.saving import save

LAST_GOOD = "last_good.keras"


@dataclass(frozen=True)
class Log:
    """The folder and curves of a network's training, and the history and best weights before the present phase."""

    network: str
    folder: Path
    curves: Live
    before: History
    best: Arrays


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """The callback that sets learning rates, stops at a loss that is not finite, and writes a checkpoint each epoch."""

    def __init__(
        self, data: Data, phase: Phase, settings: Hyperparams, log: Log, history: History, best: Arrays
    ) -> None:
        super().__init__()
        self.best = best
        self.data, self.phase, self.settings, self.log, self.history = data, phase, settings, log, history
        self.first = count_epochs(log.before)
        for epoch in range(self.first, count_epochs(history)):
            show({key: values[epoch] for key, values in history.items() if key != "seconds"}, log.curves)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Take the time at which the epoch starts, and tell the batches its number."""
        self.start = time.perf_counter()
        # That of validation too, because the last digit of its loss depends on the order of its rows.
        for batches in (self.data.training, self.data.validation):
            batches.epoch = epoch + 1

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the optimizer's learning rate for the step."""
        steps = len(self.data.training)
        step = (count_epochs(self.history) - self.first) * steps + batch
        losses = self.history.get("val_loss", [])[self.first :]
        now = Moment(step, steps, self.phase.epochs, losses)
        self.rate = learning_rate(self.settings, self.phase.learning_rate, now)
        self.model.optimizer.learning_rate = self.rate

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Check the loss of the step."""
        self.check_loss(logs["loss"], f"step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the epoch to the history and the curves, write a checkpoint, and end the phase if it is over."""
        self.check_loss(logs["val_loss"], "validation")
        numbers = {key: float(logs[key]) for key in ("loss", "accuracy", "val_loss", "val_accuracy")}
        numbers["learning_rate"] = self.rate
        self.history = add(self.history, numbers | {"seconds": time.perf_counter() - self.start})
        if best_epoch(self.history, self.settings.monitor) == count_epochs(self.history):
            self.best = self.model.get_weights()
        self.model.stop_training = is_over(self.history, self.phase, self.first, self.settings)
        path = self.log.folder / f"phase-{self.phase.number}.npz"
        save_state(path, self.model, self.best, self.history, self.model.stop_training)
        show(numbers, self.log.curves)

    def check_loss(self, loss: Any, where: str) -> None:
        """Check that the loss is finite.

        Raises:
            ValueError: The loss is infinite or not a number.
        """
        if not np.isfinite(float(loss)):
            raise ValueError(
                f"params.yaml train.{self.log.network}.{self.phase.param}: expected one with which the loss stays "
                f"finite, got a loss of {float(loss)} in {where} of epoch {count_epochs(self.history) + 1}, at a rate "
                f"of {self.rate:g}; try a tenth of it, warmup_epochs or clip_norm.{self.keep_last_good()}"
            )

    def keep_last_good(self) -> str:
        """Write the model of the best epoch before, and return a sentence that says where; empty if there is none."""
        if not (best := self.best or self.log.best):
            return ""
        self.model.set_weights(best)
        save(self.model, self.log.folder / LAST_GOOD)
        return f" The model of the best epoch before is kept in {self.log.folder / LAST_GOOD}."


def show(epoch: Mapping[str, float], curves: Live) -> None:
    """Add an epoch to the curves."""
    for key, value in epoch.items():
        split, _, name = key.rpartition("_") if key.startswith("val_") else ("train", "", key)
        curves.log_metric(name if key == "learning_rate" else f"{split}/{name}", value)
    curves.next_step()  # type: ignore[no-untyped-call]
