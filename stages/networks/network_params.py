"""The params of a network's layers; the params of its training are in `stages/training/hyperparams.py`."""

from typing import Literal

from pydantic import Field

from stages.core.params import Section

Scaling = Literal[
    "none", "unit", "signed", "imagenet_bgr", "imagenet_rgb", "efficientnet_lite"
]  # the keys of `networks.layers.SCALINGS`


class NetworkParams(Section):
    """The keys of `train.<network>` that its layers are built from."""

    dropout: float = Field(ge=0, lt=1)
    width: float = Field(gt=0)
    scaling: Scaling


class TransferParams(NetworkParams):
    """The keys of `train.<network>` for a network with published weights under a new head."""

    trainable_layers: int = Field(ge=0)
    head: Literal["linear", "dense", "logistic"]
    weight_decay: float = Field(ge=0, allow_inf_nan=False)
    fine_tuning_epochs: int = Field(ge=0)
    fine_tuning_rate: float = Field(gt=0)
