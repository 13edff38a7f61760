"""A store of downloaded files by their address, in a folder that DVC does not delete."""

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

STALE_S = 24 * 3600  # longer than any request lasts: an older unfinished file is left from a killed run


class Store:
    """Files in a folder, each at `<2 digits>/<SHA-256 of its address>.<SHA-256 of its bytes>`, so that damage is found.

    A file is there whole or not at all, whenever the process is killed, and several processes may share the folder.
    Lasting failures are remembered too, until `forget_failures`: an interrupted run that goes on under the same terms
    (its bounds and its user agent) does not ask these addresses again.
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
        """Return whether the address's bytes are there, as received; remove damaged bytes."""
        path = self._files.get(key_of(url))
        if path is None:
            return False
        if path.is_file() and sha256(path) == path.suffix.removeprefix("."):
            return True
        self.forget(url)
        return False

    def read(self, url: str) -> bytes:
        """Return the bytes of an address that `holds` found."""
        return self._files[key_of(url)].read_bytes()

    @contextmanager
    def receiving(self) -> Iterator[IO[bytes]]:
        """Yield a file to write to; it is removed after the block unless `keep` kept it."""
        with tempfile.NamedTemporaryFile(dir=self._unfinished, delete=False) as stream:
            try:
                yield stream
            finally:
                Path(stream.name).unlink(missing_ok=True)

    def keep(self, url: str, stream: IO[bytes]) -> None:
        """Keep the written file as the bytes of the address."""
        stream.flush()
        written, key = Path(stream.name), key_of(url)
        path = self.root / key[:2] / f"{key}.{sha256(written)}"
        try:
            written.replace(path)
        except FileNotFoundError:  # The folder does not exist yet.
            path.parent.mkdir(exist_ok=True)
            written.replace(path)
        self._files[key] = path

    def forget(self, url: str) -> None:
        """Remove the address's bytes, also bytes that another process kept."""
        key = key_of(url)
        self._files.pop(key, None)
        for path in self.root.glob(f"{key[:2]}/{key}.*"):
            path.unlink(missing_ok=True)

    def remember(self, url: str, terms: str, failure: Failure) -> None:
        """Remember the address's failure for a run that goes on under the same terms."""
        text = json.dumps([failure.reason, failure.detail])
        with self.receiving() as stream:
            stream.write(text.encode())
            stream.flush()
            self._failed.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # Another process has just forgotten all failures.
                Path(stream.name).replace(self._failed / key_of(f"{terms} {url}"))

    def recall(self, url: str, terms: str) -> Failure | None:
        """Return the failure of the address that an unfinished run remembered under these terms, or None.

        What a crash left in part is None too: then the address is asked again.
        """
        try:
            match json.loads((self._failed / key_of(f"{terms} {url}")).read_bytes()):
                case [str(reason), str(detail)]:
                    return Failure(reason, detail)
        except (FileNotFoundError, ValueError):
            pass
        return None


def forget_failures(root: Path) -> None:
    """Forget all remembered failures, so that the next run asks their addresses again."""
    shutil.rmtree(root / "failed", ignore_errors=True)


def key_of(url: str) -> str:
    """Return the SHA-256 of the address, in hexadecimal."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
