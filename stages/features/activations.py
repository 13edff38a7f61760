"""The activations of a batch of images in the frozen part of a backbone, on this machine or on one of a cluster."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from pydantic import Field

from stages.backbones.libraries import parse_architecture
from stages.backbones.parts import cut, on_pixels
from stages.backbones.weights import open_backbone
from stages.core import params
from stages.core.files import read_json
from stages.networks.determinism import fix
from stages.networks.inputs import Inputs, check_side, read_inputs
from stages.networks.network_params import Scaling
from stages.networks.predicting import Floats, predict
from stages.transforms.affine import Augmentation, augment


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


class Job(NamedTuple):
    """What activations are made from; small, because a cluster is sent it with each batch."""

    network: str
    settings: Features
    boundary: Boundary
    amounts: Augmentation
    source: Path
    weights: Path


class Parts(NamedTuple):
    """The images, and the backbone with its two parts; `on_pixels` is the frozen part behind the scaling."""

    inputs: Inputs
    backbone: keras.Model
    frozen: keras.Model
    tail: keras.Model | None
    on_pixels: keras.Model


@lru_cache(maxsize=1)  # Each process of a cluster computes many batches.
def load_parts(job: Job) -> Parts:
    """Read the images and load the backbone, once in a process.

    Raises:
        ValueError: The images are too small, or the backbone cannot be cut before its last `trainable_layers` layers.
    """
    path = job.weights / "weights.json"
    row = parse_architecture(read_json(path), str(path))
    inputs = read_inputs(job.source)
    check_side(inputs.shape, row.min_side, job.network)
    fix(0, job.settings.threads)
    backbone = open_backbone(job.network, row, inputs.shape, job.weights)
    frozen, tail = cut(backbone, job.boundary.trainable_layers)
    return Parts(inputs, backbone, frozen, tail, on_pixels(frozen, job.boundary.scaling, inputs.shape))


def activate(job: Job, view: int | None, start: int) -> Floats:
    """Return the activations `(at most batch_size, h, w, channels)` of the images from `start` on, in a view or not."""
    parts, settings = load_parts(job), job.settings
    images = parts.inputs.array[start : start + settings.batch_size]
    if view is not None:
        randoms = [np.random.default_rng([settings.seed, view, start + i]) for i in range(len(images))]
        pairs = zip(images, randoms, strict=True)
        images = np.stack([augment(image, job.amounts, random) for image, random in pairs])
    return predict(parts.on_pixels, images, settings.batch_size)
