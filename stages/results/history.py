"""What each epoch of a training came to, and which one was best."""

from collections.abc import Mapping

import pandas as pd

History = dict[str, list[float]]  # loss, accuracy, val_loss, val_accuracy, learning_rate, seconds: for each epoch


def add(history: History, epoch: Mapping[str, float]) -> History:
    """The history with one epoch more."""
    return {key: [*history.get(key, []), float(value)] for key, value in epoch.items()}


def count_epochs(history: History) -> int:
    """How many epochs there were."""
    return len(history.get("loss", []))


def best_epoch(history: History, monitor: str) -> int:
    """The epoch, from 1, with the lowest loss or highest accuracy on validation; of equals the first; 0 without any."""
    values = history.get(monitor, [])
    if not values:
        return 0
    return 1 + values.index(min(values) if monitor.endswith("loss") else max(values))


def as_table(history: History) -> pd.DataFrame:
    """A row for each epoch, from 1, and split: loss, accuracy and the rate at the epoch's end."""
    epochs = range(1, count_epochs(history) + 1)
    halves = [
        pd.DataFrame({
            "epoch": epochs, "split": split, "loss": history[f"{key}loss"], "accuracy": history[f"{key}accuracy"],
            "learning_rate": history["learning_rate"],
        })
        for split, key in (("train", ""), ("val", "val_"))
    ]  # fmt: skip
    return pd.concat(halves).sort_values(["epoch", "split"])
