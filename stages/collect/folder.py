"""A folder on this machine: `<class>/…`, `<train|test>/<class>/…`, or any files with a table `images.csv`."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from stages.images.opening import UnusableImage, open_image
from stages.sources.listed_image import TABLE, Failure, Listed, is_hidden, list_table, list_tree, parse_hand_made
from stages.sources.tree_layout import walk


def listing(path: Path) -> Iterator[Listed]:
    """Yield the folder's files, sorted by path; if it holds a table of images, yield the table's rows.

    Raises:
        OSError: A folder inside cannot be read.
        ValueError: The table is wrong.
    """
    files = [file for folder, names in walk(path) for file in (join(folder, name) for name in names)]
    table = path / TABLE
    if table.is_file():
        return list_table(with_relative(parse_hand_made(table.read_bytes(), str(table)), path), files, str(table))
    return list_tree(files)


def join(folder: str, name: str) -> str:
    """Return the path of a file in a folder, which is `.` for the source itself."""
    return name if folder == "." else f"{folder}/{name}"


def with_relative(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return a table of images in which full paths of files inside the folder are relative to it."""
    if "file" not in table:
        return table
    starts = [f"{start.as_posix()}/" for start in (path.absolute(), path.resolve())]
    return table.assign(
        file=[next((file.removeprefix(s) for s in starts if file.startswith(s)), file) for file in table["file"]]
    )


def empty_folders(path: Path) -> list[str]:
    """Return the folders inside that hold no file at any depth, hidden ones aside; of nested ones the outermost."""
    filled: set[str] = {"."}
    folders = []
    for folder, names in walk(path):
        folders.append(folder)
        if any(not is_hidden(join(folder, name)) for name in names):
            parts = folder.split("/")
            filled |= {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
    empty = [folder for folder in folders if folder not in filled and not is_hidden(folder)]
    return [folder for folder in empty if folder.rpartition("/")[0] not in empty]


def fetching(path: Path, listed: Iterable[Listed], max_bytes: int) -> Iterator[tuple[Listed, bytes | Failure]]:
    """Yield each listed image with its bytes or the reason why it has none."""
    for image in listed:
        yield image, read_bytes(path, image.member, max_bytes)


def read_bytes(path: Path, member: str, max_bytes: int) -> bytes | Failure:
    """Return the bytes of one file inside the folder, or the reason why they cannot be taken.

    A link may lead out of the folder, as those of DVC, git-annex and DataLad do, but only to an image: whoever made the
    folder must not have other files of this machine collected, and shared.
    """
    file = path / member
    if Path(member).is_absolute() or ".." in Path(member).parts:
        return Failure("outside the source", member)
    if not file.is_file():
        if file.is_symlink():
            return Failure("missing", f"{member} is a link to no file")
        only = Failure("missing", f"{member} is listed in {TABLE} only")
        return Failure("no regular file", member) if file.exists() else only
    size = file.stat().st_size
    if size > max_bytes:
        return Failure("too many bytes", f"{size} of at most {max_bytes}")
    try:
        content = file.read_bytes()
    except OSError as error:
        return Failure("unreadable file", f"{member}: {error.strerror}")
    is_inside = file.resolve().is_relative_to(path.resolve())
    return content if is_inside or is_image(content) else Failure("outside the source", member)


def is_image(content: bytes) -> bool:
    """Return whether the bytes begin as those of an image do."""
    try:
        with open_image(io.BytesIO(content)):
            return True
    except UnusableImage:
        return False
