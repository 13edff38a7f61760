"""Collect the images of a source as received, each with its provenance."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from stages.collect import manifest_images
from stages.collect.counts_by_source import count_by_source
from stages.collect.source import source_of
from stages.core import params
from stages.core.files import cache_folder, replacing_folder
from stages.core.tables import write_table
from stages.core.terminal import progress_by_reason
from stages.downloads.download import Bounds
from stages.downloads.store import Store, forget_failures
from stages.images.opening import UnusableImage, open_image
from stages.sources import manifest_file
from stages.sources.listed_image import Failure, Listed, one_line
from stages.web.client import Fetch

IMAGE_COLUMNS = [
    "image_id", "class", "source", "source_id", "title", "url", "page_url", "author", "licence", "licence_url",
    "format", "width", "height", "bytes", "given_split", "file",
]  # fmt: skip
FAILURE_COLUMNS = ["class", "source", "source_id", "reason", "detail"]
NO_CLASS = Failure("no class", "it lies in no class folder or table row")


class Collect(params.Section):
    """The section `collect` of params.yaml."""

    source: str
    classes: list[str]
    max_megabytes: int = Field(ge=1)
    max_megapixels: int = Field(ge=1)
    listings: dict[str, list[dict[str, Any]]]
    fetch: Fetch


def run(settings: Collect, target: Path) -> dict[str, Any]:
    """Write the raw images, `images.csv` and `failures.csv` into the folder target, and return the counts.

    A raw image is `<class>/<first 16 digits of its SHA-256>.<ending>`, its bytes as received. `images.csv` has a row
    for each listed image that was received, copies included. A file of a folder or archive is kept even if it cannot be
    read as an image, and `clean` rejects it; such an answer of the web has failed, since it may be an error page.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: The source cannot be read, holds no image, or has no image of a class that is asked for.
    """
    path = Path(settings.source)
    listed = take_classes(list(source_of(path).listing(path)), settings.classes)
    images, failures = [], []
    with replacing_folder(target, "collect") as folder:
        for image, content in progress_by_reason(fetch(listed, settings), len(listed), "collect", reason_of):
            if isinstance(content, Failure):
                failures.append(failure_row(image, path, content))
            else:
                images.append(store_image(image, path, content, folder))
        if not images:
            ask_again(path)
            raise ValueError(f"{path}: expected images in a folder per class, got {len(listed)} files and no image.")
        write_rows(images, IMAGE_COLUMNS, ["image_id", "class", "source_id", "source", "url"], folder / "images.csv")
        write_rows(
            failures, FAILURE_COLUMNS, ["class", "source_id", "source", "reason", "detail"], folder / "failures.csv"
        )
    ask_again(path)
    return count_by_source(images, failures)


def ask_again(source: Path) -> None:
    """Let a further run ask the addresses of a manifest again that have failed. Other sources have no cache."""
    if source_of(source) is manifest_file:
        forget_failures(cache_folder("downloads"))


def take_classes(listed: list[Listed], classes: list[str]) -> list[Listed]:
    """Return the listed images of the classes and those without a class, or all if no class is named.

    Raises:
        ValueError: The source has no image of a class.
    """
    found = {image.class_ for image in listed if image.class_}
    for name in classes:
        if name not in found:
            raise ValueError(
                f"params.yaml collect.classes: expected classes of the source ({', '.join(sorted(found))}), got {name}."
            )
    return [image for image in listed if not classes or image.class_ in {*classes, ""}]


def fetch(listed: list[Listed], settings: Collect) -> Iterator[tuple[Listed, bytes | Failure]]:
    """Yield each listed image with its bytes or the reason why it has none."""
    path = Path(settings.source)
    source = source_of(path)
    if source is manifest_file:
        bounds = Bounds(max_megabytes=settings.max_megabytes, max_megapixels=settings.max_megapixels)
        fetched = manifest_images.fetching(listed, settings.fetch, bounds, Store(cache_folder("downloads")))
    else:
        fetched = source.fetching(path, listed, settings.max_megabytes * 1_000_000)
    for image, content in fetched:
        yield image, content if image.class_ or isinstance(content, Failure) else NO_CLASS


def reason_of(fetched: tuple[Listed, bytes | Failure]) -> str:
    """Return the reason why an image has no bytes, or "" if it has them."""
    return fetched[1].reason if isinstance(fetched[1], Failure) else ""


def failure_row(image: Listed, path: Path, failure: Failure) -> dict[str, str]:
    """Return the image's row of `failures.csv`."""
    where = {"class": image.class_, "source": image.source or str(path), "source_id": image.source_id}
    return {**where, "reason": failure.reason, "detail": one_line(failure.detail)}


def store_image(image: Listed, path: Path, content: bytes, folder: Path) -> dict[str, Any]:
    """Write the image's bytes into the folder, and return its row of `images.csv`."""
    image_id = hashlib.sha256(content).hexdigest()
    header = read_header(content)
    file = Path(image.class_, f"{image_id[:16]}.{header['format'].lower() or 'bin'}")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_bytes(content)
    listed = {key: value for key, value in asdict(image).items() if key not in ("class_", "member")}
    return {
        "image_id": image_id, "class": image.class_, **listed, "source": image.source or str(path), **header,
        "bytes": len(content), "file": file.as_posix(),
    }  # fmt: skip


def read_header(content: bytes) -> dict[str, Any]:
    """Return format, width and height as the file states them; "" and 0 if it is not an image."""
    try:
        with open_image(io.BytesIO(content)) as image:
            return {"format": image.format or "", "width": image.width, "height": image.height}
    except UnusableImage:
        return {"format": "", "width": 0, "height": 0}


def write_rows(rows: list[dict[str, Any]], columns: list[str], order: list[str], path: Path) -> None:
    """Write the sorted rows as a table to the path, also if there are no rows."""
    write_table(pd.DataFrame(rows, columns=columns).sort_values(order, kind="stable"), path)
