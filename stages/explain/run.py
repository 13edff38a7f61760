"""Explain: a model's worst mistakes, its heat maps, the filters of its first layer, and a map of its features."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field

from stages.core import params
from stages.core.files import read_json, replacing_folder
from stages.core.tables import read_table, write_table
from stages.explain.embedding import NAMES, Method, draw_embedding, embed
from stages.figures.sheets import CAPTION, INK, SheetSection, Tile, draw_sheet
from stages.networks.determinism import fix
from stages.networks.hirescam import View, heatmaps, overlay
from stages.networks.inputs import FILTERS, Inputs, read_inputs
from stages.networks.layer_graph import BGR, first_kernels, last_features
from stages.networks.predicting import predict

SIDE, COLUMNS = 144, 6  # pixels of a tile, and tiles in a row; each image has two tiles
SUREST = 6  # recognised images of each class that the sheet shows, the most probable ones first
FILTER_SIDE, FILTER_COLUMNS, MOST_FILTERS = 64, 12, 96
THUMBNAIL_SIDE = 160
MOST_PLACED = 5000  # images on the map; t-SNE of so many takes half a minute, of 20 times as many an hour
LISTED = [
    "image_id", "class", "predicted", "probability", "file", "title", "author", "licence", "licence_url", "page_url",
    "url", "source",
]  # fmt: skip

Views = dict[str, View]


class Explain(params.Section):
    """The section `explain` of params.yaml."""

    mistakes: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    threads: int = Field(ge=1)
    embedding: Method
    perplexity: float = Field(gt=0)
    seed: int = Field(ge=0)


def run(settings: Explain, source: Path, pixels: Path, trained: Path, predictions: Path, target: Path) -> None:
    """Write the figures, and the list of the shown mistakes with their thumbnails, into the folder target.

    Mistakes and the surest images are of the test split. Their heat maps are for the class that the model predicted.

    Raises:
        ValueError: Predictions or pixels are of other images or classes, or the network has no convolution.
    """
    network = read_json(trained / "network.json")
    inputs, name = read_inputs(source), network["network"]
    table, images = read_predictions(predictions, inputs, network["classes"]), np.load(pixels, mmap_mode="r")
    if len(images) != len(table):
        raise ValueError(f"{pixels}: expected the images of the {len(table)} inputs, got {len(images)}.")
    fix(0, settings.threads)
    model = keras.models.load_model(trained / "model.keras", compile=False)
    test = table[table["split"] == "test"]
    is_right = test["predicted"] == test["class"]
    mistakes = choose(test[~is_right], "loss", settings.mistakes)
    surest = choose(test[is_right], "probability", SUREST)
    shown = pd.concat([mistakes, surest])
    numbers = [network["classes"].index(predicted) for predicted in shown["predicted"]]
    heats = heatmaps(model, inputs.array[shown.index], numbers, settings.batch_size)
    views = dict(zip(shown["image_id"], map(View, images[shown.index], heats), strict=True))
    placed = place(model, inputs, table, settings)
    with replacing_folder(target, "explain") as folder:
        fooled = pair_up((f"{name} mistook", "worst"), mistakes, test[~is_right], test, views)
        draw_sheet(fooled, folder / "mistakes.png", SIDE, COLUMNS)
        sure = pair_up((f"{name} recognised", "surest"), surest, test[is_right], test, views)
        draw_sheet(sure, folder / "attention.png", SIDE, COLUMNS)
        save_mistakes(mistakes, views, folder)
        draw_filters(name, find_kernels(model, inputs, source), folder / "filters.png")
        write_table(placed, folder / "embedding.csv")
        of_all = "" if len(placed) == len(table) else f", {len(placed):,} of {len(table):,} images"
        title = f"{name}: {NAMES[settings.embedding]} of the last features{of_all}"
        draw_embedding(placed, title, folder / "embedding.png")


def place(model: keras.Model, inputs: Inputs, table: pd.DataFrame, settings: Explain) -> pd.DataFrame:
    """Return the table's rows with the place `x`, `y` of each image on the map; of many rows MOST_PLACED of them.

    The rows have the order of the images' hashes, so that rows evenly spread over them are a random sample.
    """
    rows = np.linspace(0, len(table) - 1, min(len(table), MOST_PLACED)).round().astype(int)
    array = inputs.array if len(rows) == len(table) else inputs.array[rows]
    features = predict(last_features(model), array, settings.batch_size)
    points = embed(features, settings.embedding, settings.perplexity, settings.seed).round(3)
    return table.iloc[rows][["image_id", "class", "split", "predicted"]].assign(x=points[:, 0], y=points[:, 1])


def read_predictions(path: Path, inputs: Inputs, classes: list[str]) -> pd.DataFrame:
    """Read the table of `evaluate`, a row for each input, and add the predicted class's `probability`.

    Raises:
        ValueError: The table is about other images or classes.
    """
    table = read_table(path, "image_id", "class", "split", "predicted", "loss")
    if list(table["image_id"]) != inputs.image_ids:
        raise ValueError(f"{path}: expected the {len(inputs.image_ids)} images of the inputs, got {len(table)} others.")
    found = [str(column).removeprefix("p_") for column in table if str(column).startswith("p_")]
    if found != classes:
        raise ValueError(f"{path}: expected probabilities of {', '.join(classes)}, got {', '.join(found)}.")
    probabilities = table[[f"p_{name}" for name in classes]].astype(float)
    others = table.drop(columns=probabilities.columns).astype({"loss": float})
    return pd.concat([others, probabilities, probabilities.max(axis=1).rename("probability")], axis=1)


def choose(rows: pd.DataFrame, column: str, number: int) -> pd.DataFrame:
    """Return at most `number` rows of each class, the highest value first; equal values in the order of image ids."""
    ordered = rows.sort_values(["class", column, "image_id"], ascending=[True, False, True])
    return ordered.groupby("class").head(number)


def pair_up(
    words: tuple[str, str], shown: pd.DataFrame, meant: pd.DataFrame, test: pd.DataFrame, views: Views
) -> list[SheetSection]:
    """Return the sections of a sheet: the shown images of each class beside their heat maps, with counts.

    `meant` holds all test images that the sheet is about, `shown` some of them. `words` are a verb and a rank.
    """
    did, rank = words
    sections = [SheetSection(f"{did} {len(meant) or 'none'} of {len(test)} test images", [draw_key()])]
    for name, rows in shown.groupby("class"):
        number, total = ((table["class"] == name).sum() for table in (meant, test))
        tiles = [tile for row in rows.to_dict("records") for tile in draw_pair(row, views[row["image_id"]])]
        sections.append(SheetSection(f"{name}: {number} of {total}, the {len(rows)} {rank}", tiles))
    return sections


def draw_key() -> Tile:
    """Return a tile that explains the colours of a heat map."""
    heat = np.tile(np.linspace(1, 0, SIDE, dtype=np.float32)[:, None], SIDE)
    colours = overlay(np.full((SIDE, SIDE, 3), 255, np.uint8), heat)
    draw, font = ImageDraw.Draw(colours), ImageFont.load_default(CAPTION)
    draw.text((SIDE / 2, CAPTION), "the most", INK, font, "mm")
    draw.text((SIDE / 2, SIDE - CAPTION), "nothing", INK, font, "mm")
    return Tile(colours, ("Right of each image: how", "much a place adds to the", "prediction (HiResCAM)"))


def draw_pair(row: dict[Any, Any], view: View) -> tuple[Tile, Tile]:
    """Return a tile of the image with its origin, and a tile of its heat map with the prediction."""
    predicted = f"predicted {row['probability']:.0%} {row['predicted']}"
    true = "" if row["predicted"] == row["class"] else f"true {row['p_' + row['class']]:.0%} {row['class']}"
    blank = "" if view.heat.any() else "HiResCAM finds no place"
    origin = (row["title"] or Path(row["source_id"]).name, row["author"], row["licence"])
    return Tile(view.image(SIDE), origin, INK), Tile(view.overlaid(SIDE), tuple(filter(None, (predicted, true, blank))))


def save_mistakes(mistakes: pd.DataFrame, views: Views, folder: Path) -> None:
    """Write the mistakes into the folder as a list with their origins, and their heat maps as JPEG files."""
    text = json.dumps(mistakes[LISTED].to_dict("records"), indent=2)
    (folder / "mistakes.json").write_text(text + "\n", encoding="utf-8")
    (folder / "heat").mkdir()
    for image_id in mistakes["image_id"]:
        views[image_id].overlaid(THUMBNAIL_SIDE).save(folder / "heat" / f"{image_id[:16]}.jpg", quality=85)


def find_kernels(model: keras.Model, inputs: Inputs, source: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Return the kernels `(height, width, channels, filters)` of the first convolutions by name, for RGB images."""
    if not inputs.backbone:
        return first_kernels(model)
    kernel = np.load(source / FILTERS)
    is_bgr = inputs.backbone["scaling"] == BGR
    return {"backbone": kernel[:, :, ::-1] if is_bgr else kernel}


