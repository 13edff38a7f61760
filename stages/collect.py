"""Collect: the source's images as received, each with its provenance."""

import argparse
import hashlib
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from stages.core import params
from stages.core.counts import tally
from stages.core.files import replacing, write_json, write_table
from stages.core.images import UnusableImage, open_image
from stages.core.listing import Failure, Listed
from stages.core.terminal import command, progress
from stages.sources import source_of

IMAGE_COLUMNS = [
    "image_id", "class", "source", "source_id", "title", "url", "page_url", "author", "licence", "licence_url",
    "format", "width", "height", "bytes", "given_split", "file",
]  # fmt: skip
FAILURE_COLUMNS = ["class", "source", "source_id", "reason", "detail"]


class Collect(params.Section):
    """The section `collect` of params.yaml."""

    source: str
    max_megabytes: int = Field(ge=1)


def run(settings: Collect, target: Path) -> dict[str, Any]:
    """The counts, after the folder target holds the raw images, `images.csv` and `failures.csv`.

    A raw image is `<class>/<first 16 digits of its SHA-256>.<ending>`, its bytes as received. `images.csv` has a row
    for each listed image that came, copies included; what no program can read is kept too: `clean` rejects it.

    Raises:
        FileNotFoundError: the source is not there.
        ValueError: the source cannot be read, or holds no image.
    """
    path = Path(settings.source)
    source = source_of(path)
    listed = list(source.listing(path))
    images, failures = [], []
    with replacing(target) as folder:
        folder.mkdir()
        fetched = source.fetching(path, listed, settings.max_megabytes * 1_000_000)
        for image, content in progress(fetched, len(listed), "collect"):
            if isinstance(content, Failure) or not image.class_:
                failures.append(describe_failure(image, path, content))
            else:
                images.append(store(image, path, content, folder))
        if not images:
            raise ValueError(f"{path}: expected images in a folder per class, got {len(listed)} files and no image.")
        write_rows(images, IMAGE_COLUMNS, ["image_id", "class", "source_id"], folder / "images.csv")
        write_rows(failures, FAILURE_COLUMNS, ["class", "source_id"], folder / "failures.csv")
    return count(listed, images, failures)


def describe_failure(image: Listed, path: Path, content: bytes | Failure) -> dict[str, str]:
    """The image's row of `failures.csv`."""
    failure = (
        content if isinstance(content, Failure) else Failure("no class", "it lies in no class folder or table row")
    )
    return {"class": image.class_, "source": str(path), "source_id": image.source_id, **asdict(failure)}


def store(image: Listed, path: Path, content: bytes, folder: Path) -> dict[str, Any]:
    """The image's row of `images.csv`, after its bytes lie in the folder."""
    image_id = hashlib.sha256(content).hexdigest()
    header = read_header(content)
    file = Path(image.class_, f"{image_id[:16]}.{header['format'].lower() or 'bin'}")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_bytes(content)
    listed = {key: value for key, value in asdict(image).items() if key not in ("class_", "member")}
    return {
        "image_id": image_id, "class": image.class_, "source": str(path), **listed, **header,
        "bytes": len(content), "file": file.as_posix(),
    }  # fmt: skip


def read_header(content: bytes) -> dict[str, Any]:
    """Format, width and height as the file states them; empty and 0 where it is no image."""
    try:
        with open_image(io.BytesIO(content)) as image:
            return {"format": image.format or "", "width": image.width, "height": image.height}
    except UnusableImage:
        return {"format": "", "width": 0, "height": 0}


def write_rows(rows: list[dict[str, Any]], columns: list[str], order: list[str], path: Path) -> None:
    """The rows are at the path as a table, sorted, also when there are none."""
    write_table(pd.DataFrame(rows, columns=columns).sort_values(order, kind="stable"), path)


def count(listed: list[Listed], images: list[dict[str, Any]], failures: list[dict[str, str]]) -> dict[str, Any]:
    """How many were listed, kept and failed, the latter by reason, and what was kept by class."""
    return {
        "listed": len(listed),
        "kept": len(images),
        "failed": tally(row["reason"] for row in failures),
        "classes": tally(row["class"] for row in images),
    }


def main() -> None:
    """Collect what params.yaml names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, help="the folder of raw images to write")
    parser.add_argument("metrics", type=Path, help="the counts to write, as JSON")
    arguments = parser.parse_args()
    write_json(run(params.read(Collect, "collect"), arguments.target), arguments.metrics)


if __name__ == "__main__":
    command(main)
