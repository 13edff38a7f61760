"""Export: a trained network as one file for ONNX Runtime or TFLite, checked on the test images."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.classifier.model_facts import Facts
from stages.classifier.open_classifier import Classifier
from stages.core.files import read_table, replacing
from stages.export.formats import FORMATS, convert, in_32_bits, is_mixed
from stages.images.preprocessing import dump_settings
from stages.networks.inputs import divide, read_inputs
from stages.networks.predicting import predict

# Of any probability of any test image. Other runtimes add up in another order: ours came to 5e-6 at most.
TOLERANCE = 1e-4

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Parity:
    """How far probabilities of so many images differ at most, and the images with another most probable class."""

    count: int
    largest: float
    relabelled: list[str]


def run(kind: str, classifier: Classifier, pixels: Path, split: Path, target: Path) -> tuple[Parity, Parity]:
    """How the file agrees with the network in 32 bits, and as it was trained, after target is that file.

    The two differ for mixed precision alone. Where the largest difference is within TOLERANCE, the most probable class
    can be another only in images where two classes are closer than twice that.

    Raises:
        ValueError: the test images are not the network's, it cannot be converted, or the file does not agree with it.
    """
    images, image_ids = read_test(pixels, split, classifier)
    whole = classifier.whole_model()
    exact = in_32_bits(whole)
    content, network = convert(exact, explain(classifier.facts), kind)
    batch_size = classifier.use.batch_size
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    found = np.concatenate([network(batch.astype(np.float32)) for batch in batches])
    trained = classifier.probabilities(images)
    parity = compare(predict(exact, images, batch_size) if is_mixed(whole) else trained, found, image_ids)
    if not parity.largest <= TOLERANCE:  # NaN is not either
        raise ValueError(
            f"--to {kind}: expected probabilities within {TOLERANCE:g} of the network's on {len(images)} test images, "
            f"got a difference of {parity.largest:.2g}; nothing was written."
        )
    with replacing(target) as unfinished:
        unfinished.write_bytes(content)
    return parity, compare(trained, found, image_ids)


def read_test(pixels: Path, split: Path, classifier: Classifier) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """The test images, uint8 `(n, height, width, 3)`, and their ids.

    Raises:
        ValueError: there are none, or they have other classes than the network, or another size.
    """
    inputs = read_inputs(pixels)
    classes, parts = divide(inputs, read_table(split))
    if classes != classifier.classes:
        raise ValueError(
            f"{split}: expected the network's classes {', '.join(classifier.classes)}, got {', '.join(classes)}."
        )
    if list(inputs.shape) != classifier.facts.image_shape:
        wanted, found = ("x".join(map(str, shape)) for shape in (classifier.facts.image_shape, inputs.shape))
        raise ValueError(f"{pixels}: expected images of {wanted}, as the network was trained on, got {found}.")
    rows = parts["test"].rows
    if not len(rows):
        raise ValueError(f"{split}: expected test images to check the file on, got none.")
    return inputs.array[rows], [inputs.image_ids[row] for row in rows]


def compare(reference: Floats, found: Floats, image_ids: list[str]) -> Parity:
    """How two arrays of probabilities `(n, n_classes)` agree; of equal ones the first class is the most probable."""
    differs = reference.argmax(axis=1) != found.argmax(axis=1)
    relabelled = [image_ids[row] for row in np.flatnonzero(differs)]
    return Parity(len(image_ids), float(np.abs(reference - found).max()), relabelled)


def explain(facts: Facts) -> dict[str, Any]:
    """What the file says of itself: how a picture becomes its input, and what its output means."""
    return {
        "network": facts.network,
        "classes": facts.classes,
        "image_shape": facts.image_shape,
        "pixels": "RGB, 0 to 255",
        "preprocessing": dump_settings(facts.preprocessing),
    }


def check(kind: str, target: Path | None) -> None:
    """Nothing, where such a file can be written there.

    Raises:
        ValueError: packages are missing, or the file would have another format's ending, or be a folder that is there.
    """
    missing = [package for package in FORMATS[kind].packages if find_spec(package) is None]
    if missing:
        raise ValueError(f"--to {kind}: expected the packages of requirements.txt, got no {', '.join(missing)}.")
    if target and target.suffix != f".{kind}":
        raise ValueError(f"--target: expected a file that ends in .{kind}, got {target}.")
    if target and target.is_dir():
        raise ValueError(f"--target: expected a file to write, got the folder {target}.")


def report(target: Path, kind: str, facts: Facts, parity: Parity, trained: Parity) -> str:
    """What was written, how it agrees with the network, and how to run it."""
    shape, crop = ", ".join(map(str, facts.image_shape)), facts.preprocessing.crop
    lines = [
        f"{target}: {target.stat().st_size / 1e6:.1f} MB, {facts.network} for {', '.join(facts.classes)}",
        f"against Keras: {phrase(parity)} (tolerance {TOLERANCE:g})",
    ]
    if trained != parity:
        lines.append(f"against Keras as it was trained, in 16 bits: {phrase(trained)}")
    lines.append(f"to run it on images, float32 (n, {shape}), RGB, 0 to 255, {crop}:")
    example = FORMATS[kind].example.strip().format(target=target)
    return "\n".join([*lines, *(f"    {line}" for line in example.splitlines())])


def phrase(parity: Parity) -> str:
    """The parity in words."""
    same = parity.count - len(parity.relabelled)
    ties = f", but not {', '.join(each[:16] for each in parity.relabelled)}" if parity.relabelled else ""
    labels = f"the same label for {same} of {parity.count} test images{ties}"
    return f"{labels}; probabilities differ by {parity.largest:.1e} at most"
