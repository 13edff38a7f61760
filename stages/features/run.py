"""Write the activations of all images, and the facts about the backbone that they come from."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.backbones.onnx_layer import find_network
from stages.backbones.weights import ONNX_FILE, TAIL_WEIGHTS
from stages.core.files import read_json, replacing_folder, write_json
from stages.core.terminal import progress
from stages.features.activations import Features, Job, Parts, activate, load_parts
from stages.images.machines import spread
from stages.networks.inputs import BACKBONE_FACTS, FEATURES, FILTERS, PREPROCESSING, VIEWS
from stages.networks.layer_graph import first_kernels
from stages.networks.operations import count_multiply_adds
from stages.networks.weight_files import save_weights
from stages.transforms.affine import Augmentation


def run(job: Job, target: Path) -> None:
    """Write the activations, float32 `(n, h, w, channels)`, and the facts about their backbone to the target.

    If `views` is above 0, the activations of as many augmented versions of each image are written too, float32
    `(views, n, h, w, channels)`.

    Raises:
        ValueError: The augmentation mixes images, or changes nothing although there are views; the images are too
            small; or the backbone cannot be cut before its last `trainable_layers` layers.
    """
    check_augmentation(job.settings, job.amounts)
    load_parts.cache_clear()  # What lies at the paths may have changed since an earlier job.
    parts, boundary = load_parts(job), job.boundary
    parameters, multiply_adds, kernel = measure(parts)
    with replacing_folder(target, "features") as folder:
        save_rows(folder / FEATURES, parts, job)
        if job.settings.views:
            save_rows(folder / VIEWS, parts, job, job.settings.views)
        if parts.tail is not None:
            save_weights(parts.tail, folder / TAIL_WEIGHTS)
        if network := find_network(parts.backbone):
            (folder / ONNX_FILE).write_bytes(network.content)  # for who builds the frozen part
        facts = {
            "network": job.network,
            "image_shape": list(parts.inputs.shape),
            "scaling": boundary.scaling,
            "trainable_layers": boundary.trainable_layers,
            "frozen_parameters": parameters,
            "frozen_multiply_adds": multiply_adds,
            "batch_size": job.settings.batch_size,
            **read_json(job.weights / "weights.json"),
        }
        write_json(facts, folder / BACKBONE_FACTS)
        np.save(folder / FILTERS, kernel)
        for name in ("index.csv", PREPROCESSING):
            (folder / name).write_bytes((job.source / name).read_bytes())


def measure(parts: Parts) -> tuple[int, int, npt.NDArray[np.float32]]:
    """Return parameters and multiply-adds of the frozen part, and the kernels of the backbone's first convolution."""
    if network := find_network(parts.backbone):
        from stages.backbones import onnx_costs  # needs ONNX, which Keras's networks do not

        costs = onnx_costs.count_parameters(network), onnx_costs.count_multiply_adds(network)
        return *costs, onnx_costs.first_kernels(network)
    (kernel,) = first_kernels(parts.backbone).values()
    return parts.frozen.count_params(), count_multiply_adds(parts.frozen), kernel


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


def save_rows(path: Path, parts: Parts, job: Job, views: int | None = None) -> None:
    """Write the activations of all images, or of all in each of so many views, to the path, each batch as it comes.

    The activations of all images need not fit into memory. The file is not mapped, because writing to a mapped file
    ends the process where the disk is full.
    """
    n = len(parts.inputs.array)
    shape = (*(() if views is None else (views,)), n, *parts.on_pixels.output_shape[1:])
    each = [None] if views is None else range(views)
    calls = [(job, view, start) for view in each for start in range(0, n, job.settings.batch_size)]
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for batch in progress(spread(activate, calls, threads=1), len(calls), path.stem, unit="batch"):
            stream.write(np.ascontiguousarray(batch, "<f4").tobytes())
