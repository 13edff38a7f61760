"""A zip or tar archive, laid out as a folder would be. Its members are read one by one, never unpacked to a path."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from stages.core.files import parse_table
from stages.core.listing import TABLE, Failure, Listed, list_table, list_tree

# A password raises RuntimeError, an unknown compression NotImplementedError.
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def _tidy(name: str) -> str:
    """The member's name without the `./` and `//` that some programs write."""
    return str(PurePosixPath(name))


class _Zip:
    """The regular members of a zip archive."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        self.names = {_tidy(info.filename): info for info in self.archive.infolist() if not info.is_dir()}
        self.sizes = {name: info.file_size for name, info in self.names.items()}

    def read(self, member: str, at_most: int) -> bytes:
        with self.archive.open(self.names[member]) as stream:
            return stream.read(at_most)


class _Tar:
    """The regular members of a tar archive; links and devices are none."""

    def __init__(self, path: Path) -> None:
        self.archive = tarfile.open(path)  # noqa: SIM115 (`_opened` closes it)
        try:
            self.names = {_tidy(info.name): info for info in self.archive if info.isfile()}
        except BaseException:
            self.archive.close()
            raise
        self.sizes = {name: info.size for name, info in self.names.items()}

    def read(self, member: str, at_most: int) -> bytes:
        stream = self.archive.extractfile(self.names[member])
        return b"" if stream is None else stream.read(at_most)


@contextmanager
def _opened(path: Path) -> Iterator[_Zip | _Tar]:
    try:
        members = _Zip(path) if path.suffix.lower() == ".zip" else _Tar(path)
    except DAMAGE as error:
        raise ValueError(f"{path}: expected a whole zip or tar archive, got {error}.") from error
    with members.archive:
        yield members


def is_archive(path: Path) -> bool:
    """Whether the path ends like an archive that this module reads."""
    return path.name.lower().endswith(ENDINGS)


def listing(path: Path) -> Iterator[Listed]:
    """What the archive holds, sorted by name; with a table, what that lists.

    Raises:
        ValueError: it is no archive, or its table is not one of images.
    """
    with _opened(path) as members:
        if TABLE not in members.sizes:
            return list_tree(members.sizes)
        try:
            content = members.read(TABLE, members.sizes[TABLE])
        except DAMAGE as error:
            raise ValueError(f"{path} {TABLE}: expected a readable table, got {error}.") from error
        return list_table(parse_table(content, f"{path} {TABLE}"), members.sizes, f"{path} {TABLE}")


def fetching(path: Path, listed: Iterable[Listed], max_bytes: int) -> Iterator[tuple[Listed, bytes | Failure]]:
    """Each image's bytes, or why there are none."""
    with _opened(path) as members:
        for image in listed:
            yield image, _read(members, image.member, max_bytes)


def _read(members: _Zip | _Tar, member: str, max_bytes: int) -> bytes | Failure:
    if member not in members.sizes:
        return Failure("missing", f"{member} is listed in {TABLE} only")
    try:
        # The header's size can lie, so that the limit holds for what is really unpacked.
        content = members.read(member, max_bytes + 1)
    except DAMAGE as error:
        return Failure("damaged in the archive", f"{member}: {error}")
    if len(content) > max_bytes:
        return Failure("too many bytes", f"more than {max_bytes}")
    return content
