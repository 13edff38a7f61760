"""Export: write the file of a model, and check the file's probabilities against the model on the test images."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.backbones.onnx_layer import find_network
from stages.classifier.familiarity import Familiarity
from stages.classifier.model_facts import Facts
from stages.classifier.open_classifier import Classifier
from stages.core.files import replacing
from stages.core.tables import read_table
from stages.export.formats import FORMATS, NOVELTY, PROBABILITIES, convert, in_32_bits, is_mixed
from stages.export.novelty import with_novelty
from stages.images.preprocessing import dump_settings
from stages.networks.inputs import divide, read_inputs
from stages.networks.layer_graph import last_features
from stages.networks.novelty import measure_novelty
from stages.networks.predicting import predict

# The largest allowed difference of a probability or a novelty. Other runtimes add in another order: we measured at most
# 5e-6 and 1e-5.
TOLERANCE = 1e-4

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Parity:
    """The number of images, the largest difference of a probability, and the ids of images with another label."""

    count: int
    largest: float
    relabelled: list[str]


def run(kind: str, classifier: Classifier, pixels: Path, split: Path, target: Path) -> tuple[Parity, Parity]:
    """Write the file; return its parity with the model in 32 bits, and with the model as it was trained.

    The two differ only for a model of mixed precision. Where the largest difference is within TOLERANCE, the most
    probable class can differ only for images whose two highest probabilities are closer than twice TOLERANCE. If the
    limits of the model's answers are known, the file says how novel an image is, too.

    Raises:
        ValueError: The test images do not fit the model, the model cannot be converted, or a probability or
            a novelty of the file differs from the model's by more than TOLERANCE.
    """
    images, image_ids = read_test(pixels, split, classifier)
    frozen = classifier.frozen if classifier.frozen and find_network(classifier.frozen) else None
    whole, given = (classifier.model, classifier.rows(images)) if frozen else (classifier.whole_model(), images)
    familiarity, batch_size = classifier.familiarity, classifier.use.batch_size
    exact = in_32_bits(whole)
    written = with_novelty(exact, familiarity.references) if familiarity else exact
    content, network = convert(written, describe_network(classifier.facts, familiarity), kind, frozen)
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    answers = [network(batch.astype(np.float32)) for batch in batches]
    found = np.concatenate([answer[PROBABILITIES] for answer in answers])
    trained = classifier.probabilities(images)
    parity = measure_parity(predict(exact, given, batch_size) if is_mixed(whole) else trained, found, image_ids)
    check_difference(kind, "probabilities", parity.largest, len(images))
    if familiarity:  # Of mixed precision, too, compared in 32 bits.
        features = predict(last_features(exact), given, batch_size)
        novelty = np.concatenate([answer[NOVELTY] for answer in answers])
        largest = float(np.abs(novelty - measure_novelty(features, familiarity.references)).max())
        check_difference(kind, "novelty", largest, len(images))
    with replacing(target) as unfinished:
        unfinished.write_bytes(content)
    return parity, measure_parity(trained, found, image_ids)


def check_difference(kind: str, name: str, largest: float, count: int) -> None:
    """Check that the file says nearly what the network says.

    Raises:
        ValueError: The largest difference is above TOLERANCE, or is not a number.
    """
    if not largest <= TOLERANCE:
        raise ValueError(
            f"--to {kind}: expected {name} within {TOLERANCE:g} of the network's on {count} test images, got a "
            f"difference of {largest:.2g}; nothing was written."
        )


def find_pixels(pixels: Path, others: Path, facts: Facts) -> Path:
    """Return the folder with images of the network's size: `pixels`, or else one in the folder `others` if it is there.

    Raises:
        FileNotFoundError: A folder holds no pixels.
    """
    folders = [pixels, *sorted(path for path in others.glob("[!.]*") if path.is_dir())]
    return next((folder for folder in folders if list(read_inputs(folder).shape) == facts.image_shape), pixels)


def read_test(pixels: Path, split: Path, classifier: Classifier) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Return the test images, uint8 `(n, height, width, 3)`, and their ids.

    Raises:
        ValueError: There are no test images, or their classes or their size are not the network's.
    """
    inputs = read_inputs(pixels)
    classes, parts = divide(inputs, read_table(split, "image_id", "class", "split"))
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


