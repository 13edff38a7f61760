"""Features: the frozen part's activations of all images, computed once for all heads and splits."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from pydantic import Field

from stages import models
from stages.core import params
from stages.core.files import read_json, replacing_folder, write_json
from stages.core.terminal import command, progress
from stages.networks.backbone_parts import TAIL_WEIGHTS, cut, on_pixels
from stages.networks.determinism import fix
from stages.networks.inputs import BACKBONE_FACTS, FEATURES, FILTERS, PREPROCESSING, VIEWS, check_side, read_inputs
from stages.networks.layer_graph import first_kernels
from stages.networks.network_params import Scaling
from stages.networks.operations import count_multiply_adds
from stages.networks.predicting import Floats, predict_batches
from stages.networks.weight_files import save_weights
from stages.transforms.affine import Augmentation, augment, read_augmentation


class Features(params.Section):
    """The section `features` of params.yaml."""

    batch_size: int = Field(ge=1)
    threads: int = Field(ge=1)
    views: int = Field(ge=0)
    augmentation: str
    seed: int = Field(ge=0)


class Boundary(params.Section, extra="ignore"):
    """The keys of `train.<network>` that say where the frozen part ends, and how its images are scaled."""

    scaling: Scaling
    trainable_layers: int = Field(ge=0)


def run(
    name: str, settings: Features, boundary: Boundary, amounts: Augmentation, source: Path, weights: Path, target: Path
) -> None:
    """Write the activations, float32 `(n, h, w, channels)`, and the facts about their backbone to the target.

    If `views` is above 0, the activations of as many augmented versions of each image are written too, float32
    `(views, n, h, w, channels)`.

    Raises:
        ValueError: The augmentation mixes images, or changes nothing although there are views; the images are too
            small; or the backbone cannot be cut before its last `trainable_layers` layers.
    """
    check_augmentation(settings, amounts)
    network = models.load(name)
    inputs = read_inputs(source)
    check_side(inputs.shape, network.MIN_SIDE, name)
    fix(0, settings.threads)
    backbone = network.make_backbone(inputs.shape)
    backbone.load_weights(weights / "backbone.weights.h5")
    frozen, tail = cut(backbone, boundary.trainable_layers)
    with replacing_folder(target, "features") as folder:
        model = on_pixels(frozen, boundary.scaling, inputs.shape)
        save_rows(folder / FEATURES, model, (len(inputs.array),), activate(model, inputs.array, settings))
        if settings.views:
            save_views(folder / VIEWS, model, inputs.array, settings, amounts)
        if tail is not None:
            save_weights(tail, folder / TAIL_WEIGHTS)
        facts = {
            "network": name,
            "image_shape": list(inputs.shape),
            "scaling": boundary.scaling,
            "trainable_layers": boundary.trainable_layers,
            "frozen_parameters": frozen.count_params(),
            "frozen_multiply_adds": count_multiply_adds(frozen),
            "batch_size": settings.batch_size,
            **read_json(weights / "weights.json"),
        }
        write_json(facts, folder / BACKBONE_FACTS)
        (kernel,) = first_kernels(backbone).values()
        np.save(folder / FILTERS, kernel)
        for name in ("index.csv", PREPROCESSING):
            (folder / name).write_bytes((source / name).read_bytes())


def check_augmentation(settings: Features, amounts: Augmentation) -> None:
    """Check that the augmentation can make the views.

    Raises:
        ValueError: The augmentation mixes images, or changes nothing although there are views.
    """
    if amounts.mixes:
        raise ValueError(
            f"params.yaml features.augmentation: expected one that mixes no images, got {settings.augmentation}."
        )
    if settings.views and not amounts.changes:
        raise ValueError(
            f"params.yaml features.augmentation: expected one that changes the {settings.views} views, got "
            f"{settings.augmentation}."
        )


def activate(model: keras.Model, images: npt.NDArray[np.uint8], settings: Features) -> Iterator[Floats]:
    """Yield the model's output for each batch of images."""
    return predict_batches(model, images, settings.batch_size, "features")


def save_views(
    path: Path, model: keras.Model, images: npt.NDArray[np.uint8], settings: Features, amounts: Augmentation
) -> None:
    """Write the model's outputs for augmented versions of each image, `(views, n, …)`, to the path."""
    starts = range(0, len(images), settings.batch_size)
    pairs = [(view, start) for view in range(settings.views) for start in starts]

    def change(view: int, start: int) -> npt.NDArray[np.uint8]:
        numbers = range(start, min(start + settings.batch_size, len(images)))
        randoms = (np.random.default_rng([settings.seed, view, row]) for row in numbers)
        return np.stack([augment(images[row], amounts, random) for row, random in zip(numbers, randoms, strict=True)])

    batches = (
        output
        for view, start in progress(pairs, len(pairs), "views", unit="batch")
        for output in predict_batches(model, change(view, start), settings.batch_size)
    )
    save_rows(path, model, (settings.views, len(images)), batches)


def save_rows(path: Path, model: keras.Model, counts: tuple[int, ...], batches: Iterable[Floats]) -> None:
    """Write the model's outputs for all rows, `(*counts, …)`, to the path, each batch as it comes.

    The outputs of all rows need not fit into memory. The file is not mapped, because writing to a mapped file ends the
    process where the disk is full.
    """
    header = {"descr": "<f4", "fortran_order": False, "shape": (*counts, *model.output_shape[1:])}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for batch in batches:
            stream.write(np.ascontiguousarray(batch, "<f4").tobytes())


def main() -> None:
    """Compute the activations of a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", help="a transfer network of stages/models")
    parser.add_argument("source", type=Path, help="the folder of pixels")
    parser.add_argument("weights", type=Path, help="the folder of the backbone's weights")
    parser.add_argument("target", type=Path, help="the folder of activations to write")
    arguments = parser.parse_args()
    name = arguments.network
    boundary = params.read(Boundary, f"train.{name}")
    settings = params.read(Features, "features")
    amounts = read_augmentation(settings.augmentation)
    run(name, settings, boundary, amounts, arguments.source, arguments.weights, arguments.target)


if __name__ == "__main__":
    command(main)
