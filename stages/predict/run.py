"""Predict: what a trained network says of pictures in files, in folders, at URLs or dropped on a page."""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import joblib
import numpy as np
import numpy.typing as npt
from PIL import Image

from stages.classifier.answers import Answer, as_csv, as_json, as_table, printable
from stages.classifier.open_classifier import Classifier
from stages.core.files import replacing
from stages.images.reading import Pixels
from stages.networks.gradcam import heatmaps, overlay
from stages.predict.page import MAX_MEGABYTES
from stages.sources.listed_image import is_hidden
from stages.web.fetch_once import fetch_once, is_url

AT_ONCE = 256  # pictures held in memory
DIGITS = 6  # of a probability, as in predictions.csv
TOP = 3  # classes in the table
SIDE = 320  # pixels of each of the two pictures that explain


def run(classifier: Classifier, files: list[str], top: int, explanations: Path | None) -> Iterator[Answer]:
    """What the network says of each file or URL, in their order: its `top` classes, or why there is no picture.

    The folder `explanations`, if any, gets a picture for each that shows where the network saw its class.

    Raises:
        ValueError: such a picture would take the place of a file that was given.
    """
    targets: Sequence[Path | None] = name_all(files, explanations) if explanations else [None] * len(files)
    given = {os.path.realpath(file) for file in files if explanations and not is_url(file)}
    for target in targets:
        if target and os.path.realpath(target) in given:
            raise ValueError(f"--explain: expected a folder without the pictures given, got {target} in it.")
    for start in range(0, len(files), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        yield from answer(classifier, files[some], targets[some], top)


def answer(classifier: Classifier, files: list[str], targets: Sequence[Path | None], top: int) -> Iterator[Answer]:
    """The answers to a few files at once."""
    work = (joblib.delayed(read)(classifier, file) for file in files)
    found: list[Pixels | str] = joblib.Parallel(n_jobs=-1, prefer="threads")(work)
    pictures = np.array([each for each in found if not isinstance(each, str)], np.uint8)
    rows = classifier.rows(pictures.reshape(-1, *classifier.facts.image_shape))
    probabilities = classifier.judge(rows)
    is_picture = [not isinstance(each, str) for each in found]
    shown = [target for target, is_one in zip(targets, is_picture, strict=True) if target and is_one]
    if shown:
        heats = heatmaps(classifier.model, rows, probabilities.argmax(axis=1), classifier.use.batch_size)
        for picture, heat, path in zip(pictures, heats, shown, strict=True):
            explain(picture, heat, path)
    said = iter(probabilities)
    for file, each, target in zip(files, found, targets, strict=True):
        if isinstance(each, str):
            yield Answer(file, error=each)
        else:
            yield Answer(file, rank(next(said), classifier.classes, top), str(target or ""))


def read(classifier: Classifier, file: str) -> Pixels | str:
    """The picture, or why there is none."""
    try:
        if is_url(file):
            return classifier.read_bytes(fetch_once(file, MAX_MEGABYTES))
        path = Path(file)
        if not path.is_file():
            return "a folder without files" if path.is_dir() else "no such file"
        return classifier.read(path)
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:
        return str(error)


def rank(probabilities: npt.NDArray[np.float32], classes: list[str], top: int) -> dict[str, float]:
    """The most probable classes first, of equal ones that of the lower number, each rounded as in predictions.csv."""
    order = np.argsort(-probabilities, kind="stable")[:top]
    # By way of text, which has the fewest digits that tell a 32-bit number: 0.1 and not 0.10000000149.
    return {classes[i]: float(str(probabilities[i].round(DIGITS))) for i in order}


def name_all(files: list[str], folder: Path) -> list[Path]:
    """A path in the folder for each file's explanation, named after the file, no two alike."""
    taken: dict[str, None] = {}
    numbers: Counter[str] = Counter()
    for file in files:
        last = PurePosixPath(file.partition("?")[0].partition("#")[0] if is_url(file) else file).name
        name = first = re.sub(r"[^\w.-]", "_", last)[:60] or "picture"  # 255 bytes at most, with four a character
        while name in taken:
            numbers[first] += 1
            name = f"{first}-{numbers[first] + 1}"
        taken[name] = None
    return [folder / f"{name}.png" for name in taken]


def explain(picture: Pixels, heat: npt.NDArray[np.float32], target: Path) -> None:
    """At the path is a PNG of the picture as the network saw it, and beside it where it saw the class."""
    target.parent.mkdir(parents=True, exist_ok=True)
    height = round(SIDE * picture.shape[0] / picture.shape[1])
    page = Image.new("RGB", (2 * SIDE, height))
    for number, half in enumerate((Image.fromarray(picture), overlay(picture, heat))):
        page.paste(half.resize((SIDE, height), Image.Resampling.BICUBIC), (number * SIDE, 0))
    with replacing(target) as unfinished:
        page.save(unfinished, "PNG")


def list_files(given: list[str]) -> list[str]:
    """What was given, with each folder's files in its place, sorted; hidden ones are left out."""
    files = []
    for name in given:
        folder = Path(name)
        paths = sorted(folder.rglob("*")) if name and not is_url(name) else []
        inside = [str(path) for path in paths if path.is_file() and not is_hidden(str(path.relative_to(folder)))]
        files += inside or [name]
    return files


def print_all(answers: list[Answer], classifier: Classifier, model: dict[str, str], form: str) -> None:
    """The answers are printed, in a form that people or programs read; if any has failed, the exit status is 1."""
    failed = [each for each in answers if each.error]
    if form == "json":
        print(as_json(answers, model))
    elif form == "csv":
        print(as_csv(answers, model, classifier.classes), end="")
    elif len(answers) > 1 or not failed:
        print(as_table(answers, classifier.facts.network), end="")
    if len(answers) == 1 and failed:
        raise ValueError(f"{printable(failed[0].file)}: expected a picture, got: {failed[0].error}.")
    if failed:
        sys.exit(f"{len(failed)} of {len(answers)} failed.")


def positive(text: str) -> int:
    """A number from 1 up.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number >= 1, got {text!r}")
    return int(text)
