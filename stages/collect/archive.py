"""A zip or tar archive with the layout of a folder. Its members are read one by one, never unpacked to a path."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from stages.collect.member_names import decode_name, relative
from stages.sources.listed_image import TABLE, Failure, Listed, list_table, list_tree, parse_hand_made

# A password raises RuntimeError, an unknown compression NotImplementedError, a bomb or a wrong size ValueError or
# OverflowError.
DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError,
    NotImplementedError, ValueError, OverflowError,
)  # fmt: skip
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
# Images hardly shrink when packed: a large archive that grows this much is made to fill a disk.
MAX_GROWTH, SMALL_BYTES = 100, 100_000_000
MAX_MEMBERS = 1_000_000
HEADER_BYTES = 1_000_000  # the largest header of a tar's member, with its long name and its comments
PIECE = 4096  # packed bytes read at a time; bzip2 and LZMA in a zip unpack a piece at most a few thousandfold
NO_FILE = Failure("no regular file", "it is a link or a device")
TWICE = Failure("twice in the archive", "which one is meant is not known")


class Members:
    """The files that an archive holds, by normalized name, and the reasons why some of them cannot be read.

    Raises:
        ValueError: The archive has too many members, or they would unpack to far too many bytes.
    """

    def __init__(self, path: Path, entries: Iterable[tuple[str, int, bool, Any]]) -> None:
        self.entries: dict[str, Any] = {}
        self.faults: dict[str, Failure] = {}
        self.sizes: dict[str, int] = {}
        most, unpacked = SMALL_BYTES + MAX_GROWTH * path.stat().st_size, 0
        for number, (name, size, is_file, entry) in enumerate(entries, start=1):
            unpacked += size
            if number > MAX_MEMBERS:
                raise ValueError(f"more than {MAX_MEMBERS} members")
            if size < 0 or unpacked > most:
                raise ValueError(f"members of more than {most} bytes")
            member = str(PurePosixPath(relative(name)))
            if member in self.entries:
                self.faults[member] = TWICE
            elif not is_file:
                self.faults[member] = NO_FILE
            self.entries[member], self.sizes[member] = entry, size


class _Zip:
    """The members of a zip archive."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        try:
            self.members = Members(path, map(self._describe, self._files()))
        except BaseException:
            self.archive.close()
            raise

    def _files(self) -> Iterator[zipfile.ZipInfo]:
        return (info for info in self.archive.infolist() if not info.is_dir())

    @staticmethod
    def _describe(info: zipfile.ZipInfo) -> tuple[str, int, bool, zipfile.ZipInfo]:
        kind = info.external_attr >> 28  # the file type of the Unix mode: 8 is a regular file, 0 is not stored
        return decode_name(info), info.file_size, kind in (0, 8), info

    def read(self, name: str, at_most: int) -> bytes:
        content = bytearray()
        with self.archive.open(self.members.entries[name]) as stream:
            while len(content) < at_most and (piece := stream.read(min(PIECE, at_most - len(content)))):
                content += piece
        return bytes(content)


class _Bounded:
    """A stream that refuses large single reads, since a tar's header may ask for gigabytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.most = HEADER_BYTES
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.most:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self.stream.read(size)


class _Tar:
    """The members of a tar archive."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            start = file.read(6)
        opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), open)
        self.stream = _Bounded(opener(path, "rb"))
        try:
            stream: Any = self.stream
            self.archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115 (`_opened` closes it)
            self.members = Members(path, self._describe())
        except BaseException:
            self.stream.close()
            raise

    def _describe(self) -> Iterator[tuple[str, int, bool, tarfile.TarInfo]]:
        """Yield the files; a hard link to an earlier member, as tar writes equal files, is that member."""
        seen: dict[str, tarfile.TarInfo] = {}
        for info in self.archive:
            if info.isdir():
                continue
            target = seen.get(info.linkname, info) if info.islnk() else info
            if target.isfile():
                seen[info.name] = target
            yield info.name, target.size, target.isfile(), target

    def read(self, name: str, at_most: int) -> bytes:
        self.stream.most = at_most + tarfile.RECORDSIZE
        stream = self.archive.extractfile(self.members.entries[name])
        return b"" if stream is None else stream.read(at_most)


@contextmanager
def _opened(path: Path) -> Iterator[_Zip | _Tar]:
    try:
        opened = _Zip(path) if path.suffix.lower() == ".zip" else _Tar(path)
    except DAMAGE as error:
        raise ValueError(f"{path}: expected a whole zip or tar archive, got {error}.") from error
    try:
        yield opened
    finally:
        opened.archive.close()
        if isinstance(opened, _Tar):
            opened.stream.close()


def is_archive(path: Path) -> bool:
    """Return whether the path ends like an archive that this module reads."""
    return path.name.lower().endswith(ENDINGS)


def listing(path: Path) -> Iterator[Listed]:
    """Yield the archive's files, sorted by name; if it holds a table of images, yield the table's rows.

    Raises:
        ValueError: The file is not a whole archive, is made to fill a disk, or holds a wrong table.
    """
    with _opened(path) as opened:
        sizes = opened.members.sizes
        if TABLE not in sizes:
            return list_tree(sizes)
        try:
            content = opened.read(TABLE, sizes[TABLE])
        except DAMAGE as error:
            raise ValueError(f"{path} {TABLE}: expected a readable table, got {error}.") from error
        return list_table(parse_hand_made(content, f"{path} {TABLE}"), sizes, f"{path} {TABLE}")


def fetching(path: Path, listed: Iterable[Listed], max_bytes: int) -> Iterator[tuple[Listed, bytes | Failure]]:
    """Yield each listed image with its bytes or the reason why it has none."""
    with _opened(path) as opened:
        for image in listed:
            yield image, _read(opened, image.member, max_bytes)


def _read(opened: _Zip | _Tar, member: str, max_bytes: int) -> bytes | Failure:
    if member not in opened.members.entries:
        return Failure("missing", f"{member} is listed in {TABLE} only")
    if fault := opened.members.faults.get(member):
        return fault
    if is_archive(Path(member)):
        return Failure("archive in the archive", member)
    try:
        # The size in a header can be wrong, so that the limit applies to the unpacked bytes.
        content = opened.read(member, max_bytes + 1)
    except DAMAGE as error:
        return Failure("damaged in the archive", f"{member}: {error}")
    if len(content) > max_bytes:
        return Failure("too many bytes", f"more than {max_bytes}")
    return content
