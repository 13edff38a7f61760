"""What a stage of dvc.yaml reads, and the check that nobody edits it while the stage runs.

DVC hashes dependencies and params after a stage has run. What is edited meanwhile would be recorded as what the result
was made of, and from then on DVC's run cache would give that result for the edited inputs.
"""

import os
import re
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages import STARTED_NS
from stages.core import params

PIPELINE = Path("dvc.yaml")

Marks = dict[str, object]  # what stands for the content of each file and param
_at_start: tuple[str, Marks] | None = None  # the running stage and its inputs, if DVC runs it


def remember() -> None:
    """Remember the inputs of the stage that DVC runs, whose name DVC sets in the environment; else do nothing.

    Raises:
        ValueError: An input was edited since the process began, when it may already have been read.
    """
    global _at_start
    stage = os.environ.get("DVC_STAGE", "")
    if not stage or not PIPELINE.is_file() or not params.PARAMS.is_file():
        return
    marks = mark_inputs(stage)
    now = time.time_ns()
    for name, mark in marks.items():
        if isinstance(mark, tuple) and STARTED_NS < mark[0] <= now:
            raise edited(name, stage)
    _at_start = (stage, marks)


def check_unchanged() -> None:
    """Check that the remembered inputs are as they were; do nothing if there are none.

    Raises:
        ValueError: An input was edited, deleted or added.
    """
    if _at_start is None:
        return
    stage, before = _at_start
    now = mark_inputs(stage)
    for name in sorted(before.keys() | now.keys()):
        if before.get(name, params.ABSENT) != now.get(name, params.ABSENT):
            raise edited(name, stage)


def edited(name: str, stage: str) -> ValueError:
    """Return the error that says which input of the stage was edited."""
    return ValueError(
        f"{name}: expected no edit while {stage} ran, got one, so that its result is not recorded. Run the same "
        "command again; a training goes on from its last epoch if its inputs are as before."
    )


def mark_inputs(stage: str) -> Marks:
    """Return a mark for each file and param that dvc.yaml lists for the stage: time and size, or the param's value."""
    document = params.load()
    entry, values = find_stage(stage, document)
    marks: Marks = {}
    for dependency in entry.get("deps", []):
        marks |= {str(path): mark for path, mark in mark_files(Path(fill(dependency, values)))}
    for key in entry.get("params", []):
        key = fill(key, values)
        marks[f"{params.PARAMS} {key}"] = params.lookup(document, key)
    return marks


def find_stage(stage: str, document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the entry of dvc.yaml of a stage such as `split` or `train@vgg`, and the values that it may name."""
    name, _, key = stage.partition("@")
    entry = parse_stages(PIPELINE.read_bytes()).get(name, {})
    if "foreach" not in entry:
        return entry, document
    table = params.lookup(document, entry["foreach"].removeprefix("${").removesuffix("}"))
    item = table.get(key) if isinstance(table, dict) else None
    return entry["do"], document | {"key": key, "item": item}


@lru_cache(maxsize=1)  # Each stage asks at its start and at its end, and parsing takes 0.1 seconds.
def parse_stages(content: bytes) -> dict[str, Any]:
    """Return the table `stages` of a dvc.yaml; who gets it must not change it."""
    stages: dict[str, Any] = YAML(typ="safe").load(content).get("stages", {})
    return stages


def fill(text: str, values: dict[str, Any]) -> str:
    """Return the text with each `${name}` replaced by the value of that name."""
    return re.sub(r"\$\{([^}]+)\}", lambda match: str(params.lookup(values, match[1])), text)


def mark_files(path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield the file, or all files of the folder, each with its time of change in nanoseconds and its size in bytes.

    Hidden files and compiled code are left out, as `.dvcignore` leaves them out.
    """
    if path.is_dir():
        for folder, folders, names in os.walk(path, followlinks=True):
            folders[:] = [name for name in folders if is_seen(name)]
            for name in filter(is_seen, names):
                yield from mark_files(Path(folder, name))
    elif path.exists():
        facts = path.stat()
        yield path, (facts.st_mtime_ns, facts.st_size)


def is_seen(name: str) -> bool:
    """Return whether DVC sees a file or folder of this name."""
    return not name.startswith(".") and name != "__pycache__"
