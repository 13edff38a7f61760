"""How many images of something else `predict` calls none of these, by kind of image and network.

    python -m benchmarks.outsiders photographs=FOLDER buildings=FOLDER

Each NAME=FOLDER is a kind of image that no network of the pipeline has learned from; of each at most IMAGES are drawn
with a fixed seed and made as small as the embedded drawings are. Noise, plain colours and pages of text are made here.
The AUROC says how well novelty, and beside it the probability of the most probable class, tells these images from the
test images, whatever the limit. What the limits do over many splits, `benchmarks.answers` says.
"""

import argparse
import io
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps
from scipy.stats import binomtest

from benchmarks.rounds import publish, to_table
from stages.classifier.model_facts import find_model
from stages.classifier.open_classifier import SECTIONS, Classifier, Use, open_classifier
from stages.core import params
from stages.core.tables import read_table
from stages.core.terminal import command, progress
from stages.images.opening import UnusableImage, open_image
from stages.networks.inputs import divide, read_inputs
from stages.networks.novelty import measure_novelty
from stages.networks.predicting import predict

IMAGES, MADE = 200, 60
LONGEST, MOST_PIXELS = 256, 20_000_000
SIDE, LETTERS = 400, 20
NETWORKS = ("efficientnet_lite0", "xception", "vgg", "alexnet", "peetznet")
DRAWS, SEED = 1000, 0
Scores = npt.NDArray[np.float64]


def make_noise(random: np.random.Generator) -> Image.Image:
    """Return an image of random pixels."""
    return Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))


def make_colour(random: np.random.Generator) -> Image.Image:
    """Return an image of one random colour."""
    return Image.new("RGB", (SIDE, SIDE), tuple(int(part) for part in random.integers(0, 256, 3)))


def make_text(random: np.random.Generator) -> Image.Image:
    """Return a page of random words from the licence, which never changes."""
    words = Path("LICENSE").read_text(encoding="utf-8").split()
    page = Image.new("RGB", (SIDE, SIDE), "white")
    font = ImageFont.load_default(LETTERS)
    for line in range(0, SIDE, LETTERS + 6):
        ImageDraw.Draw(page).text((6, line), " ".join(random.choice(words, 8)), "black", font)
    return page


MAKERS = {"noise": make_noise, "one colour": make_colour, "pages of text": make_text}


def make_images(kind: str) -> list[bytes]:
    """Return the files of images of a kind that is made."""
    random = np.random.default_rng(SEED)
    return [encode(MAKERS[kind](random)) for _ in range(MADE)]


def draw_images(folder: Path) -> list[bytes]:
    """Return files of small images from a folder, drawn at random from those that can be read.

    Raises:
        FileNotFoundError: There is no image.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    shrunk = (shrink(paths[number]) for number in np.random.default_rng(SEED).permutation(len(paths)))
    found = list(islice(filter(None, shrunk), IMAGES))
    if not found:
        raise FileNotFoundError(f"{folder}: expected a folder of images, got none.")
    return found


def shrink(path: Path) -> bytes | None:
    """Return the file of an image whose longer side is at most LONGEST pixels; None if the image cannot be read."""
    try:
        with open_image(path) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            small = ImageOps.exif_transpose(image).convert("RGBA")
    except (UnusableImage, OSError, ValueError):
        return None
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return encode(small)


def encode(image: Image.Image) -> bytes:
    """Return the image as the bytes of a PNG file."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def score_rows(classifier: Classifier, rows: npt.NDArray[np.generic]) -> dict[str, Scores]:
    """Return what is higher the less a row is of the classes: its novelty, and 1 less its highest probability."""
    assert classifier.familiarity
    features = predict(classifier.familiarity.feature_model, rows, classifier.use.batch_size)
    improbable = 1 - classifier.predict_rows(rows).max(axis=1)
    return {
        "novelty": measure_novelty(features, classifier.familiarity.references),
        "improbable": improbable.astype(float),
    }


def auroc(inside: Scores, outside: Scores) -> str:
    """Return the area under the ROC curve with its 95 % interval, by the bootstrap over images."""
    random = np.random.default_rng(SEED)
    # The share of pairs in order, for draws of whole images: each image counts as often as it was drawn.
    in_order = (inside[:, None] < outside) + 0.5 * (inside[:, None] == outside)
    weights = [random.multinomial(len(each), np.full(len(each), 1 / len(each)), DRAWS) for each in (inside, outside)]
    areas = np.einsum("di,ij,dj->d", *weights[:1], in_order, *weights[1:], optimize=True) / in_order.size
    low, high = np.percentile(areas, (2.5, 97.5))
    return f"{in_order.mean():.3f} ({low:.3f} to {high:.3f})"


def share(flags: npt.NDArray[np.bool_]) -> str:
    """Return the share of true flags with its 95 % interval (Wilson 1927)."""
    low, high = binomtest(int(flags.sum()), len(flags)).proportion_ci(0.95, method="wilson")
    return f"{flags.mean():.3f} ({low:.3f} to {high:.3f})"


def compare(name: str, kinds: dict[str, list[bytes]]) -> str:
    """Return the table of a network: a row for the test images, and one for each kind of other images."""
    use = params.read(Use, *SECTIONS)
    folder = find_model(name, Path("data/6_models"))
    classifier = open_classifier(folder, Path("data/5_pretrained"), use, Path("data/7_evaluations"))
    if classifier.familiarity is None:
        raise ValueError(f"{folder}: expected limits of its evaluation, got none: run dvc repro.")
    inputs = read_inputs(Path(params.find_table(params.load(), f"networks.{name}")["input"]))
    test = divide(inputs, read_table(Path("data/4_split/split.csv")))[1]["test"].rows
    inside = score_rows(classifier, inputs.array[test])
    rows = [["test images", str(len(test)), share(classifier.familiarity.limits.refuse(inside["novelty"])), "", ""]]
    for kind, contents in progress(kinds.items(), len(kinds), name, unit="kind"):
        images = np.stack([classifier.read_bytes(content) for content in contents])
        outside = score_rows(classifier, classifier.rows(images))
        areas = [auroc(inside[score], outside[score]) for score in ("novelty", "improbable")]
        rows.append([kind, str(len(images)), share(classifier.familiarity.limits.refuse(outside["novelty"])), *areas])
    header = ["images", "number", "called none of these", "AUROC of novelty", "AUROC of the highest probability"]
    return to_table(header, rows)


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="+", metavar="NAME=FOLDER", help="images of something else")
    given = dict(text.split("=", 1) for text in parser.parse_args().kinds)
    kinds = {name: draw_images(Path(folder)) for name, folder in given.items()}
    kinds |= {name: make_images(name) for name in MAKERS}
    tables = [f"## {name}\n\n{compare(name, kinds)}" for name in NETWORKS]
    publish("outsiders", "Intervals are at 95 %, over images.\n", *tables)


if __name__ == "__main__":
    command(main)
