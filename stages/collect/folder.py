"""A folder on this machine: `<class>/…`, `<train|test>/<class>/…`, or any files with a table `images.csv`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from stages.core.files import read_table
from stages.sources.listed_image import TABLE, Failure, Listed, list_table, list_tree


def listing(path: Path) -> Iterator[Listed]:
    """Yield the folder's files, sorted by path; if it holds a table of images, yield the table's rows.

    Raises:
        ValueError: The table is wrong.
    """
    files = [str(file.relative_to(path).as_posix()) for file in path.rglob("*") if file.is_file()]
    if (path / TABLE).is_file():
        return list_table(read_table(path / TABLE), files, str(path / TABLE))
    return list_tree(files)


def fetching(path: Path, listed: Iterable[Listed], max_bytes: int) -> Iterator[tuple[Listed, bytes | Failure]]:
    """Yield each listed image with its bytes or the reason why it has none."""
    for image in listed:
        yield image, read_bytes(path, image.member, max_bytes)


def read_bytes(path: Path, member: str, max_bytes: int) -> bytes | Failure:
    """Return the bytes of one file inside the folder, or the reason why they cannot be taken."""
    file = path / member
    if not file.is_file():
        return Failure("missing", f"{member} is listed in {TABLE} only")
    if not file.resolve().is_relative_to(path.resolve()):
        return Failure("outside the source", member)
    size = file.stat().st_size
    if size > max_bytes:
        return Failure("too many bytes", f"{size} of at most {max_bytes}")
    return file.read_bytes()
