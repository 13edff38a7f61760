"""A small complete set of the inputs of `report`, as the earlier steps write them."""

import json

import numpy as np
import pandas as pd
from PIL import Image

from stages.compare.choice import choose
from stages.compare.run import compare_pairs, summarise
from stages.core.files import write_json
from stages.core.tables import SPLITS, write_table
from stages.evaluate.curves import precision_recall_points, reliability, roc_points
from stages.evaluate.run import Evaluate, Predictions, score_splits, undo_calibration
from stages.networks.inputs import SplitRows
from stages.report.report_data import Sources

PROVENANCE = ["source", "source_id", "title", "url", "page_url", "author", "licence", "licence_url", "file"]
LICENCE = "https://creativecommons.org/licenses/by/4.0/"
TRAINING = {"monitor": "val_loss", "seed": 3, "scaling": "unit", "learning_rate": 0.001, "clip_norm": None}
EVALUATE = Evaluate(
    batch_size=1,
    threads=1,
    draws=100,
    seed=0,
    wanted_class=None,
    wanted_precision=0.9,
    refused_share=0.05,
    set_coverage=0.9,
)
TEMPERATURE = 1.25
SPLIT = {"ratios": "50/25/25", "seed": 7, "group_by": ["look-alikes"]}


def draw_image(seed, size=(64, 48)):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def make_index(classes, per_class):
    """Return a row for each image; of four images of a class, two are train, one is val and one is test."""
    rows = []
    for number in range(per_class * len(classes)):
        name = classes[number % len(classes)]
        image_id = f"{number:064x}"[::-1]
        rows.append({
            "image_id": image_id, "class": name, "source": "a/folder", "source_id": f"{name}/{number}.png",
            "title": f"Title {number}", "url": "", "page_url": f"https://example.org/{number}",
            "author": f"Author {number % 5}", "licence": "CC BY 4.0", "licence_url": LICENCE, "format": "PNG",
            "width": 64, "height": 48, "bytes": 1000, "given_split": "",
            "file": f"class{number % len(classes)}/{image_id[:16]}.png", "phash": "0" * 16, "group": image_id,
            "split": ("train", "val", "train", "test")[number // len(classes) % 4],
        })  # fmt: skip
    return pd.DataFrame(rows)


def make_probabilities(index, classes, sharpness, seed):
    """Return random probabilities `(n, n_classes)`, in which the true class is more probable."""
    scores = np.random.default_rng(seed).normal(size=(len(index), len(classes)))
    scores[np.arange(len(index)), index["class"].map(list(classes).index)] += sharpness
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def write_images(index, folder, side=32):
    """Write the raw files with their table, and the pixels."""
    raw, pixels = folder / "raw", folder / "pixels"
    pixels.mkdir()
    for number, file in enumerate(index["file"]):
        (raw / file).parent.mkdir(parents=True, exist_ok=True)
        draw_image(number).save(raw / file)
    write_table(index.drop(columns=["phash", "group", "split"]), raw / "images.csv")
    write_table(index.drop(columns=["split"]), pixels / "index.csv")
    np.save(pixels / "images.npy", np.stack([np.asarray(draw_image(n, (side, side))) for n in range(len(index))]))


def write_counts(index, classes, folder):
    """Write the counts of the steps from collect to split, and the tables that clean wrote."""
    metrics, cleaned, n = folder / "metrics", folder / "cleaned", len(index)
    rejected = {"duplicate": 3, "near-duplicate": 2}
    counts = index.groupby("split")["class"].value_counts()
    of_classes = {part: {name: int(counts.get((part, name), 0)) for name in classes} for part in SPLITS}
    collected = {name: int((index["class"] == name).sum()) for name in classes}
    collect = {"listed": n + 6, "kept": n + 5, "failed": {"HTTP 404": 1}, "classes": collected}
    write_json(collect, metrics / "collect.json")
    clean = {"listed": n + 5, "kept": n, "rejected": rejected, "groups": n, "pairs": {}, "decisions": {}}
    clean |= {"classes": collected}
    write_json(clean, metrics / "clean.json")
    write_json({"listed": n, "kept": n, "failed": {}}, metrics / "preprocess.json")
    none = {"identical": 0, "changed": 0, "look-alike": 0}
    leaks = {"groups": 0, "like_test": none, "like_val": none}
    split = {"listed": n, "groups_straddling": 0, "leaks": leaks}
    split |= {"largest_imbalance": 0.0031, "balance": {}, "classes": of_classes}
    write_json(split, metrics / "split.json")
    cleaned.mkdir()
    write_table(index.drop(columns=["split"]), cleaned / "kept.csv")
    ids, names = index["image_id"], index["class"]
    pairs = [(ids[0], ids[3], names[0], names[3], 0, 0.998, 0.998, 0, "plain", "same"),
             (ids[1], ids[1], names[1], names[2], 0, 1.0, 1.0, 0, "mirror", "same"),
             (ids[2], ids[5], names[2], names[5], 6, 0.71, 0.9, 0.2, "plain", "look-alike")]  # fmt: skip
    columns = ["first", "second", "first_class", "second_class", "distance", "similarity", "likeness", "changed",
               "form", "relation"]  # fmt: skip
    write_table(pd.DataFrame(pairs, columns=columns), cleaned / "pairs.csv")


def write_evaluation(index, probabilities, classes, folder, cost):
    """Write what `evaluate` writes about a network."""
    folder.mkdir(parents=True)
    labels = index["class"].map(list(classes).index).to_numpy()
    predictions = Predictions(probabilities, labels, index["group"].to_numpy(), list(classes))
    rows = {name: np.flatnonzero(index["split"] == name) for name in SPLITS}
    parts = {name: SplitRows(own, labels[own]) for name, own in rows.items()}
    metrics = cost | score_splits(EVALUATE, predictions, parts) | undo_calibration(predictions, parts, TEMPERATURE)
    metrics["test"] |= {"refused": 0.0137, "covered": 0.9315, "likely_classes": 1.2466}
    metrics["test"]["intervals"] |= {"refused": [0.0016, 0.1088], "covered": [0.838, 0.9728]}
    write_json(metrics, folder / "metrics.json")
    table = index[["image_id", "class", "split", "group"]].assign(
        predicted=[classes[number] for number in probabilities.argmax(axis=1)],
        loss=-np.log(probabilities[np.arange(len(index)), labels]).round(6),
        **{f"p_{name}": probabilities[:, number].round(6) for number, name in enumerate(classes)},
        **{name: index[name] for name in PROVENANCE},
    )
    write_table(table, folder / "predictions.csv")
    rows = (index["split"] == "test").to_numpy()
    given = (labels[rows], probabilities[rows])
    write_table(roc_points(*given, classes), folder / "roc.csv")
    write_table(precision_recall_points(*given, classes), folder / "precision_recall.csv")
    write_table(reliability(*given), folder / "reliability.csv")
    return metrics, table


def write_training(name, classes, cost, folder, backbone):
    """Write what `train` writes about a network, whose third epoch has the lowest validation loss."""
    folder.mkdir(parents=True)
    rows = [(epoch, split, loss, 0.4 + epoch / 10, 0.001)
            for epoch, losses in enumerate([(1.1, 1.2), (0.9, 1.0), (0.7, 0.8), (0.5, 0.9)], start=1)
            for split, loss in zip(("train", "val"), losses, strict=True)]  # fmt: skip
    columns = ["epoch", "split", "loss", "accuracy", "learning_rate"]
    write_table(pd.DataFrame(rows, columns=columns), folder / "history.csv")
    facts = {"network": name, "classes": list(classes), "image_shape": [32, 32, 3], "parameters": cost["parameters"]}
    facts |= {
        "pretrained": cost["pretrained"],
        "preprocessing": {"size": [32, 32], "crop": "letterbox"},
        "backbone": backbone,
        "kept_epoch": 3,
    }
    write_json(facts, folder / "network.json")


def write_explanation(table, folder, most=2):
    """Write what `explain` writes about a network: its mistakes on test, the figures, and the map."""
    (folder / "heat").mkdir(parents=True)
    test = table[table["split"] == "test"]
    wrong = test[test["class"] != test["predicted"]].groupby("class").head(most)
    fields = [
        "image_id",
        "class",
        "predicted",
        "file",
        "title",
        "author",
        "licence",
        "licence_url",
        "page_url",
        "url",
        "source",
    ]
    mistakes = [row | {"probability": 0.9} for row in wrong[fields].to_dict("records")]
    (folder / "mistakes.json").write_text(json.dumps(mistakes))
    for number, row in enumerate(mistakes):
        draw_image(1000 + number, (160, 160)).save(folder / "heat" / f"{row['image_id'][:16]}.jpg")
    for number, name in enumerate(("attention", "filters", "mistakes", "embedding")):
        draw_image(2000 + number, (900, 300)).save(folder / f"{name}.png", compress_level=1)
    places = np.random.default_rng(5).normal(size=(len(table), 2))
    map_ = table[["image_id", "class", "split", "predicted"]].assign(x=places[:, 0].round(4), y=places[:, 1].round(4))
    write_table(map_, folder / "embedding.csv")


def write_network(name, index, classes, folder, sharpness, seed, pretrained=False):
    """Write the training, evaluation and explanation of a network; return its metrics and its predictions."""
    cost = {"parameters": 1_234_567 * (seed + 1), "multiply_adds": 45_600_000 * 10**seed, "megabytes": 4.94}
    cost["pretrained"] = pretrained
    backbone = {"network": name, "pretrained": True, "sha256": "ab" * 32, "credit": CREDIT} if pretrained else {}
    write_training(name, classes, cost, folder / "models" / name, backbone)
    probabilities = make_probabilities(index, classes, sharpness, seed)
    metrics, table = write_evaluation(index, probabilities, classes, folder / "evaluations" / name, cost)
    write_explanation(table, folder / "explanations" / name)
    return metrics, table


def write_inputs(folder, classes=("cat", "dog", "owl"), networks=("vgg", "xception"), per_class=16, change=None):
    """Write all inputs into the folder and return their paths; `change` may alter the table of images before that."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = sorted(classes)
    index = make_index(classes, per_class)
    if change is not None:
        change(index)
    write_images(index, folder)
    write_counts(index, classes, folder)
    found = {name: write_network(name, index, classes, folder, 1.0 + seed, seed, pretrained=name == "xception")
             for seed, name in enumerate(networks)}  # fmt: skip
    pairs = compare_pairs({name: table for name, (_, table) in found.items()})
    own = {name: metrics for name, (metrics, _) in found.items()}
    summary = summarise(own, pairs, choose(own, pairs, None, {}))
    write_json(summary, folder / "metrics" / "summary.json")
    return Sources(
        *(folder / name for name in ("metrics", "raw", "cleaned", "pixels", "models", "evaluations", "explanations"))
    )


CREDIT = "weights of <b>somebody</b>, some licence"
CROSSED = {
    "deals": 5, "folds": 4, "images": 48, "training_images": 24, "accuracy": 0.71, "low": 0.65, "high": 0.77,
    "single_trainings": {"lowest": 0.5, "highest": 0.875, "deviation": 0.08},
    "choice": {"images": 40, "accuracy": 0.69, "low": 0.62, "high": 0.75},
    "learning_curve": {
        "points": [{
            "share": 0.5, "training_images": 12, "accuracy": 0.66, "low": 0.6, "high": 0.72,
            "gain": {"difference": 0.05, "low": 0.02, "high": 0.08},
        }],
        "twice": {"difference": 0.043, "low": 0.019, "high": 0.063},
    },
    "apart": {
        "column": "author", "images": 40, "values": 5, "training_images": 20, "p": 0.01,
        "known": {"accuracy": 0.75, "low": 0.68, "high": 0.81},
        "unknown": {"accuracy": 0.6, "low": 0.5, "high": 0.69},
        "all_unknown": {"accuracy": 0.62, "low": 0.5, "high": 0.7},
        "difference": 0.15, "low": 0.05, "high": 0.24, "for_other_values": True,
    },
}  # fmt: skip


def training_of(networks=("vgg", "xception")):
    """Return the params of each network's training."""
    return {name: dict(TRAINING) for name in networks}
