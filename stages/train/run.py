"""Train: one network on its inputs; the model of the epoch that is best on validation is kept."""

from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from stages import models
from stages.backbones.weights import TAIL_WEIGHTS
from stages.core.files import check_own, replacing_folder, sha256, write_json
from stages.core.tables import read_table, write_table
from stages.networks.determinism import fix
from stages.networks.inputs import Inputs, divide, read_inputs
from stages.results.history import as_table, best_epoch, count_epochs
from stages.train.timing import peak_megabytes
from stages.training.calibration import calibrate
from stages.training.checkpoints import fingerprint, imported_files, open_folder
from stages.training.devices import scope
from stages.training.hyperparams import Hyperparams
from stages.training.logistic import fit_at_once
from stages.training.loop import fit
from stages.training.recipe import assemble, check_batches, check_settings, facts_of, feed, is_logistic
from stages.training.saving import save
from stages.transforms.affine import Augmentation


def run(
    name: str, module: str, settings: Hyperparams, amounts: Augmentation, source: Path, split: Path, target: Path,
    live: Path,
) -> dict[str, Any]:  # fmt: skip
    """Train a network, write `model.keras`, `network.json` and `history.csv` to the target, and return the timing.

    During the training the curves are in the folder `live`. A training that was killed goes on after its last complete
    epoch, and gives the same model.

    Raises:
        ValueError: There is no such module in `stages/models`, the settings do not fit the inputs or the devices,
            another process runs the same training, or the loss is no longer finite.
    """
    network = models.load(module)
    inputs = read_inputs(source)
    check_settings(name, network, inputs, settings, amounts)
    classes, splits = divide(inputs, read_table(split, "image_id", "class", "split"))
    check_batches(splits, settings)
    check_own(target, "train")  # before hours of work
    fix(settings.seed, settings.threads)
    keras.config.set_dtype_policy(settings.precision)
    identity = identify(name, network, settings, amounts, inputs, source, split)
    with open_folder(identity) as checkpoints, scope(settings.gpus):
        model, tail = assemble(network, inputs, len(classes), settings, source)
        data = feed(inputs, splits, settings, amounts, len(classes))
        if is_logistic(settings):
            print(f"train: the head of {name} is fitted at once; params of epochs and their steps have no effect.")
            history = fit_at_once(model, data, settings, live)
        else:
            history = fit(name, model, tail, data, settings, checkpoints, live)
        temperature = calibrate(model, data.validation)
        with replacing_folder(target, "train") as folder:
            save(model, folder / "model.keras")
            facts = model_facts(name, model, inputs, classes)
            facts |= {"kept_epoch": best_epoch(history, settings.monitor), "temperature": temperature}
            write_json(facts, folder / "network.json")
            write_table(as_table(history), folder / "history.csv")
    seconds = sum(history["seconds"])
    return {
        "model_sha256": sha256(target / "model.keras"),
        "train_seconds": round(seconds, 1),
        "seconds_per_epoch": round(seconds / count_epochs(history), 2),
        "peak_megabytes": peak_megabytes(),
    }


def identify(
    name: str, network: ModuleType, settings: Hyperparams, amounts: Augmentation, inputs: Inputs, source: Path,
    split: Path,
) -> str:  # fmt: skip
    """Return a name with a hash of all that decides the result: params, data, code, versions and devices."""
    facts = facts_of(settings, amounts, inputs)
    code = [*imported_files(__name__, network.__name__), Path(str(network.__file__))]
    weights = [path for path in (source / TAIL_WEIGHTS,) if path.is_file()]
    views = [] if inputs.views is None else [inputs.views]
    return f"{name}-{fingerprint(facts, [*code, *weights, split], [inputs.array, *views])}"


def model_facts(name: str, model: keras.Model, inputs: Inputs, classes: list[str]) -> dict[str, Any]:
    """Return what a user of the model must know; `parameters` counts the parameters of the frozen part too.

    To this `network.json` adds `kept_epoch`, the epoch, counted from 1, whose weights the model has because it is the
    best by `monitor`, and `temperature`, by which the scores of that epoch were divided.
    """
    return {
        "network": name,
        "classes": classes,
        "image_shape": list(inputs.image_shape),
        "parameters": model.count_params() + inputs.backbone.get("frozen_parameters", 0),
        "pretrained": inputs.backbone.get("pretrained", False),
        "preprocessing": inputs.preprocessing,
        "backbone": inputs.backbone,
    }
