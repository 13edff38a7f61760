"""Tools that look for duplicates in a whole folder, asked about given pairs of images.

difPy is left out: it reports each group as one file with the files like it, not as pairs.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.rounds import run_child

# Each tool with the loosest threshold that it is asked with; the right one is chosen afterwards on one half.
LOOSEST = {"imagededup PHash": "24", "imagededup DHash": "24", "cleanvision": "0", "fastdup": "0.8"}
IN_PEERS = tuple(tool for tool in LOOSEST if tool != "fastdup")  # of the environment .venv-peers
CLOSER_IS_MORE = ("fastdup",)  # reports a similarity, the others a distance
ENDINGS = {b"\xff\xd8": ".jpg", b"\x89P": ".png", b"RI": ".webp", b"GI": ".gif", b"BM": ".bmp", b"II": ".tiff"}

Floats = npt.NDArray[np.float64]


def ask(tool: str, python: str, pairs: list[tuple[bytes, bytes]]) -> Floats:
    """Return the tool's score of each pair, the more the more alike; minus infinity if it does not report the pair.

    All images of the pairs lie in one folder.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "images")
        (folder / "all").mkdir(parents=True)
        files = {content: write(content, folder) for pair in pairs for content in pair}
        result, _ = run_child(python, "-m", "benchmarks.methods", tool, folder, LOOSEST[tool])
    sign = 1 if tool in CLOSER_IS_MORE else -1
    found: dict[frozenset[str], float] = {}
    for one, other, value in result["pairs"]:
        pair = frozenset((one, other))
        found[pair] = max(found.get(pair, -np.inf), sign * value)
    return np.array([found.get(frozenset((files[one], files[other])), -np.inf) for one, other in pairs])


def write(content: bytes, folder: Path) -> str:
    """Write an image and return its path in the folder."""
    file = f"all/{hashlib.sha256(content).hexdigest()[:24]}{ENDINGS[content[:2]]}"
    (folder / file).write_bytes(content)
    return file
