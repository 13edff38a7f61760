"""Cascades that find faces: OpenCV's own ones, or XML files at a path or a URL that its `CascadeClassifier` reads."""

import hashlib
from pathlib import Path

import cv2
from cv2.data import haarcascades

from stages.core.files import cache_folder, replacing, sha256
from stages.web.fetch_once import fetch_once

MAX_MEGABYTES = 20


def is_url(cascade: str) -> bool:
    """Return whether the cascade has to be downloaded."""
    return cascade.startswith(("http://", "https://"))


def locate(cascade: str, expected: str | None) -> Path:
    """Return the file of a cascade: one of OpenCV's own, with or without `.xml`, one at a path, or one kept from a URL.

    Raises:
        ValueError: The cascade does not exist, cannot be downloaded, or does not have the expected SHA-256, if one is
            given.
    """
    if is_url(cascade):
        return download(cascade, expected or "")
    own = {path.stem: path for path in sorted(Path(haarcascades).glob("*.xml"))}
    path = own.get(cascade.removesuffix(".xml"), Path(cascade))
    if not path.is_file():
        choices = f"the path or URL of an XML file, or one of {', '.join(own)}"
        raise ValueError(f"params.yaml preprocess.face.cascade: expected {choices}, got {cascade!r}.")
    if expected:
        check_hash(sha256(path), expected, cascade)
    return path


def check_hash(found: str, expected: str, where: str) -> None:
    """Check that the cascade has the expected SHA-256.

    Raises:
        ValueError: The hashes differ.
    """
    if found != expected:
        raise ValueError(f"{where}: expected a cascade with SHA-256 {expected}, got {found}.")


def download(url: str, expected: str) -> Path:
    """Return the file with this SHA-256, kept by an earlier run or downloaded from the URL.

    Raises:
        ValueError: The URL does not answer with this file.
    """
    kept = cache_folder("cascades") / f"{expected}.xml"
    if kept.is_file() and sha256(kept) == expected:
        return kept
    try:
        content = fetch_once(url, MAX_MEGABYTES)
    except ValueError as error:
        raise ValueError(f"{url}: expected a cascade, got {error}.") from error
    check_hash(hashlib.sha256(content).hexdigest(), expected, url)
    with replacing(kept) as unfinished:
        unfinished.write_bytes(content)
    return kept


def read_cascade(path: Path) -> cv2.CascadeClassifier:
    """Return the cascade in an XML file.

    Raises:
        ValueError: OpenCV cannot read a cascade from the file.
    """
    cascade = cv2.CascadeClassifier()
    try:
        is_read = cascade.load(str(path))
    except cv2.error:  # Its message names a line of its own source.
        is_read = False
    if not is_read:
        raise ValueError(f"{path}: expected a cascade that OpenCV can read, got another file.")
    return cascade
