"""The params of a training: `train.common`, overridden by `train.<network>`."""

from types import ModuleType
from typing import Literal, cast

from pydantic import Field, PositiveInt, create_model

from stages.core import params


class Hyperparams(params.Section):
    """The hyperparameters that the trainings of all networks have."""

    seed: int = Field(ge=0)
    threads: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    augmentation: str
    optimizer: Literal["adam", "nadam", "sgd"]
    momentum: float = Field(ge=0, lt=1)
    clip_norm: float | None = Field(gt=0)
    schedule: Literal["constant", "step", "cosine", "plateau"]
    schedule_epochs: int = Field(ge=1)
    schedule_factor: float = Field(gt=0, lt=1)
    warmup_epochs: int = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    gpus: int = Field(ge=1)
    class_weights: bool
    monitor: Literal["val_loss", "val_accuracy"]
    patience: int = Field(ge=1)
    prune_epochs: list[PositiveInt]
    prune_accuracies: list[float]


def read_settings(name: str, network: ModuleType) -> Hyperparams:
    """Read the hyperparameters of a training and the network's own params, as one checked model.

    Args:
        name: The name of the network and of its table in `train`.
        network: The network's module in `stages/models`.

    Raises:
        ValueError: params.yaml lacks a key, or holds an unknown one or a value out of range.
    """
    combined = cast(type[Hyperparams], create_model("Settings", __base__=(network.Params, Hyperparams)))
    return params.read(combined, "train.common", f"train.{name}")