def draw_filters(name: str, kernels: dict[str, npt.NDArray[np.float32]], path: Path) -> None:
    """Draw the filters of each layer on one sheet; each filter is scaled from its least to its largest weight."""
    sections = []
    for layer, kernel in kernels.items():
        height, width, _, number = kernel.shape
        tiles = [Tile(draw_filter(kernel[..., i])) for i in range(min(number, MOST_FILTERS))]
        counts = f"{len(tiles)} of {number} filters of {height}x{width} pixels, each in its own range"
        sections.append(SheetSection(f"{name}, {layer}: {counts}", tiles))
    draw_sheet(sections, path, FILTER_SIDE, FILTER_COLUMNS)


def draw_filter(kernel: npt.NDArray[np.float32]) -> Image.Image:
    """Return a kernel `(height, width, channels)` as an image of equal squares, as large as fits.

    A kernel with three channels is in colour. Any other kernel is the mean of its channels in grey.
    """
    weights = kernel if kernel.shape[-1] == 3 else kernel.mean(axis=-1)
    levels = 255 * (weights - weights.min()) / max(np.ptp(weights), 1e-12)
    image = Image.fromarray(levels.round().astype(np.uint8))
    times = max(1, FILTER_SIDE // max(image.size))
    enlarged = image.resize((times * image.width, times * image.height), Image.Resampling.NEAREST)
    enlarged.thumbnail((FILTER_SIDE, FILTER_SIDE))
    return enlarged
