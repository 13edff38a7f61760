"""What params.yaml can say about training any network: `train.common`, overridden by `train.<network>`."""

from typing import Literal

from pydantic import Field, PositiveInt

from stages.core.params import Section


class Hyperparams(Section):
    """One training run."""

    seed: int = Field(ge=0)
    threads: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    width: float = Field(gt=0)
    scaling: Literal["unit", "signed", "imagenet_bgr"]
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


class TransferParams(Hyperparams):
    """One training run of a network with published weights, under a head of its own."""

    trainable_layers: int = Field(ge=0)
    head: Literal["linear", "dense"]
    fine_tuning_epochs: int = Field(ge=0)
    fine_tuning_rate: float = Field(gt=0)
