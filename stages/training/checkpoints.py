"""Checkpoints: the state of a training after each epoch, so that an interrupted training can be continued.

They are kept outside DVC's outputs, which DVC deletes before it runs a step. Each training has a folder whose name is a
hash of all that decides the result, so that a training with other params, data or code is never continued.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grimp
import keras
import numpy as np
import numpy.typing as npt

import stages
from stages.core.files import cache_folder
from stages.core.locks import locked
from stages.results.history import History
from stages.training.optimizers import variables_of

KEPT_DAYS = 14
KINDS = ("model", "optimizer", "best")  # of the arrays in a checkpoint
ROOT = Path(stages.__file__).parent
Arrays = list[npt.NDArray[Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class State:
    """The state after an epoch: all variables of the model and its optimizer, in order, and the history so far.

    `best` are the weights of the best epoch, if it is in the present phase; it is empty if the best epoch is in an
    earlier phase.
    """

    model: Arrays
    optimizer: Arrays
    best: Arrays
    history: History
    is_over: bool


def fingerprint(facts: dict[str, Any], files: Iterable[Path], arrays: Iterable[npt.NDArray[Any]]) -> str:
    """Return a hash of all that decides the result of a training: facts, the content of files, and arrays."""
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
    """Yield the folder of a training, new or as an earlier run left it, and delete it if the block ends without error.

    Folders that no training has used for KEPT_DAYS are deleted too.

    Raises:
        ValueError: Another process runs the same training.
    """
    checkpoints = cache_folder("checkpoints")
    folder = checkpoints / name
    folder.mkdir(parents=True, exist_ok=True)
    oldest = time.time() - KEPT_DAYS * 86400
    for other in checkpoints.iterdir():
        if other != folder and other.stat().st_mtime < oldest:
            shutil.rmtree(other, ignore_errors=True)
    with locked(folder / "lock", f"{folder}: expected no other process at the same training, got one that runs."):
        yield folder
        shutil.rmtree(folder)


def save_state(path: Path, model: keras.Model, best: Arrays, history: History, is_over: bool) -> None:
    """Write the state of a training; if the process is killed meanwhile, the state before stays."""
    kinds = {
        "model": [to_array(variable) for variable in model.variables],
        "optimizer": [to_array(variable) for variable in variables_of(model.optimizer)],
        "best": best,
    }
    arrays = {f"{kind}_{i}": value for kind, values in kinds.items() for i, value in enumerate(values)}
    counts = {kind: len(values) for kind, values in kinds.items()}
    facts = json.dumps({"history": history, "is_over": is_over, "counts": counts})
    save_arrays(path, arrays | {"facts": np.array(facts)})


def load_state(path: Path) -> State | None:
    """Read a state; return None if there is none, or a damaged one."""
    return load_arrays(path, to_state)


def to_state(arrays: Mapping[str, npt.NDArray[Any]]) -> State:
    """Return the state that the arrays of a file make up."""
    facts = json.loads(arrays["facts"].item())
    model, optimizer, best = ([arrays[f"{kind}_{i}"] for i in range(facts["counts"][kind])] for kind in KINDS)
    return State(model, optimizer, best, facts["history"], facts["is_over"])


def load_arrays(path: Path, convert: Callable[[Mapping[str, npt.NDArray[Any]]], T]) -> T | None:
    """Return what `convert` makes of a file's arrays; None if there is no file, or if it is damaged, which is said."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return convert(file)
    except Exception as error:  # A flipped bit can raise nearly anything.
        print(f"{path}: expected a whole checkpoint, got {type(error).__name__}: what it held is trained again")
        return None


def restore(state: State, model: keras.Model) -> None:
    """Set all variables of a compiled model and its optimizer to the state, dropout's random seeds included."""
    model.optimizer.build(model.trainable_variables)
    for variables, values in ((model.variables, state.model), (variables_of(model.optimizer), state.optimizer)):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def save_arrays(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write the arrays to a file, completely or not at all, and wait until they are on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    with unfinished.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)


def to_array(variable: keras.Variable) -> npt.NDArray[Any]:
    """Return the value of a variable."""
    value = variable.value
    # If several devices hold copies of the variable, the first copy is taken.
    array: npt.NDArray[Any] = keras.ops.convert_to_numpy(value.values[0] if hasattr(value, "values") else value)
    return array


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
    names = {".".join(part[:end]) for part in parts for end in range(1, len(part) + 1)}
    return sorted(file_of(name) for name in names)


def file_of(module: str) -> Path:
    """Return the file of a module or package."""
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
