"""What every training has in common: which settings fit the inputs, the model to train, and its batches."""

from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from stages.backbones.weights import read_tail
from stages.networks import heads
from stages.networks.inputs import Inputs, SplitRows, check_side
from stages.training.batches import Batches, Data, balanced_weights
from stages.training.hyperparams import Hyperparams
from stages.transforms.affine import Augmentation


def check_settings(
    name: str, network: ModuleType, inputs: Inputs, settings: Hyperparams, amounts: Augmentation
) -> None:
    """Check that the network can be trained on the inputs with these settings.

    Raises:
        ValueError: The images are too small, or the network takes no images; the activations are from another network
            or from other layers, or would be augmented; there are no layers to fine-tune; more than the head `logistic`
            is to learn; or `prune_accuracies` and `prune_epochs` differ in length.
    """
    if not inputs.backbone and not hasattr(network, "build"):
        raise ValueError(
            f"params.yaml networks.{name}.input: expected data/5_features/{name}, because {name} has no file in "
            "stages/models to be built from, got pixels."
        )
    check_side(inputs.image_shape, network.MIN_SIDE, name)
    if len(settings.prune_accuracies) != len(settings.prune_epochs):
        raise ValueError(
            f"params.yaml train.{name}.prune_accuracies: expected one for each of prune_epochs, got "
            f"{len(settings.prune_accuracies)} for {len(settings.prune_epochs)}."
        )
    trainable = getattr(settings, "trainable_layers", 0) if inputs.backbone else 0
    if is_logistic(settings) and (not inputs.backbone or trainable or inputs.views is not None):
        raise ValueError(
            f"params.yaml train.{name}.head: expected linear or dense where layers below the head learn, or where "
            "activations have views, got logistic."
        )
    if getattr(settings, "fine_tuning_epochs", 0) and not trainable:
        raise ValueError(
            f"params.yaml train.{name}.fine_tuning_epochs: expected 0 without trainable_layers on top of activations, "
            f"got {getattr(settings, 'fine_tuning_epochs', 0)}."
        )
    if not inputs.backbone:
        return
    if (inputs.backbone["network"], inputs.backbone["trainable_layers"]) != (name, trainable):
        raise ValueError(
            f"params.yaml networks.{name}.input: expected pixels, or activations before the last {trainable} layers of "
            f"{name}, got those before the last {inputs.backbone['trainable_layers']} of {inputs.backbone['network']}."
        )
    if amounts.changes:
        raise ValueError(
            f"params.yaml train.{name}.augmentation: expected one without changes, because the frozen part's "
            f"activations are computed once, got {settings.augmentation}."
        )


def is_logistic(settings: Any) -> bool:
    """Return whether the network's head is fitted at once; only a network that can be fed activations has a head."""
    return getattr(settings, "head", "") == "logistic"


def check_batches(splits: dict[str, SplitRows], settings: Hyperparams) -> None:
    """Check that each GPU gets at least one row of each batch.

    Raises:
        ValueError: The last batch of a split has fewer rows than there are GPUs.
    """
    for split in ("train", "val"):
        rest = len(splits[split].rows) % settings.batch_size
        if 0 < rest < settings.gpus:
            raise ValueError(
                f"params.yaml train: expected a batch_size that leaves a row of {split}'s last batch for each of "
                f"{settings.gpus} gpus, got {settings.batch_size}, which leaves {rest}."
            )


def assemble(
    network: ModuleType, inputs: Inputs, n_classes: int, settings: Any, source: Path
) -> tuple[keras.Model, keras.Model | None]:
    """Return the model to train, and the backbone's tail in it; None for a model without tail.

    A model that is fed pixels is the whole network. A model that is fed activations is a head, on the tail if there is
    one.
    """
    if not inputs.backbone:
        return network.build(inputs.shape, n_classes, settings), None
    tail = read_tail(inputs.backbone, source)
    head = heads.build(inputs.shape if tail is None else tail.output_shape[1:], n_classes, settings)
    if tail is None:
        return head, None
    activations = keras.Input(inputs.shape)
    return keras.Model(activations, head(tail(activations)), name=f"{tail.name}_and_head"), tail


def feed(
    inputs: Inputs, splits: dict[str, SplitRows], settings: Hyperparams, amounts: Augmentation, n_classes: int
) -> Data:
    """Return the batches to train on, which are augmented, and the batches to validate with, which are not."""
    weights, alike = class_weights(splits["train"], n_classes, settings), np.ones(n_classes)
    training = Batches(
        inputs.array, splits["train"], settings.batch_size, settings.seed, weights, amounts, inputs.views,
        settings.label_smoothing,
    )  # fmt: skip
    return Data(training, Batches(inputs.array, splits["val"], settings.batch_size, settings.seed, alike))


def class_weights(rows: SplitRows, n_classes: int, settings: Hyperparams) -> npt.NDArray[np.float64]:
    """Return the weight of each class among training rows."""
    return balanced_weights(rows.labels, n_classes) if settings.class_weights else np.ones(n_classes)


def facts_of(settings: Hyperparams, amounts: Augmentation, inputs: Inputs) -> dict[str, Any]:
    """Return what decides the result of a training besides data and code: params, versions and devices."""
    backend = keras.backend.backend()
    return {
        "settings": settings.model_dump(),
        "amounts": amounts.model_dump(),
        "backbone": inputs.backbone,
        "versions": [version(package) for package in ("keras", backend, "numpy", "opencv-python-headless", "scipy")],
        "devices": [backend, *keras.distribution.list_devices()],
    }
