"""The page on which a person drops an image: the image as the network sees it, its prediction, and a heat map."""

import base64
import io
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from flask import Flask, abort, request
from PIL import Image

from stages.classifier.open_classifier import Classifier
from stages.images.reading import Pixels
from stages.networks.hirescam import heatmaps, overlay
from stages.pages.local_server import make_app

MAX_MEGABYTES = 32
STATIC = Path(__file__).with_name("static")
BODY_TYPE = "application/octet-stream"  # no form of another web site sends it
KEPT = 2  # images kept in memory, so that the heat map of another class needs no new prediction


class PredictedImage(NamedTuple):
    """An image `(height, width, 3)`, its row for the model `(1, …)`, the probability of each class, and notes.

    The note `learned` says if the network learned from the image; `none_of_these` says whether it shows none of the
    classes, or is None if that is not known.
    """

    pixels: Pixels
    rows: npt.NDArray[Any]
    probabilities: npt.NDArray[np.float32]
    learned: str
    none_of_these: bool | None


def create_app(classifier: Classifier, model: dict[str, str]) -> Flask:
    """Return the web application: the page, the facts of the model, and a prediction or heat map for a sent image."""
    app = make_app(STATIC, "predict.html", BODY_TYPE, int(MAX_MEGABYTES * 1e6))
    lock = threading.Lock()  # TensorFlow has threads of its own, so images are predicted one after the other

    @lru_cache(maxsize=KEPT)
    def predict_image(content: bytes) -> PredictedImage:
        pixels = classifier.read_bytes(content)
        rows = classifier.rows(pixels[np.newaxis])
        [probabilities], [none_of_these] = classifier.predict_rows(rows), classifier.refuse(rows)
        return PredictedImage(pixels, rows, probabilities, classifier.recognise(content), none_of_these)

    def get_model() -> dict[str, Any]:
        facts = classifier.facts
        known = {"classes": facts.classes, "size": facts.preprocessing.size, "crop": facts.preprocessing.crop}
        return model | known | {"max_megabytes": MAX_MEGABYTES}

    def post_prediction() -> dict[str, Any]:
        content = request.get_data()  # before the lock, so that a slow sender keeps nobody waiting
        with lock:
            predicted = predict_image(content)
        return as_answer(predicted, classifier)

    def post_heat() -> dict[str, Any]:
        name = request.args.get("class", "")
        if name not in classifier.classes:
            abort(404, f"class: expected one of {', '.join(classifier.classes)}, got {name!r}.")
        content = request.get_data()
        with lock:
            predicted = predict_image(content)
            heat = heatmaps(classifier.model, predicted.rows, [classifier.classes.index(name)], 1)[0]
        return {"heat": encode_png(overlay(predicted.pixels, heat))}

    app.register_error_handler(ValueError, lambda error: ({"error": str(error)}, 422))  # not an image, or no heat map
    app.add_url_rule("/api/model", "model", get_model)
    app.add_url_rule("/api/prediction", "prediction", post_prediction, methods=["POST"])
    app.add_url_rule("/api/heat", "heat", post_heat, methods=["POST"])
    return app


def as_answer(predicted: PredictedImage, classifier: Classifier) -> dict[str, Any]:
    """Return what the page shows of an image: the most probable class first, what the network sees, and notes."""
    order = np.argsort(-predicted.probabilities, kind="stable")
    return {
        "probabilities": [[classifier.classes[i], float(predicted.probabilities[i])] for i in order],
        "image": encode_png(Image.fromarray(predicted.pixels)),
        "learned": predicted.learned,
        "none_of_these": predicted.none_of_these,
        "likely": classifier.find_likely(predicted.probabilities),
    }


def encode_png(image: Image.Image) -> str:
    """Return the image as PNG in base64."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()
