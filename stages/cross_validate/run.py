"""Cross-validate: how often a network is right about images it did not learn from, in many trainings and divisions."""

import shutil
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import joblib
import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from stages import models
from stages.backbones.weights import TAIL_WEIGHTS
from stages.core.files import check_own, replacing_folder, write_json
from stages.core.tables import read_table, write_table
from stages.core.terminal import progress
from stages.cross_validate.accuracies import summarise
from stages.cross_validate.head_trainings import HeadTrainer
from stages.cross_validate.logistic_trainings import LogisticTrainer
from stages.cross_validate.outcomes import Outcome
from stages.cross_validate.trainings import Training, column_apart, plan_trainings
from stages.cross_validate.whole_trainings import WholeTrainer
from stages.networks.determinism import fix
from stages.networks.inputs import Inputs, pool, read_inputs
from stages.training.checkpoints import fingerprint, imported_files, load_arrays, open_folder, save_arrays
from stages.training.hyperparams import Hyperparams
from stages.training.recipe import check_settings, facts_of, is_logistic
from stages.transforms.affine import Augmentation

DIGITS = 6
Trainer = HeadTrainer | LogisticTrainer | WholeTrainer


def run(
    name: str,
    module: str,
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
        ValueError: There is no such module in `stages/models`, the settings do not fit the inputs, the folds are of
            other images, another process runs the same, or a loss is no longer finite.
    """
    network = models.load(module)
    inputs, table = read_inputs(source), read_table(folds, "image_id", "class", "group")
    check_settings(name, network, inputs, settings, amounts)
    if list(table["image_id"]) != inputs.image_ids:
        raise ValueError(f"{folds}: expected the {len(inputs.image_ids)} images of {source}, got {len(table)} others.")
    classes = sorted(table["class"].unique())
    labels = table["class"].map(classes.index).to_numpy(dtype=np.int64)
    trainings = plan_trainings(table, labels, settings.seed, shares)
    check_own(target, "cross_validate")  # before hours of work
    fix(settings.seed, settings.threads)
    with open_folder(identify(name, network, settings, amounts, inputs, source, folds)) as folder:
        trainers = make_trainers(name, network, settings, amounts, inputs, source, len(classes), folder)
        outcomes = test_all(trainings, trainers, folder, f"cross_validate {name}")
        metrics = summarise(outcomes, table, labels, classes)
        with replacing_folder(target, "cross_validate") as unfinished:
            write_table(as_table(outcomes, table, classes), unfinished / "predictions.csv")
            write_json(metrics, unfinished / "metrics.json")
    return metrics


def identify(
    name: str, network: ModuleType, settings: Hyperparams, amounts: Augmentation, inputs: Inputs, source: Path,
    folds: Path,
) -> str:  # fmt: skip
    """Return a name with a hash of all that decides the result."""
    facts = facts_of(settings, amounts, inputs)
    code = [*imported_files(__name__), Path(str(network.__file__))]
    weights = [path for path in (source / TAIL_WEIGHTS,) if path.is_file()]
    views = [] if inputs.views is None else [inputs.views]
    return f"{name}-folds-{fingerprint(facts, [*code, *weights, folds], [inputs.array, *views])}"


def make_trainers(
    name: str, network: ModuleType, settings: Any, amounts: Augmentation, inputs: Inputs, source: Path, n_classes: int,
    folder: Path,
) -> Sequence[Trainer]:  # fmt: skip
    """Return what trains the network: one for each thread where a head alone is trained by steps, else one.

    The steps of a head are too small for several threads, and its trainings share one copy of the activations.
    """
    if is_logistic(settings):
        return [LogisticTrainer(pool(inputs.array), n_classes, settings)]
    is_head = bool(inputs.backbone) and not settings.trainable_layers and inputs.views is None
    if not is_head or settings.gpus > 1 or keras.backend.backend() != "tensorflow":
        print(f"cross_validate: {name} is trained whole in each fold, which takes as long as `train` each time.")
        return [WholeTrainer(name, network, inputs, source, n_classes, settings, amounts, folder)]
    keras.config.set_dtype_policy(settings.precision)
    array = pool(inputs.array) if settings.head == "linear" else np.asarray(inputs.array, np.float32)
    activations = keras.ops.convert_to_tensor(array)
    return [HeadTrainer(activations, n_classes, settings) for _ in range(settings.threads)]


def test_all(trainings: list[Training], trainers: Sequence[Trainer], folder: Path, title: str) -> list[Outcome]:
    """Return the test probabilities of each training; those that an earlier run left in the folder are read."""
    distinct = [*trainings[:1], *(now for before, now in pairwise(trainings) if not now.is_same_as(before))]
    idle: SimpleQueue[Trainer] = SimpleQueue()
    for trainer in trainers:
        idle.put(trainer)
    work = (joblib.delayed(test_one)(training, idle, folder) for training in distinct)
    found = joblib.Parallel(n_jobs=len(trainers), prefer="threads", return_as="generator")(work)
    try:
        probabilities = dict(progress(found, len(distinct), title, unit="training"))
    except KeyboardInterrupt:
        for trainer in trainers:
            if isinstance(trainer, HeadTrainer):
                trainer.is_stopped = True
        raise
    outcomes: list[Outcome] = []
    for training in trainings:
        own = probabilities.get(training.name)
        outcomes.append(Outcome(training, outcomes[-1].probabilities if own is None else own))
    return outcomes


def test_one(training: Training, idle: "SimpleQueue[Trainer]", folder: Path) -> tuple[str, npt.NDArray[np.float32]]:
    """Return the training's name and test probabilities, which the folder keeps for a run that is interrupted."""
    path = folder / f"{training.name}.npz"
    found = load_arrays(path, itemgetter("probabilities"))
    if found is not None:
        return training.name, found
    trainer = idle.get()
    try:
        probabilities = trainer.train(training)
    finally:
        idle.put(trainer)
    save_arrays(path, {"probabilities": probabilities})
    shutil.rmtree(folder / training.name, ignore_errors=True)  # the checkpoints of the training
    return training.name, probabilities


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
