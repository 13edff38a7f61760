"""Cross-validate: how often a network is right about images it did not learn from, in many trainings and divisions."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from stages import models
from stages.core.files import check_own, read_table, replacing_folder, write_json, write_table
from stages.core.terminal import progress
from stages.cross_validate.accuracies import summarise
from stages.cross_validate.head_trainings import HeadTrainer
from stages.cross_validate.outcomes import Outcome
from stages.cross_validate.trainings import Training, column_apart, plan_trainings
from stages.cross_validate.whole_trainings import WholeTrainer
from stages.networks.backbone_parts import TAIL_WEIGHTS
from stages.networks.determinism import fix
from stages.networks.inputs import Inputs, pool, read_inputs
from stages.training.checkpoints import fingerprint, imported_files, open_folder, save_arrays
from stages.training.hyperparams import Hyperparams
from stages.training.recipe import check_settings, facts_of
from stages.transforms.affine import Augmentation

DIGITS = 6


def run(
    name: str,
    settings: Hyperparams,
    amounts: Augmentation,
    source: Path,
    folds: Path,
    target: Path,
    shares: Sequence[float] = (),
) -> dict[str, Any]:
    """Write `predictions.csv` and `metrics.json` of all trainings to target, and return the metrics.

    Further trainings learn from the given shares of the training images, for the learning curve.

    A run that was interrupted goes on after its last training.

    Raises:
        ValueError: The network does not exist, its settings do not fit the inputs, the folds are of other images,
            another process runs the same, or a loss is no longer finite.
    """
    network = models.load(name)
    inputs, table = read_inputs(source), read_table(folds)
    check_settings(name, network, inputs, settings, amounts)
    if list(table["image_id"]) != inputs.image_ids:
        raise ValueError(f"{folds}: expected the {len(inputs.image_ids)} images of {source}, got {len(table)} others.")
    classes = sorted(table["class"].unique())
    labels = table["class"].map(classes.index).to_numpy(dtype=np.int64)
    trainings = plan_trainings(table, labels, settings.seed, shares)
    check_own(target, "cross_validate")  # before hours of work
    fix(settings.seed, settings.threads)
    with open_folder(identify(name, settings, amounts, inputs, source, folds)) as folder:
        trainer = make_trainer(name, settings, amounts, inputs, source, len(classes), folder)
        outcomes = list(test_all(trainings, trainer, folder, f"cross_validate {name}"))
        metrics = summarise(outcomes, table, labels, classes)
        with replacing_folder(target, "cross_validate") as unfinished:
            write_table(as_table(outcomes, table, classes), unfinished / "predictions.csv")
            write_json(metrics, unfinished / "metrics.json")
    return metrics


def identify(name: str, settings: Hyperparams, amounts: Augmentation, inputs: Inputs, source: Path, folds: Path) -> str:
    """Return a name with a hash of all that decides the result."""
    facts = facts_of(settings, amounts, inputs)
    code = [*imported_files(__name__), Path(str(models.load(name).__file__))]
    weights = [path for path in (source / TAIL_WEIGHTS,) if path.is_file()]
    views = [] if inputs.views is None else [inputs.views]
    return f"{name}-folds-{fingerprint(facts, [*code, *weights, folds], [inputs.array, *views])}"


def make_trainer(
    name: str, settings: Any, amounts: Augmentation, inputs: Inputs, source: Path, n_classes: int, folder: Path
) -> HeadTrainer | WholeTrainer:
    """Return what trains the network: a head alone shares one process and one copy of the activations."""
    is_head = bool(inputs.backbone) and not settings.trainable_layers and inputs.views is None
    if not is_head or settings.gpus > 1 or keras.backend.backend() != "tensorflow":
        print(f"cross_validate: {name} is trained whole in each fold, which takes as long as `train` each time.")
        return WholeTrainer(name, models.load(name), inputs, source, n_classes, settings, amounts, folder)
    keras.config.set_dtype_policy(settings.precision)
    array = pool(inputs.array) if settings.head == "linear" else np.asarray(inputs.array, np.float32)
    return HeadTrainer(array, n_classes, settings)


def test_all(
    trainings: list[Training], trainer: HeadTrainer | WholeTrainer, folder: Path, title: str
) -> Iterator[Outcome]:
    """Yield the test probabilities of each training; those that an earlier run left in the folder are read."""
    before: Outcome | None = None
    for training in progress(trainings, len(trainings), title, unit="training"):
        path = folder / f"{training.name}.npz"
        if path.is_file():
            with np.load(path) as file:
                probabilities = file["probabilities"]
        elif before and training.is_same_as(before.training):
            probabilities = before.probabilities
        else:
            probabilities = trainer.train(training)
            save_arrays(path, {"probabilities": probabilities})
            shutil.rmtree(folder / training.name, ignore_errors=True)  # the checkpoints of the training
        before = Outcome(training, probabilities)
        yield before


def as_table(outcomes: list[Outcome], folds: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Return a row for each tested image of each training: the predicted class and its probabilities."""
    parts, column = [], column_apart(folds)
    facts = folds[["image_id", "class", "group"]]
    if column:
        facts = facts.assign(apart_group=folds[f"{column}_group"])
    for training, probabilities in outcomes:
        rows = facts.iloc[training.splits["test"].rows].assign(
            series=training.series, deal=training.deal, fold=training.fold,
            predicted=[classes[i] for i in probabilities.argmax(axis=1)],
        )  # fmt: skip
        parts.append(rows.assign(**{f"p_{one}": probabilities[:, i].round(DIGITS) for i, one in enumerate(classes)}))
    columns = ["series", "deal", "fold", *facts.columns, "predicted", *(f"p_{one}" for one in classes)]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
