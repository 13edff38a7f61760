"""How unlike the training images an image is: how far its features lie from those of the nearest training images.

Features are what the last dense layer of a network weighs, as vectors of length 1. Novelty is the distance to the fifth
nearest training image, from 0 to 2 (Sun et al. 2022, "Out-of-Distribution Detection with Deep Nearest Neighbors",
https://arxiv.org/abs/2204.06507). `benchmarks/results/outsiders.md` says what it finds, and what it does not.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

NEAREST = 5
MOST = 5000  # training images that are kept for comparison
AT_ONCE = 256  # images, so that their distances take at most 20 MB beside the references

Floats = npt.NDArray[np.floating[Any]]


def make_references(features: Floats) -> npt.NDArray[np.float16]:
    """Return the features `(n, d)` of training images as vectors of length 1, evenly spread over the rows if many."""
    rows = np.linspace(0, len(features) - 1, min(len(features), MOST)).round().astype(int)
    return to_length_1(features[rows]).astype(np.float16)


def measure_novelty(features: Floats, references: Floats) -> npt.NDArray[np.float64]:
    """Return the novelty `(n,)` of images with the features `(n, d)`, given the references `(m, d)`.

    Of fewer references than NEAREST the furthest of them counts.
    """
    place = min(NEAREST, len(references)) - 1
    known = references.astype(np.float64)
    cosines = np.empty(len(features))
    for start in range(0, len(features), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        cosines[some] = -np.partition(-to_length_1(features[some]) @ known.T, place, axis=1)[:, place]
    novelty: npt.NDArray[np.float64] = np.sqrt(np.maximum(0.0, 2 - 2 * cosines))
    return novelty


def to_length_1(vectors: Floats) -> npt.NDArray[np.float64]:
    """Return the vectors `(n, d)` with length 1; a vector of zeros stays one."""
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return np.asarray(exact / np.maximum(lengths, 1e-12))
