"""What was downloaded, kept by its address, outside of what DVC deletes."""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stages.core.files import sha256
from stages.sources.listed_image import Failure

STALE_S = 24 * 3600  # what a killed run left half-written is older than any request lasts


class Store:
    """Files in a folder, each `<2 digits>/<SHA-256 of its address>.<SHA-256 of its bytes>`, so that damage shows.

    A file is there whole or not at all, whenever the process is killed, and several processes may share the folder.
    What failed for good is remembered too, until `forget_failures`: a run that goes on under the same terms (what it
    takes, as whom it asks) need not ask again.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unfinished = root / "unfinished"
        self._failed = root / "failed"
        self._unfinished.mkdir(parents=True, exist_ok=True)
        for path in self._unfinished.iterdir():
            with suppress(FileNotFoundError):  # Another process has just finished it.
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()
        self._files = {path.name.partition(".")[0]: path for path in sorted(root.glob("??/*.*"))}

    def holds(self, url: str) -> bool:
        """Whether the address's bytes are there, as they came; damaged ones are removed."""
        path = self._files.get(key_of(url))
        if path is None:
            return False
        if path.is_file() and sha256(path) == path.suffix.removeprefix("."):
            return True
        self.forget(url)
        return False

    def read(self, url: str) -> bytes:
        """The bytes of an address that `holds` found."""
        return self._files[key_of(url)].read_bytes()

    @contextmanager
    def receiving(self) -> Iterator[IO[bytes]]:
        """A file to write to, gone after the block unless it was kept."""
        with tempfile.NamedTemporaryFile(dir=self._unfinished, delete=False) as stream:
            try:
                yield stream
            finally:
                Path(stream.name).unlink(missing_ok=True)

    def keep(self, url: str, stream: IO[bytes]) -> None:
        """What was written to the file is what the address holds."""
        stream.flush()
        written, key = Path(stream.name), key_of(url)
        path = self.root / key[:2] / f"{key}.{sha256(written)}"
        try:
            written.replace(path)
        except FileNotFoundError:  # its folder is new
            path.parent.mkdir(exist_ok=True)
            written.replace(path)
        self._files[key] = path

    def forget(self, url: str) -> None:
        """Nothing of the address is left, nor what another process got of it."""
        key = key_of(url)
        self._files.pop(key, None)
        for path in self.root.glob(f"{key[:2]}/{key}.*"):
            path.unlink(missing_ok=True)

    def remember(self, url: str, terms: str, failure: Failure) -> None:
        """The address need not be asked again by a run that goes on under the same terms."""
        text = json.dumps([failure.reason, failure.detail])
        with self.receiving() as stream:
            stream.write(text.encode())
            stream.flush()
            self._failed.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # Another process has just forgotten all failures.
                Path(stream.name).replace(self._failed / key_of(f"{terms} {url}"))

    def recall(self, url: str, terms: str) -> Failure | None:
        """Why the address gave nothing when an unfinished run asked it under these terms, if it did."""
        try:
            return Failure(*json.loads((self._failed / key_of(f"{terms} {url}")).read_bytes()))
        except FileNotFoundError:
            return None


def forget_failures(root: Path) -> None:
    """The next run that uses the store asks everything that failed again."""
    shutil.rmtree(root / "failed", ignore_errors=True)


def key_of(url: str) -> str:
    """SHA-256 of the address, in hexadecimal."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
