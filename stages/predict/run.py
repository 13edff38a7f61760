"""Predict: the probabilities of images in files, in folders or at URLs, printed and explained."""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import joblib
import numpy as np
import numpy.typing as npt
from PIL import Image

from stages.classifier.open_classifier import Classifier
from stages.classifier.predictions import Prediction, as_csv, as_json, as_table, printable
from stages.core.files import replacing
from stages.images.reading import Pixels
from stages.networks.hirescam import heatmaps, overlay
from stages.predict.page import MAX_MEGABYTES
from stages.sources.listed_image import is_hidden
from stages.sources.tree_layout import walk
from stages.web.fetch_once import fetch_once, is_url

AT_ONCE = 256  # images held in memory
DIGITS = 6  # digits of a probability, as in predictions.csv
TOP = 3  # classes shown in the table
SIDE = 320  # width in pixels of each half of an explanation


def run(classifier: Classifier, files: list[str], top: int, explanations: Path | None) -> Iterator[Prediction]:
    """Yield for each file or URL, in their order, the prediction with its `top` classes, or why there is none.

    The folder `explanations`, if any, gets a PNG for each image that shows where the network saw its class.

    Raises:
        ValueError: An explanation would replace a file that is to be predicted, or `explanations` is a file.
    """
    if explanations and explanations.exists() and not explanations.is_dir():
        raise ValueError(f"--explain: expected a folder, got the file {explanations}.")
    targets: Sequence[Path | None] = explanation_paths(files, explanations) if explanations else [None] * len(files)
    originals = {os.path.realpath(file) for file in files if explanations and not is_url(file)}
    for target in targets:
        if target and os.path.realpath(target) in originals:
            raise ValueError(f"--explain: expected a folder without the given images, got {target} in it.")
    for start in range(0, len(files), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        yield from predict_batch(classifier, files[some], targets[some], top)


def predict_batch(
    classifier: Classifier, files: list[str], targets: Sequence[Path | None], top: int
) -> Iterator[Prediction]:
    """Yield the predictions of a few files, which are held in memory together."""
    work = (joblib.delayed(read_image)(classifier, file) for file in files)
    found: list[ReadImage] = joblib.Parallel(n_jobs=-1, prefer="threads")(work)
    images = np.array([one.pixels for one in found if one.pixels is not None], np.uint8)
    rows = classifier.rows(images.reshape(-1, *classifier.facts.image_shape))
    probabilities = classifier.predict_rows(rows)
    shown = [target for target, one in zip(targets, found, strict=True) if target and one.pixels is not None]
    if shown:
        heats = heatmaps(classifier.model, rows, probabilities.argmax(axis=1), classifier.use.batch_size)
        for image, heat, path in zip(images, heats, shown, strict=True):
            write_explanation(image, heat, path)
    remaining = zip(probabilities, classifier.refuse(rows), strict=True)
    for file, one, target in zip(files, found, targets, strict=True):
        if one.pixels is None:
            yield Prediction(file, error=one.error)
        else:
            own, none_of_these = next(remaining)
            ranked = rank_classes(own, classifier.classes, top)
            yield Prediction(
                file, ranked, explanation=str(target or ""), learned=one.learned,
                likely=classifier.find_likely(own), none_of_these=none_of_these,
            )  # fmt: skip


class ReadImage(NamedTuple):
    """The pixels of an image and whether the network learned from it; or only `error`, why there are no pixels."""

    pixels: Pixels | None = None
    learned: str = ""
    error: str = ""


def read_image(classifier: Classifier, file: str) -> ReadImage:
    """Read the image in a file or at a URL."""
    try:
        path = Path(file)
        if is_url(file):
            content = fetch_once(file, MAX_MEGABYTES)
            return ReadImage(classifier.read_bytes(content), classifier.recognise(content))
        if not path.is_file():
            return ReadImage(error=what_is_there(file))
        return ReadImage(classifier.read(path), classifier.recognise(path.read_bytes()) if classifier.learned else "")
    except OSError as error:
        return ReadImage(error=error.strerror or str(error))
    except ValueError as error:
        return ReadImage(error=str(error))


def what_is_there(name: str) -> str:
    """Return what a name stands for that is no file."""
    if os.path.isdir(name):  # noqa: PTH112 - a Path takes the empty name for the working directory
        return "a folder without files"
    return "no regular file" if os.path.exists(name) else "no such file"  # noqa: PTH110


def rank_classes(probabilities: npt.NDArray[np.float32], classes: list[str], top: int) -> dict[str, float]:
    """Return the `top` most probable classes, rounded as in predictions.csv; in a tie the lower class comes first."""
    order = np.argsort(-probabilities, kind="stable")[:top]
    # A text has the fewest digits that identify a 32-bit number: 0.1 and not 0.10000000149.
    return {classes[i]: float(str(probabilities[i].round(DIGITS))) for i in order}


def explanation_paths(files: list[str], folder: Path) -> list[Path]:
    """Return a different path in the folder for the explanation of each file, named after the file."""
    taken: dict[str, None] = {}
    numbers: Counter[str] = Counter()
    for file in files:
        last = PurePosixPath(file.partition("?")[0].partition("#")[0] if is_url(file) else file).name
        # The name of a file has at most 255 bytes, and a character has up to four.
        name = first = re.sub(r"[^\w.-]", "_", last)[:60] or "image"
        while name in taken:
            numbers[first] += 1
            name = f"{first}-{numbers[first] + 1}"
        taken[name] = None
    return [folder / f"{name}.png" for name in taken]


def write_explanation(image: Pixels, heat: npt.NDArray[np.float32], target: Path) -> None:
    """Write a PNG with the image as the network saw it, and beside it where the network saw the class."""
    target.parent.mkdir(parents=True, exist_ok=True)
    height = round(SIDE * image.shape[0] / image.shape[1])
    page = Image.new("RGB", (2 * SIDE, height))
    for number, half in enumerate((Image.fromarray(image), overlay(image, heat))):
        page.paste(half.resize((SIDE, height), Image.Resampling.BICUBIC), (number * SIDE, 0))
    with replacing(target) as unfinished:
        page.save(unfinished, "PNG")


def list_files(given: list[str]) -> list[str]:
    """Return the given names; the files of a folder, sorted and without hidden files, take the place of the folder.

    Raises:
        OSError: A folder cannot be read.
    """
    files = []
    for name in given:
        is_folder = os.path.isdir(name) and not is_url(name)  # noqa: PTH112 - False for a name that is too long
        inside = [Path(folder, file) for folder, names in walk(Path(name)) for file in names] if is_folder else []
        files += [str(Path(name, file)) for file in sorted(inside) if not is_hidden(str(file))] or [name]
    return files


def print_predictions(predictions: list[Prediction], classifier: Classifier, model: dict[str, str], form: str) -> None:
    """Print the predictions as a table, JSON or CSV.

    Raises:
        ValueError: The only file failed.
        SystemExit: Some of several files failed; the exit status is 1.
    """
    failed = [prediction for prediction in predictions if prediction.error]
    if form == "json":
        print(as_json(predictions, model))
    elif form == "csv":
        print(as_csv(predictions, model, classifier.classes), end="")
    elif len(predictions) > 1 or not failed:
        print(as_table(predictions, classifier.facts.network), end="")
    if len(predictions) == 1 and failed:
        raise ValueError(f"{printable(failed[0].file)}: expected an image, got: {failed[0].error}.")
    if failed:
        sys.exit(f"{len(failed)} of {len(predictions)} failed.")


def positive_number(text: str) -> int:
    """Return the number that the text is.

    Raises:
        ArgumentTypeError: The text is not an integer >= 1.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number >= 1, got {text!r}")
    return int(text)
