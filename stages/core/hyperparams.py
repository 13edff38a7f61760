"""What params.yaml can say about training any network: `train.common`, overridden by `train.<network>`."""

from typing import Literal

from pydantic import Field

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
    scaling: Literal["unit", "signed"]
    augmentation: str
    class_weights: bool
    monitor: Literal["val_loss", "val_accuracy"]
    patience: int = Field(ge=1)


class TransferParams(Hyperparams):
    """One training run of a network with published weights, under a head of its own."""

    trainable_layers: int = Field(ge=0)
    head: Literal["linear", "dense"]
