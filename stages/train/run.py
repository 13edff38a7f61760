"""Train: one network on its inputs; the model of the epoch that is best on validation is kept."""

from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np

from stages import models
from stages.core.files import read_table, replacing, sha256, write_json, write_table
from stages.networks import heads
from stages.networks.backbone_parts import TAIL_WEIGHTS, read_tail
from stages.networks.determinism import fix
from stages.networks.inputs import Inputs, SplitRows, check_side, divide, read_inputs
from stages.results.history import as_table, best_epoch, count_epochs
from stages.train.batches import Batches, balanced_weights
from stages.train.calibration import calibrate
from stages.train.checkpoints import fingerprint, imported_files, open_folder
from stages.train.devices import scope
from stages.train.hyperparams import Hyperparams
from stages.train.loop import Data, fit
from stages.train.saving import save
from stages.train.timing import peak_megabytes
from stages.transforms.affine import Augmentation


def run(
    name: str, settings: Hyperparams, amounts: Augmentation, source: Path, split: Path, target: Path, live: Path
) -> dict[str, Any]:
    """Train a network, write `model.keras`, `network.json` and `history.csv` to the target, and return the timing.

    During the training the curves are in the folder `live`. A training that was killed goes on after its last complete
    epoch, and gives the same model.

    Raises:
        ValueError: The network does not exist, its settings do not fit the inputs or the devices, another process runs
            the same training, or the loss is no longer finite.
    """
    network = models.load(name)
    inputs = read_inputs(source)
    check_settings(name, network, inputs, settings, amounts)
    classes, splits = divide(inputs, read_table(split))
    check_batches(splits, settings)
    fix(settings.seed, settings.threads)
    keras.config.set_dtype_policy(settings.precision)
    identity = identify(name, network, settings, amounts, inputs, source, split)
    with open_folder(identity) as checkpoints, scope(settings.gpus):
        model, tail = assemble(network, inputs, len(classes), settings, source)
        data = feed(inputs, splits, settings, amounts, len(classes))
        history = fit(name, model, tail, data, settings, checkpoints, live)
        temperature = calibrate(model, data.validation)
        with replacing(target) as folder:
            folder.mkdir()
            save(model, folder / "model.keras")
            facts = model_facts(name, model, inputs, classes)
            facts |= {"kept_epoch": best_epoch(history, settings.monitor), "temperature": temperature}
            write_json(facts, folder / "network.json")
            write_table(as_table(history), folder / "history.csv")
    seconds = sum(history["seconds"])
    return {
        "model_sha256": sha256(target / "model.keras"),
        "train_seconds": round(seconds, 1),
        "seconds_per_epoch": round(seconds / count_epochs(history), 2),
        "peak_megabytes": peak_megabytes(),
    }


def check_settings(
    name: str, network: ModuleType, inputs: Inputs, settings: Hyperparams, amounts: Augmentation
) -> None:
    """Check that the network can be trained on the inputs with these settings.

    Raises:
        ValueError: The images are too small; the activations are from another network or from other layers, or would
            be augmented; there are no layers to fine-tune; or `prune_accuracies` and `prune_epochs` differ in length.
    """
    check_side(inputs.image_shape, network.MIN_SIDE, name)
    if len(settings.prune_accuracies) != len(settings.prune_epochs):
        raise ValueError(
            f"params.yaml train.{name}.prune_accuracies: expected one for each of prune_epochs, got "
            f"{len(settings.prune_accuracies)} for {len(settings.prune_epochs)}."
        )
    trainable = getattr(settings, "trainable_layers", 0) if inputs.backbone else 0
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


def identify(
    name: str, network: ModuleType, settings: Hyperparams, amounts: Augmentation, inputs: Inputs, source: Path,
    split: Path,
) -> str:  # fmt: skip
    """Return a name with a hash of all that decides the result: params, data, code, versions and devices."""
    facts = {
        "settings": settings.model_dump(),
        "amounts": amounts.model_dump(),
        "backbone": inputs.backbone,
        "versions": [version(package) for package in ("keras", "tensorflow", "numpy", "opencv-python-headless")],
        "devices": [keras.backend.backend(), *keras.distribution.list_devices()],
    }
    code = [*imported_files(__name__, network.__name__), Path(str(network.__file__))]
    weights = [path for path in (source / TAIL_WEIGHTS,) if path.is_file()]
    views = [] if inputs.views is None else [inputs.views]
    return f"{name}-{fingerprint(facts, [*code, *weights, split], [inputs.array, *views])}"


def assemble(
    network: ModuleType, inputs: Inputs, n_classes: int, settings: Any, source: Path
) -> tuple[keras.Model, keras.Model | None]:
    """Return the model to train, and the backbone's tail in it; None for a model without tail.

    A model that is fed pixels is the whole network. A model that is fed activations is a head, on the tail if there is
    one.
    """
    if not inputs.backbone:
        return network.build(inputs.shape, n_classes, settings), None
    tail = read_tail(network, inputs.image_shape, settings.trainable_layers, source)
    head = heads.build(inputs.shape if tail is None else tail.output_shape[1:], n_classes, settings)
    if tail is None:
        return head, None
    activations = keras.Input(inputs.shape)
    return keras.Model(activations, head(tail(activations))), tail


def feed(
    inputs: Inputs, splits: dict[str, SplitRows], settings: Hyperparams, amounts: Augmentation, n_classes: int
) -> Data:
    """Return the batches to train on, which are augmented, and the batches to validate with, which are not."""
    alike = np.ones(n_classes)
    weights = balanced_weights(splits["train"].labels, n_classes) if settings.class_weights else alike
    training = Batches(
        inputs.array, splits["train"], settings.batch_size, settings.seed, weights, amounts, inputs.views,
        settings.label_smoothing,
    )  # fmt: skip
    return Data(training, Batches(inputs.array, splits["val"], settings.batch_size, settings.seed, alike))


def model_facts(name: str, model: keras.Model, inputs: Inputs, classes: list[str]) -> dict[str, Any]:
    """Return what a user of the model must know; `parameters` counts the parameters of the frozen part too.

    To this `network.json` adds `kept_epoch`, the epoch, counted from 1, whose weights the model has because it is the
    best by `monitor`, and `temperature`, by which the scores of that epoch were divided.
    """
    return {
        "network": name,
        "classes": classes,
        "image_shape": list(inputs.image_shape),
        "parameters": model.count_params() + inputs.backbone.get("frozen_parameters", 0),
        "pretrained": inputs.backbone.get("pretrained", False),
        "preprocessing": inputs.preprocessing,
        "backbone": inputs.backbone,
    }