def measure_parity(reference: Floats, found: Floats, image_ids: list[str]) -> Parity:
    """Compare two arrays of probabilities `(n, n_classes)`; in a tie the first class counts as the most probable."""
    differs = reference.argmax(axis=1) != found.argmax(axis=1)
    relabelled = [image_ids[row] for row in np.flatnonzero(differs)]
    return Parity(len(image_ids), float(np.abs(reference - found).max()), relabelled)


def describe_network(facts: Facts, familiarity: Familiarity | None) -> dict[str, Any]:
    """Return the facts that the file carries: how an image becomes its input, and what its outputs mean.

    Above `most_novelty` an image is none of the classes, and from `least_probability` on a class is likely. Null says
    that too few images were there to set a limit.
    """
    limits = familiarity.limits if familiarity else None
    known = {"most_novelty": limits.novelty, "least_probability": limits.least_probability or None} if limits else {}
    return known | {
        "network": facts.network,
        "classes": facts.classes,
        "image_shape": facts.image_shape,
        "pixels": "RGB, 0 to 255",
        "preprocessing": dump_settings(facts.preprocessing),
    }


def check_request(kind: str, target: Path | None) -> None:
    """Check that a file of this format can be written to the target.

    Raises:
        ValueError: A package is missing, or the target has another format's ending or is an existing folder.
    """
    missing = [package for package in FORMATS[kind].packages if find_spec(package) is None]
    if missing:
        raise ValueError(f"--to {kind}: expected the packages of requirements.txt, got no {', '.join(missing)}.")
    if target and target.suffix != f".{kind}":
        raise ValueError(f"--target: expected a file that ends in .{kind}, got {target}.")
    if target and target.is_dir():
        raise ValueError(f"--target: expected a file to write, got the folder {target}.")


def describe_export(target: Path, kind: str, classifier: Classifier, parity: Parity, trained: Parity) -> str:
    """Return lines that say what was written, how it agrees with the model, and how to run it."""
    facts, limits = classifier.facts, classifier.familiarity and classifier.familiarity.limits
    shape, crop = ", ".join(map(str, facts.image_shape)), facts.preprocessing.crop
    lines = [
        f"{target}: {target.stat().st_size / 1e6:.1f} MB, {facts.network} for {', '.join(facts.classes)}",
        f"against Keras: {describe_parity(parity)} (tolerance {TOLERANCE:g})",
    ]
    if trained != parity:
        lines.append(f"against Keras as it was trained, in 16 bits: {describe_parity(trained)}")
    if limits is None:
        lines.append("without novelty: its limits, which `evaluate` sets, are not here or are another model's")
    lines.append(f"to run it on images, float32 (n, {shape}), RGB, 0 to 255, {crop}:")
    example = FORMATS[kind].example.strip().format(target=target)
    example += '\nprobabilities, classes = said["probabilities"], facts["classes"]'
    if limits and limits.novelty is not None:
        example += '\nis_none_of_these = said["novelty"] > facts["most_novelty"]'
    return "\n".join([*lines, *(f"    {line}" for line in example.splitlines())])


def describe_parity(parity: Parity) -> str:
    """Return the parity in words."""
    same = parity.count - len(parity.relabelled)
    ties = f", but not {', '.join(image_id[:16] for image_id in parity.relabelled)}" if parity.relabelled else ""
    labels = f"the same label for {same} of {parity.count} test images{ties}"
    return f"{labels}; probabilities differ by {parity.largest:.1e} at most"
