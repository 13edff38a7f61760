"""Trained models ready for files: from an image's path to class probabilities, as in training and evaluation."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from pydantic import Field

from stages.classifier.familiarity import Familiarity, read_familiarity
from stages.classifier.frozen_part import open_frozen
from stages.classifier.learned_images import LearnedImages, read_learned
from stages.classifier.model_facts import Facts as Facts
from stages.classifier.model_facts import check_cascade, read_facts
from stages.classifier.predictions import printable
from stages.classifier.safe_loading import load_checked
from stages.images.faces import Face
from stages.images.formats import check_type
from stages.images.opening import open_image
from stages.images.preprocessing import Reader, open_reader
from stages.images.quality import Limits, check_area
from stages.images.reading import Pixels
from stages.networks.determinism import fix
from stages.networks.predicting import predict

SECTIONS = ("preprocess", "clean", "evaluate")


class Use(Limits, extra="ignore"):
    """The settings of params.yaml, from the sections SECTIONS, that new images need for the same results."""

    face: Face
    batch_size: int = Field(ge=1)
    threads: int = Field(ge=1)


@dataclass(frozen=True)
class Classifier:
    """A trained model, together with the steps that turn an image file into the model's input.

    `model` takes rows: pixels in [0, 255], or the activations that `frozen` computes from pixels. `learned` are the
    images that the model learned from, and `familiarity` says what it is familiar with, if these are known.
    """

    facts: Facts
    use: Use
    model: keras.Model
    frozen: keras.Model | None
    reader: Reader
    learned: LearnedImages | None = None
    familiarity: Familiarity | None = None

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the probabilities."""
        return self.facts.classes

    def read(self, path: Path) -> Pixels:
        """Read the image in a file as uint8 `(height, width, 3)`, the same bits as in training.

        Raises:
            UnusableImage: The file is not an image, the image has more pixels than `clean` allows, or it has no face
                where a face is to be cut out.
            OSError: There is no such file, or it may not be read.
        """
        with path.open("rb") as stream:
            check_type(stream.read(64))
            stream.seek(0)
            check_area(*open_image(stream).size, self.use)
        pixels, _ = self.reader(path)
        return pixels

    def read_bytes(self, content: bytes) -> Pixels:
        """Read an image from the bytes of its file, as `read` does.

        Raises:
            UnusableImage: The same conditions as in `read`.
        """
        with tempfile.NamedTemporaryFile() as file:  # The readers take paths only.
            file.write(content)
            file.flush()
            return self.read(Path(file.name))

    def recognise(self, content: bytes) -> str:
        """Return in words which training image a file shows again; an empty text if none, or if they are not known."""
        return self.learned.recognise(content) if self.learned else ""

    def rows(self, pixels: Pixels) -> npt.NDArray[Any]:
        """Return the rows that `model` takes for images, uint8 `(n, height, width, 3)`."""
        if self.frozen is None or self.facts.backbone is None:
            return pixels
        return predict(self.frozen, pixels, self.facts.backbone.batch_size)

    def predict_rows(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the probabilities `(n, n_classes)` of rows.

        Raises:
            ValueError: A probability is not a number.
        """
        probabilities = predict(self.model, rows, self.use.batch_size)
        if not np.isfinite(probabilities).all():
            raise ValueError(f"{self.facts.network}: expected probabilities, got some that are no numbers.")
        return probabilities

    def probabilities(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Return the probabilities `(n, n_classes)` of images, uint8 `(n, height, width, 3)`.

        They have the same bits as in `evaluate` if `features` and `evaluate` ran with the same number of threads: the
        batches here are the same.
        """
        return self.predict_rows(self.rows(pixels))

    def refuse(self, rows: npt.NDArray[Any]) -> list[bool | None]:
        """Return for each row whether it shows none of the classes; None if the limits of the model are not known."""
        if self.familiarity is None:
            return [None] * len(rows)
        return list(map(bool, self.familiarity.refuse(rows, self.use.batch_size)))

    def find_likely(self, probabilities: npt.NDArray[np.float32]) -> list[str]:
        """Return the likely classes of an image with these probabilities `(n_classes,)`, the most probable one first.

        The list is empty if the limit of the model is not known, or was set on too few images.
        """
        if self.familiarity is None or not self.familiarity.limits.least_probability:
            return []
        order = np.argsort(-probabilities, kind="stable")
        is_likely = self.familiarity.limits.find_likely(probabilities[np.newaxis])[0]
        return [self.classes[number] for number in order if is_likely[number]]

    def whole_model(self) -> keras.Model:
        """Return a single model from images in [0, 255] to probabilities; the last digits may differ from ours."""
        if self.frozen is None:
            return self.model
        images = keras.Input(self.facts.image_shape)
        return keras.Model(images, self.model(self.frozen(images)), name=self.facts.network)


def open_classifier(folder: Path, pretrained: Path, use: Use, evaluations: Path | None = None) -> Classifier:
    """Open a model in a folder that `train` or `champion` wrote, or that came from elsewhere.

    Call this before the first tensor is made. The weights of a frozen part and the limits of the answers are in the
    folder of the model, or else in the network's folder in `pretrained` and `evaluations`.

    Args:
        folder: The folder of the model.
        pretrained: The folder in which `pretrained` wrote a folder for each network.
        use: The settings for running the model.
        evaluations: The folder in which `evaluate` wrote a folder for each network.

    Raises:
        FileNotFoundError: A file of the model is missing.
        ValueError: A file of the model is damaged or not allowed, or the files do not fit together.
    """
    facts = read_facts(folder)
    check_cascade(facts.preprocessing, use.face, folder)
    fix(0, use.threads)
    frozen = open_frozen(facts, facts.backbone, folder, pretrained) if facts.backbone else None
    model = load_checked(folder / "model.keras")
    fed = tuple(facts.image_shape) if frozen is None else frozen.output_shape[1:]
    if model.input_shape[1:] != fed:
        raise ValueError(f"{folder}: expected a model of {fed}, as network.json says, got one of {model.input_shape}.")
    if model.output_shape[1:] != (len(facts.classes),):
        classes = printable(", ".join(facts.classes))
        raise ValueError(
            f"{folder}: expected a model of the classes {classes} of network.json, got one of {model.output_shape[1]}."
        )
    reader, learned = open_reader(facts.preprocessing), read_learned(folder)
    familiarity = read_familiarity(model, folder, evaluations / facts.network if evaluations else folder)
    return Classifier(facts, use, model, frozen, reader, learned, familiarity)
