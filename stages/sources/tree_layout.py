"""What the folders of a tree mean: classes, splits around classes, or folders around everything."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

SPLIT_OF = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
    "testing": "test",
}  # fmt: skip
# Names such as training_set, seg_test and Val-Images, which are splits only if their folders agree.
SPLIT_NAME = re.compile(rf"(?:[a-z0-9]+[_-])?({'|'.join(SPLIT_OF)})(?:[_ -]?(?:set|data|images?))?", re.IGNORECASE)
FEW = 3  # files beside the only folder of a tree, such as a licence, that do not make it a class

Folders = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The folders around all others, and the split of each folder that is one; `doubled` splits hold their own name."""

    around: Folders = ()
    splits: dict[str, str] = field(default_factory=dict)
    doubled: frozenset[str] = frozenset()

    def place(self, path: PurePosixPath) -> tuple[str, str]:
        """Return the class folder and the split of a file; either may be empty."""
        folders = path.parts[:-1]
        if folders[: len(self.around)] != self.around:
            return "", ""
        folders = folders[len(self.around) :]
        if not self.splits:
            return next(iter(folders), ""), ""
        split = self.splits.get(folders[0], "") if folders else ""
        below = folders[2:] if folders and folders[0] in self.doubled else folders[1:]
        return (next(iter(below), ""), split) if split else ("", "")


def walk(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder inside, relative to the path and sorted, with the names of its files.

    Linked folders are followed, but for those that lead back to a folder around them.

    Raises:
        OSError: A folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise OSError(f"{error.filename}: expected a folder that can be read, got: {error.strerror}.") from error

    for root, folders, names in os.walk(path, onerror=refuse, followlinks=True):
        here = Path(root).resolve()
        around = {here, *here.parents}
        folders[:] = sorted(name for name in folders if Path(root, name).resolve() not in around)
        yield Path(root).relative_to(path).as_posix(), sorted(names)


def find_layout(paths: Iterable[PurePosixPath]) -> Layout:
    """Return the layout of a tree, given the paths of its files.

    A folder that holds all others, which are several, stands around them: it is no class. First folders are splits if
    all of them have the name of one, as `train` and `test`; or if some have, also as `training_set`, and classes of the
    same names lie in two of them. Files in other folders then have no class.
    """
    folders = [path.parts[:-1] for path in paths]
    around = find_around(folders)
    inner = [each[len(around) :] for each in folders if each[: len(around)] == around and len(each) > len(around)]
    firsts = sorted({each[0] for each in inner})
    if firsts and all(name.lower() in SPLIT_OF for name in firsts):
        return Layout(around, {name: SPLIT_OF[name.lower()] for name in firsts})
    named = {name: SPLIT_OF[found[1].lower()] for name in firsts if (found := SPLIT_NAME.fullmatch(name))}
    below: defaultdict[str, set[str]] = defaultdict(set)
    doubled = set(named)
    for each in inner:
        if each[0] in named and each[1:2] != each[:1]:
            doubled.discard(each[0])
    for each in inner:
        if each[0] in named:
            below[each[0]] |= set(each[2:3] if each[0] in doubled else each[1:2])
    agree = any(below[one] & below[other] for one in named for other in named if named[one] != named[other])
    return Layout(around, named, frozenset(doubled)) if agree else Layout(around)


def find_around(folders: list[Folders]) -> Folders:
    """Return the folders that hold all others, one in the other; a folder with the name of a split is none."""
    around: Folders = ()
    while True:
        inner = [each[len(around) :] for each in folders if each[: len(around)] == around]
        firsts = {each[0] for each in inner if each}
        beside = sum(not each for each in inner)
        if len(firsts) != 1 or beside > FEW:
            break
        (only,) = firsts
        seconds = {each[1] for each in inner if len(each) > 1}
        direct = sum(len(each) == 1 for each in inner)
        if only.lower() in SPLIT_OF or not seconds or direct > FEW:
            break
        around = (*around, only)
    # A tree of one class is its class, not nothing.
    inner = [each[len(around) :] for each in folders if each[: len(around)] == around]
    return around if len({each[0] for each in inner if each}) > 1 else around[:-1]


def describe_layout(paths: Iterable[PurePosixPath]) -> list[str]:
    """Return in a line each what of a tree's folders is no class, and folders that may be the classes instead."""
    paths = list(paths)
    layout = find_layout(paths)
    lines = []
    if layout.around:
        lines.append(f"collect: the folder {'/'.join(layout.around)} is around all others, so it is no class.")
    below: defaultdict[str, set[str]] = defaultdict(set)
    others = set()
    for path in paths:
        folders = path.parts[len(layout.around) : -1]
        if layout.splits and folders and folders[0] not in layout.splits:
            others.add(folders[0])
        if not layout.splits and folders:
            below[folders[0]] |= set(folders[1:2])
    if others:
        splits = join(sorted(layout.splits))
        lines.append(f"collect: {splits} are splits, so images in {join(sorted(others))} have no class.")
    shared = sorted(set.intersection(*below.values())) if len(below) > 1 else []
    if shared:
        lines.append(
            f"collect: all of the classes {join(sorted(below))} hold the folders {join(shared)}. If these are the "
            "classes, give their folders to collect.source, or a table images.csv."
        )
    return lines


def join(names: list[str], most: int = 5) -> str:
    """Return the first names, and how many there are more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
