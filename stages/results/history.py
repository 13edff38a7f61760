"""The history of a training: the values of each epoch, and the best epoch."""

from collections.abc import Mapping

import pandas as pd

History = dict[str, list[float]]  # loss, accuracy, val_loss, val_accuracy, learning_rate, seconds: a value per epoch


def add(history: History, epoch: Mapping[str, float]) -> History:
    """Return the history with one more epoch."""
    return {key: [*history.get(key, []), float(value)] for key, value in epoch.items()}


def count_epochs(history: History) -> int:
    """Return the number of epochs."""
    return len(history.get("loss", []))


def best_epoch(history: History, monitor: str) -> int:
    """Return the epoch, counted from 1, with the lowest loss or the highest accuracy on validation.

    The first of equal epochs counts. The result is 0 if there are no epochs.
    """
    values = history.get(monitor, [])
    if not values:
        return 0
    return 1 + values.index(min(values) if monitor.endswith("loss") else max(values))


def as_table(history: History) -> pd.DataFrame:
    """Return a row for each epoch, counted from 1, and split: loss, accuracy and learning rate at the epoch's end."""
    epochs = range(1, count_epochs(history) + 1)
    halves = [
        pd.DataFrame({
            "epoch": epochs, "split": split, "loss": history[f"{key}loss"], "accuracy": history[f"{key}accuracy"],
            "learning_rate": history["learning_rate"],
        })
        for split, key in (("train", ""), ("val", "val_"))
    ]  # fmt: skip
    return pd.concat(halves).sort_values(["epoch", "split"])
