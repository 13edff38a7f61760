"""JSON and folders on disk, which are written completely or not at all, and the project's cache folder."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from stages.core.locks import locked
from stages.core.stage_inputs import check_unchanged

APPLICATION = "dvc-image-classification"
FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_IN_WORDS = ("No space left", "requested and")  # of libraries that give no number, such as HDF5 and NumPy
MARK = ".written_by"  # the file in a step's folder with the name of the step


def cache_folder(name: str) -> Path:
    """Return the folder with this name in the project's cache; the folder may not exist yet.

    The cache is in `$XDG_CACHE_HOME` on every system, if that variable is set and not empty, and else where the
    operating system keeps caches.

    Raises:
        ValueError: There is neither that variable nor a home.
    """
    if root := os.environ.get("XDG_CACHE_HOME", "").strip():
        return Path(root, APPLICATION, name)
    try:
        return user_cache_path(APPLICATION, appauthor=False) / name
    except RuntimeError as error:
        raise ValueError("XDG_CACHE_HOME: expected a folder for the cache, got none, and no HOME either.") from error


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path for a file or folder that replaces the target when the block ends without an error.

    A file takes the target's place at once and is on the disk by then, so that at any moment, also after a kill or a
    loss of power, there is the whole old file or the whole new one.

    The target is locked during the block, because a killed `dvc` leaves its step running, and the step of a second
    `dvc` must not write to the same target.

    Raises:
        ValueError: Another process is writing the same target, or the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.part")
    refusal = f"{target}: expected no other step writing it, got one that still runs."
    with locked(target.with_name(f".{target.name}.lock"), refusal):
        remove(unfinished)
        try:
            yield unfinished
            unfinished.stat()  # Raises if the block wrote nothing, so that the old target stays.
            put(unfinished, target)
        except OSError as error:
            if not is_full(error):
                raise
            raise ValueError(f"{target}: expected room on the disk to write it, got a full one.") from error
        finally:
            remove(unfinished)


def is_full(error: OSError) -> bool:
    """Return whether an error says that a disk has no room left, or a person's share of it."""
    return error.errno in FULL or (error.errno is None and any(words in str(error) for words in FULL_IN_WORDS))


@contextmanager
def replacing_folder(target: Path, step: str) -> Iterator[Path]:
    """Yield a new folder that replaces the target as `replacing` does; a step replaces only a folder that it wrote.

    The step leaves its name in the folder's file MARK, which DVC does not see.

    Raises:
        ValueError: The target holds anything that the step did not write, another process is writing it, or an input of
            the stage that DVC runs was edited meanwhile.
    """
    check_own(target, step)
    with replacing(target) as folder:
        folder.mkdir()
        yield folder
        check_unchanged()
        (folder / MARK).write_text(f"{step}\n", encoding="utf-8")


def check_own(target: Path, step: str) -> None:
    """Check that a step may replace a folder: it is new or empty, or the step itself wrote it.

    Raises:
        ValueError: The target is a file, or a folder of something else.
    """
    expected = f"{target}: expected a new or empty folder, or one that `{step}` wrote"
    if target.exists() and not target.is_dir():
        raise ValueError(f"{expected}, got a file. Nothing was changed.")
    # Locks stay behind where DVC deletes the outputs of a folder one by one.
    held = sorted(path.name for path in target.iterdir() if not is_lock(path)) if target.is_dir() else []
    if MARK in held:
        writer = (target / MARK).read_text(encoding="utf-8", errors="replace").strip()
        if writer != step:
            raise ValueError(f"{expected}, got one that `{writer}` wrote. Nothing was changed.")
    elif held:
        raise ValueError(
            f"{expected}, got one that holds {held[0]}{', and more' * (len(held) > 1)}. Nothing was changed; delete it "
            "first if it may go. `dvc repro` does that with its own folders."
        )


def put(finished: Path, target: Path) -> None:
    """Move the finished file or folder to the target, in place of what is there."""
    if finished.is_dir() or target.is_dir():
        remove(target)
    else:
        with finished.open("rb") as stream:
            os.fsync(stream.fileno())
    finished.replace(target)


def is_lock(path: Path) -> bool:
    """Return whether the path is named like one of this project's locks, which are hidden files."""
    return path.name.startswith(".") and path.suffix == ".lock"


def remove(path: Path) -> None:
    """Delete the file, link or folder at the path, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(values: dict[str, Any], path: Path) -> None:
    """Write the values as indented JSON, which reads well in a diff."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


class MissingKey(KeyError, ValueError):
    """A key is missing in a file; templates take it for one that is not defined."""

    __str__ = ValueError.__str__


class JsonObject(dict[str, Any]):
    """The values of a JSON file, which name the file where a key is missing."""

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.path = path

    def __missing__(self, key: str) -> Any:
        raise MissingKey(f"{self.path}: expected the key {key}, got {', '.join(self) or 'none'}.")


def read_json(path: Path) -> dict[str, Any]:
    """Read the values of a JSON file; a missing key of what is returned raises MissingKey.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not JSON, or no object.
    """
    values = load_json(path)
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected an object of JSON, got {values!r:.100}.")
    return JsonObject(path, values)


def load_json(path: Path) -> Any:
    """Read what a JSON file holds.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not JSON.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a JSON file, got no such file.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON, got an error: {error}.") from error


def sha256(path: Path) -> str:
    """Return the SHA-256 hash of the file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
