"""Where images come from: one file for each kind of source.

What is on this machine is read as it is. `folder` and `archive` have two functions:

    listing(path) -> Iterator[Listed]       what there is, with its provenance; no image is read
    fetching(path, listed, max_bytes) -> Iterator[tuple[Listed, bytes | Failure]]
                                            each listed image's bytes, or why there are none, in any order

`path` is what `collect.source` names. What tells the kinds apart is the path itself: a folder, or an archive by its
ending; or a `manifest`, a CSV file, whose images are fetched from the web.

What is on the web is listed once, by a person's command, into such a manifest. A live source is a module with

    class Entry(params.Section)             the params of one listing: those of an item of `collect.listings.<class>`
                                            but `source`, the module's name
    listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]
                                            what the source offers for the class, asked for by the client alone (by
                                            PRAW for `reddit`); `source_id` is the same in every listing, `url` is the
                                            image's own

A source takes secrets from the environment only, and sends them as headers; no row that it gives holds one. `kaggle` is
no live source: it downloads an archive, for `collect.source` to name.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from stages.core.listing import names_folder
from stages.core.params import Section, explain
from stages.sources import archive, folder, manifest

# Imported only where `collect.listings` names them: PRAW alone takes longer than all of `collect`.
LIVE = ("bing", "danbooru", "openverse", "reddit", "safebooru", "urls", "wikimedia")


def source_of(path: Path) -> ModuleType:
    """The module that reads the path.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is neither a folder nor an archive nor a manifest.
    """
    if path.is_dir():
        return folder
    if not path.exists():
        raise FileNotFoundError(
            f"params.yaml collect.source: expected a folder, an archive or a manifest, got no such path {path}."
        )
    if archive.is_archive(path):
        return archive
    if manifest.is_manifest(path):
        return manifest
    choices = "a folder, .zip or .tar archive, or a manifest .csv"
    raise ValueError(f"params.yaml collect.source: expected {choices}, got {path}.")


def live_entries(listings: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, ModuleType, Section, str]]:
    """Name and module of the source, checked params and class of each item of `collect.listings`.

    Raises:
        ValueError: a class cannot name a folder, a source is unknown, or one of its params is wrong.
    """
    for class_, items in listings.items():
        if not names_folder(class_):
            raise ValueError(f"params.yaml collect.listings: expected classes that can name folders, got {class_!r}.")
        for number, item in enumerate(items):
            where = f"collect.listings.{class_}.{number}"
            source = item.get("source")
            if source not in LIVE:
                choices = ", ".join(LIVE)
                raise ValueError(f"params.yaml {where}.source: expected one of {choices}, got {source!r}.")
            module = import_module(f"stages.sources.{source}")
            values = {key: value for key, value in item.items() if key != "source"}
            try:
                entry = module.Entry.model_validate(values)
            except ValidationError as error:
                raise ValueError(explain(error, module.Entry, {}, where)) from error
            yield name_of(source, entry), module, entry, class_


def name_of(source: str, entry: Section) -> str:
    """The source's name, with the host of another instance than its own: each of them numbers its images from 1."""
    address = getattr(entry, "address", "")
    own = type(entry).model_fields["address"].default if address else ""
    return source if address == own else f"{source} {urlsplit(address).netloc}"
