"""What a dvc.lock records, and whether running the same again would change any of it."""

import hashlib
import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.core.params import PARAMS, lookup

IGNORED = Path(".dvcignore")  # names, without folders
Lock = dict[str, Any]  # the stages


def parse_lock(text: str) -> Lock:
    """The stages that the text of a dvc.lock records."""
    return (YAML(typ="safe").load(text) or {}).get("stages", {}) if text else {}


def is_current(lock: Lock, target: str, document: dict[str, Any]) -> bool:
    """Whether running the target again with these params would change nothing that the lock records."""
    stages = upstream(lock, target)
    return bool(stages) and all(
        has_params(lock[stage], document) and has_files(lock[stage], made_by(lock, stages)) for stage in stages
    )


def upstream(lock: Lock, target: str) -> list[str]:
    """The target and all stages that it depends on, as far as the lock knows them; none where it lacks the target."""
    found, waiting = [], [target] if target in lock else []
    while waiting:
        stage = waiting.pop()
        found.append(stage)
        needed = [Path(each["path"]) for each in lock[stage].get("deps", [])]
        makers = [name for name in lock if any(overlap(out, path) for out in outputs(lock[name]) for path in needed)]
        waiting += [name for name in makers if name not in (*found, *waiting)]
    return found


def outputs(stage: dict[str, Any]) -> list[Path]:
    """The paths that a stage wrote."""
    return [Path(each["path"]) for each in stage.get("outs", [])]


def made_by(lock: Lock, stages: list[str]) -> list[Path]:
    """All paths that the stages wrote."""
    return [path for stage in stages for path in outputs(lock[stage])]


def overlap(one: Path, other: Path) -> bool:
    """Whether one path is the other or lies in it."""
    return one == other or one in other.parents or other in one.parents


def has_params(stage: dict[str, Any], document: dict[str, Any]) -> bool:
    """Whether the stage ran with these params."""
    recorded: dict[str, Any] = stage.get("params", {}).get(str(PARAMS), {})
    return all(lookup(document, key) == value for key, value in recorded.items())


def has_files(stage: dict[str, Any], made: list[Path]) -> bool:
    """Whether the stage's code and source, all that no stage makes, are as they are here."""
    given = [each for each in stage.get("deps", []) if not any(overlap(Path(each["path"]), path) for path in made)]
    return all(is_same(Path(each["path"]), each) for each in given)


def is_same(path: Path, recorded: dict[str, Any]) -> bool:
    """Whether the file or folder is the recorded one."""
    md5: str = recorded["md5"]
    if path.is_dir():
        return hash_folder(path) == md5
    return path.is_file() and hash_file(path) == md5


def hash_file(path: Path) -> str:
    """The file's MD5, as DVC records it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def hash_folder(path: Path) -> str:
    """The folder's hash as DVC 3 records it: that of a JSON list of its files' hashes, with `.dir`."""
    lines = IGNORED.read_text(encoding="utf-8").splitlines() if IGNORED.is_file() else []
    files = {each.relative_to(path).as_posix(): each for each in path.rglob("*") if each.is_file()}
    kept = [name for name in sorted(files) if not any(fnmatch(files[name].name, pattern) for pattern in lines)]
    listed = json.dumps([{"md5": hash_file(files[name]), "relpath": name} for name in kept])
    return f"{hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()}.dir"
