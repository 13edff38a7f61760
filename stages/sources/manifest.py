"""A manifest: a CSV file with a row for each image on the web, its class and its provenance, to be fetched as it says.

A list of addresses by hand needs the columns `url` and `class` only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from stages.core.downloads import Bounds, download
from stages.core.fetching import Fetch
from stages.core.files import read_table, replacing, write_table
from stages.core.listing import SPLITS, Failure, Listed, names_folder
from stages.core.store import Store

NAMES = {"class_": "class", "given_split": "split"}  # of columns, where they differ from the fields'
COLUMNS = [NAMES.get(field.name, field.name) for field in fields(Listed) if field.name != "member"]
SHOWN = 20  # lines of each kind of change
NO_ADDRESS = Failure("no address", "its source gave none")


def is_manifest(path: Path) -> bool:
    """Whether the path ends like a manifest."""
    return path.suffix.lower() == ".csv"


def listing(path: Path) -> Iterator[Listed]:
    """The manifest's rows; what names neither its source nor its id is known by the file and the address.

    Raises:
        ValueError: it is no manifest, or one of its rows has a split or a class that can be none.
    """
    table = read_table(path)
    check_columns(table, path)
    for line, row in enumerate(table.to_dict("records"), start=2):
        where = f"{path} line {line}"
        values = {str(column): str(value) for column, value in row.items()}
        class_, split = values.pop("class"), values.pop("split", "")
        if not names_folder(class_):
            raise ValueError(f"{where}: expected a class that can name a folder, got {class_!r}.")
        if split not in (*SPLITS, ""):
            raise ValueError(f"{where}: expected a split of {', '.join(SPLITS)}, got {split}.")
        source, source_id = values.pop("source", "") or str(path), values.pop("source_id", "") or values["url"]
        yield Listed(source=source, source_id=source_id, class_=class_, given_split=split, **values)


def check_columns(table: pd.DataFrame, path: Path) -> None:
    """Nothing, where the table has the columns of a manifest.

    Raises:
        ValueError: one is missing, or unknown.
    """
    if not {"url", "class"} <= set(table.columns):
        raise ValueError(f"{path}: expected the columns url and class, got {', '.join(table.columns)}.")
    if unknown := [column for column in table.columns if column not in COLUMNS]:
        raise ValueError(f"{path}: expected columns of {', '.join(COLUMNS)}, got {unknown[0]}.")


def fetching(
    listed: Iterable[Listed], settings: Fetch, bounds: Bounds, store: Store
) -> Iterator[tuple[Listed, bytes | Failure]]:
    """Each image's bytes, or why there are none; an address that several rows name is fetched once."""
    by_url: dict[str, list[Listed]] = {}
    for image in listed:
        by_url.setdefault(image.url, []).append(image)
    for image in by_url.pop("", []):
        yield image, NO_ADDRESS
    for url, failure in download(by_url, store, settings, bounds):
        content = failure or store.read(url)
        for image in by_url[url]:
            yield image, content


def to_table(listed: Iterable[Listed]) -> pd.DataFrame:
    """The images as the rows of a manifest, sorted by class, source and id."""
    rows = [{NAMES.get(key, key): value for key, value in asdict(image).items()} for image in listed]
    order = ["class", "source", "source_id", "url"]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=str).sort_values(order, kind="stable")


@dataclass(frozen=True)
class Merger:
    """A manifest's rows after another listing: all of them, and those that are new, no longer listed or changed."""

    rows: list[Listed]
    new: list[Listed]
    gone: list[Listed]
    changed: list[Listed]


def identify(image: Listed) -> tuple[str, str, str]:
    """What stays the same of an image when its title or address changes."""
    return image.source, image.class_, image.source_id


def contradict(key: tuple[str, str, str]) -> tuple[str, str, str]:
    """The same image in the opposite class, `not_…` or without that."""
    source, class_, source_id = key
    return source, class_.removeprefix("not_") if class_.startswith("not_") else f"not_{class_}", source_id


def merge(old: Iterable[Listed], listed: Iterable[Listed]) -> Merger:
    """The old rows and the listed ones, which win; what is gone from a listing stays, because listings move.

    What is listed in the opposite class now, a post that was given its tag since, has changed and stays in that only.
    """
    old = list(old)
    before = {identify(image): image for image in old}
    now: dict[tuple[str, str, str], Listed] = {}
    for image in listed:
        now.setdefault(identify(image), image)
    replaced = now.keys() | {contradict(key) for key in now}
    gone = [image for image in old if identify(image) not in replaced]
    is_known = {key: key in before or contradict(key) in before for key in now}
    return Merger(
        rows=[*gone, *now.values()],
        new=[image for key, image in now.items() if not is_known[key]],
        gone=gone,
        changed=[image for key, image in now.items() if is_known[key] and before.get(key) != image],
    )


def write(images: Iterable[Listed], path: Path) -> None:
    """The images are the rows of the manifest at the path."""
    with replacing(path) as unfinished:
        write_table(to_table(images), unfinished)


def name(image: Listed) -> str:
    """The image in one line."""
    return f"{image.class_} {image.source} {image.source_id} {image.url}"


def explain(merger: Merger, path: Path) -> str:
    """What a listing changed, in lines to read."""
    changes = (("new", merger.new), ("no longer listed", merger.gone), ("changed", merger.changed))
    lines = []
    for title, images in changes:
        lines += [f"{title}: {name(image)}" for image in images[:SHOWN]]
        lines += [f"{title}: {len(images) - SHOWN} more"] if len(images) > SHOWN else []
    numbers = ", ".join(f"{len(images)} {title}" for title, images in changes)
    return "\n".join([*lines, f"{path}: {len(merger.rows)} images, {numbers}."])
