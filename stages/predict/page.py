"""The page on which a person drops a picture: what the network sees of it, says of it, and where it saw that."""

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
from stages.networks.gradcam import heatmaps, overlay
from stages.pages.local_server import make_app

MAX_MEGABYTES = 32
STATIC = Path(__file__).with_name("static")
BODY_TYPE = "application/octet-stream"  # no form of another web site sends it
KEPT = 2  # pictures that are not computed again for the heat map of another class


class Seen(NamedTuple):
    """One picture `(height, width, 3)`, what the model is fed for it `(1, …)`, and the probability of each class."""

    pixels: Pixels
    rows: npt.NDArray[Any]
    probabilities: npt.NDArray[np.float32]


def create_app(classifier: Classifier, model: dict[str, str]) -> Flask:
    """The web application: the page, facts of the model, and for a picture sent a prediction or a heat map."""
    app = make_app(STATIC, "predict.html", BODY_TYPE, int(MAX_MEGABYTES * 1e6))
    lock = threading.Lock()  # TensorFlow has threads of its own: pictures are taken one after the other

    @lru_cache(maxsize=KEPT)
    def look(content: bytes) -> Seen:
        pixels = classifier.read_bytes(content)
        rows = classifier.rows(pixels[np.newaxis])
        return Seen(pixels, rows, classifier.judge(rows)[0])

    def get_model() -> dict[str, Any]:
        facts = classifier.facts
        known = {"classes": facts.classes, "size": facts.preprocessing.size, "crop": facts.preprocessing.crop}
        return model | known | {"max_megabytes": MAX_MEGABYTES}

    def post_prediction() -> dict[str, Any]:
        content = request.get_data()  # before the lock: whoever sends slowly keeps nobody waiting
        with lock:
            seen = look(content)
        order = np.argsort(-seen.probabilities, kind="stable")
        probabilities = [[classifier.classes[i], float(seen.probabilities[i])] for i in order]
        return {"probabilities": probabilities, "picture": encode(Image.fromarray(seen.pixels))}

    def post_heat() -> dict[str, Any]:
        name = request.args.get("class", "")
        if name not in classifier.classes:
            abort(404, f"class: expected one of {', '.join(classifier.classes)}, got {name!r}.")
        content = request.get_data()
        with lock:
            seen = look(content)
            heat = heatmaps(classifier.model, seen.rows, [classifier.classes.index(name)], 1)[0]
        return {"heat": encode(overlay(seen.pixels, heat))}

    app.register_error_handler(ValueError, lambda error: ({"error": str(error)}, 422))  # no picture, or no heat map
    app.add_url_rule("/api/model", "model", get_model)
    app.add_url_rule("/api/prediction", "prediction", post_prediction, methods=["POST"])
    app.add_url_rule("/api/heat", "heat", post_heat, methods=["POST"])
    return app


def encode(picture: Image.Image) -> str:
    """The picture as PNG, in base64."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()
