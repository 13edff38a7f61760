"""The state of a training after each epoch, outside DVC's outputs, which DVC deletes before it runs a step.

A folder for each training, named after a hash of all that decides its result: what was begun with other params, data
or code is never gone on with.
"""

import hashlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grimp
import keras
import numpy as np
import numpy.typing as npt

import stages
from stages.core.cache import cache_folder
from stages.core.locks import locked
from stages.results.history import History

CHECKPOINTS = cache_folder("checkpoints")
KEPT_DAYS = 14
ROOT = Path(stages.__file__).parent
Arrays = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class State:
    """A training after an epoch: all variables of the model and its optimizer, in order, and the epochs so far.

    `best` are the weights of the best epoch in the present phase; none, if an earlier phase has a better one.
    """

    model: Arrays
    optimizer: Arrays
    best: Arrays
    history: History
    is_over: bool


def fingerprint(facts: dict[str, Any], files: Iterable[Path], arrays: Iterable[npt.NDArray[Any]]) -> str:
    """A hash of what decides a training's result: facts in JSON, files, and arrays."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for path in sorted(files):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    for array in arrays:
        digest.update(repr((array.shape, array.dtype)).encode())
        for row in array:
            digest.update(np.ascontiguousarray(row).tobytes())
    return digest.hexdigest()[:32]


@contextmanager
def open_folder(name: str) -> Iterator[Path]:
    """The training's folder, new or as an earlier run left it; it is removed when the block ends without an error.

    Folders that nobody went on with for long are removed too.

    Raises:
        ValueError: another process is at the same training.
    """
    folder = CHECKPOINTS / name
    folder.mkdir(parents=True, exist_ok=True)
    oldest = time.time() - KEPT_DAYS * 86400
    for other in CHECKPOINTS.iterdir():
        if other != folder and other.stat().st_mtime < oldest:
            shutil.rmtree(other, ignore_errors=True)
    with locked(folder / "lock", f"{folder}: expected no other process at the same training, got one that runs."):
        yield folder
        shutil.rmtree(folder)


def save_state(path: Path, model: keras.Model, best: Arrays, history: History, is_over: bool) -> None:
    """The model's and its optimizer's variables, the best weights and the history are at the path, or what was."""
    kinds = {
        "model": [to_array(each) for each in model.variables],
        "optimizer": [to_array(each) for each in model.optimizer.variables],
        "best": best,
    }
    arrays = {f"{kind}_{i}": each for kind, values in kinds.items() for i, each in enumerate(values)}
    save_arrays(path, arrays | {"facts": np.array(json.dumps({"history": history, "is_over": is_over}))})


def load_state(path: Path) -> State | None:
    """The state at the path; None where there is none, or one that cannot be read."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            facts = json.loads(file["facts"].item())
            model, optimizer, best = (in_order(file, kind) for kind in ("model", "optimizer", "best"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # Not there, or damaged: it begins anew.
        return None
    return State(model, optimizer, best, facts["history"], facts["is_over"])


def in_order(file: Any, kind: str) -> Arrays:
    """The arrays `<kind>_0`, `<kind>_1`, … of an open file."""
    count = sum(name.startswith(f"{kind}_") for name in file.files)
    return [file[f"{kind}_{i}"] for i in range(count)]


def restore(state: State, model: keras.Model) -> None:
    """The built and compiled model goes on from the state, its dropout's random numbers included."""
    model.optimizer.build(model.trainable_variables)
    for variables, values in ((model.variables, state.model), (model.optimizer.variables, state.optimizer)):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def save_arrays(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """The arrays are at the path, on the disk, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    with unfinished.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)


def to_array(variable: keras.Variable) -> npt.NDArray[Any]:
    """The variable's value."""
    value = variable.value
    # A variable that several devices hold copies of gives the first one.
    held: npt.NDArray[Any] = keras.ops.convert_to_numpy(value.values[0] if hasattr(value, "values") else value)
    return held


def imported_files(*modules: str) -> list[Path]:
    """Return the files of the modules and of all that they import from `stages`, directly or not, sorted.

    The packages that hold a module count too, because their `__init__.py` runs when the module is imported.

    Args:
        modules: dotted names, such as `stages.train.run`.
    """
    graph = grimp.build_graph("stages", cache_dir=None)
    known = [module for module in modules if module in graph.modules]
    found = set(known).union(*(graph.find_upstream_modules(module) for module in known))
    parts = [module.split(".") for module in found]
    names = {".".join(each[:end]) for each in parts for end in range(1, len(each) + 1)}
    return sorted(file_of(name) for name in names)


def file_of(module: str) -> Path:
    """Return the file of a module or package."""
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
