"""The records of a dvc.lock, and whether running its stages again would change one of them."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.core.params import PARAMS, lookup
from stages.core.stage_inputs import PIPELINE, fill, find_stage, parse_stages
from stages.tracking.run import Run, params_seen_by

SIZES, SIZES_FOLDER = "inputs", Path("data/3_inputs")  # the param of further sizes, each with a folder of its own
Lock = dict[str, Any]  # the stages


def parse_lock(text: str) -> Lock:
    """Return the stages that the text of a dvc.lock records."""
    return (YAML(typ="safe").load(text) or {}).get("stages", {}) if text else {}


def is_current(lock: Lock, target: str, document: dict[str, Any]) -> bool:
    """Return whether running the target again with these params would leave all that the lock records as it is."""
    stages = upstream(lock, target)
    needed = needed_by(lock, stages)
    return bool(stages) and all(
        has_params(lock[stage], document, needed)
        and has_command(lock[stage], stage, document)
        and has_files(lock[stage], made_by(lock, stages))
        for stage in stages
    )


def upstream(lock: Lock, target: str) -> list[str]:
    """Return the target and the recorded stages that it depends on; an empty list if the lock lacks the target."""
    found, waiting = [], [target] if target in lock else []
    while waiting:
        stage = waiting.pop()
        found.append(stage)
        needed = [Path(dep["path"]) for dep in lock[stage].get("deps", [])]
        makers = [name for name in lock if any(overlap(out, path) for out in outputs(lock[name]) for path in needed)]
        waiting += [name for name in makers if name not in (*found, *waiting)]
    return found


def outputs(stage: dict[str, Any]) -> list[Path]:
    """Return the paths that a stage wrote."""
    return [Path(out["path"]) for out in stage.get("outs", [])]


def made_by(lock: Lock, stages: list[str]) -> list[Path]:
    """Return all paths that the stages wrote."""
    return [path for stage in stages for path in outputs(lock[stage])]


def overlap(one: Path, other: Path) -> bool:
    """Return whether the paths are equal or one lies in the other."""
    return one == other or one in other.parents or other in one.parents


def needed_by(lock: Lock, stages: list[str]) -> set[Path]:
    """Return all paths that the stages read."""
    return {Path(dep["path"]) for stage in stages for dep in lock[stage].get("deps", [])}


def read_params(params: dict[str, Any], needed: set[Path]) -> dict[str, Any]:
    """Return the params without the further sizes of images of which no path is needed."""
    sizes = params.get(SIZES) or {}
    read = {name: size for name, size in sizes.items() if any(overlap(SIZES_FOLDER / name, path) for path in needed)}
    return {key: value for key, value in params.items() if key != SIZES} | ({SIZES: read} if read else {})


def has_params(stage: dict[str, Any], document: dict[str, Any], needed: set[Path]) -> bool:
    """Return whether the stage ran with these params, as far as they change one of the paths that are needed."""
    recorded: dict[str, Any] = stage.get("params", {}).get(str(PARAMS), {})
    asked = {key: lookup(document, key) for key in recorded}
    return read_params(asked, needed) == read_params(recorded, needed)


def has_command(recorded: dict[str, Any], stage: str, document: dict[str, Any]) -> bool:
    """Return whether the stage ran with this command, which names the network's module and input."""
    entry, values = find_stage(stage, document)
    ran: str = recorded["cmd"]
    return fill(entry.get("cmd", ""), values).split() == ran.split()


def has_files(stage: dict[str, Any], made: list[Path]) -> bool:
    """Return whether the stage's code and source, its dependencies that no stage makes, equal the files here."""
    given = [dep for dep in stage.get("deps", []) if not any(overlap(Path(dep["path"]), path) for path in made)]
    return all(hash_content(Path(dep["path"])) == dep["md5"] for dep in given)


def hash_file(path: Path) -> str:
    """Return the file's MD5, as DVC records it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def hash_folder(path: Path) -> str:
    """Return the folder's hash as DVC records it, without the files that .dvcignore names; outside they count too."""
    from dvc.fs import localfs  # takes a second
    from dvc.ignore import DvcIgnoreFilter
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.db.local import LocalHashFileDB

    nowhere = LocalHashFileDB(localfs, os.devnull)  # type: ignore[no-untyped-call]  # nothing is written
    ignored = DvcIgnoreFilter(localfs, str(Path.cwd()))
    _, _, tree = build(nowhere, str(path.absolute()), localfs, "md5", ignore=ignored, dry_run=True)
    return str(tree.hash_info.value)


def fingerprint_inputs(runs: Iterable[Run]) -> dict[str, str]:
    """Return for each run, by its name, eight digits that identify the commands, params and images of all its steps.

    Code is left out, so that what hours of computing have made stays valid when a word in a comment changes; so are
    sizes of images that no step of the run reads.
    """
    hashes: dict[Path, str] = {}
    found = {}
    for run in runs:
        table = plan_stages(params_seen_by(run))
        stages = upstream(table, run.target)
        made = made_by(table, stages)
        needed = needed_by(table, stages)
        images = [path for path in needed if path.parts[0] != "stages" and not any(overlap(path, out) for out in made)]
        hashes |= {path: hash_content(path) for path in images if path not in hashes}
        seen = {stage: [table[stage]["cmd"], read_params(table[stage]["params"], needed)] for stage in stages}
        text = json.dumps([seen, {str(path): hashes[path] for path in images}], sort_keys=True, default=str)
        found[run.name] = hashlib.sha256(text.encode()).hexdigest()[:8]
    return found


def plan_stages(document: dict[str, Any]) -> Lock:
    """Return all stages as dvc.yaml has them with these params, as a dvc.lock would record them, without hashes."""
    table: Lock = {}
    for name, content in parse_stages(PIPELINE.read_bytes()).items():
        table_name = content.get("foreach", "").removeprefix("${").removesuffix("}")
        for key in lookup(document, table_name) if table_name else [""]:
            stage = f"{name}@{key}" if key else name
            entry, values = find_stage(stage, document)
            named = [fill(each, values) for each in entry.get("params", [])]
            outs = [each if isinstance(each, str) else next(iter(each)) for each in entry.get("outs", [])]
            table[stage] = {
                "cmd": fill(entry.get("cmd", ""), values),
                "deps": [{"path": fill(each, values)} for each in entry.get("deps", [])],
                "outs": [{"path": fill(each, values)} for each in outs],
                "params": {each: lookup(document, each) for each in named},
            }
    return table


def hash_content(path: Path) -> str:
    """Return the hash of a file or folder; of one that is not here that of its `.dvc` file, or else an empty text."""
    added = path.with_name(f"{path.name}.dvc")
    if path.is_dir():
        return hash_folder(path)
    if path.is_file():
        return hash_file(path)
    return str(YAML(typ="safe").load(added)["outs"][0]["md5"]) if added.is_file() else ""
