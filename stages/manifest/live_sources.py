"""The live sources that `collect.listings` names, with their checked params."""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from stages.core.params import Section
from stages.core.validation import first_problem
from stages.sources.listed_image import names_folder

# Modules that are imported only if `collect.listings` names them: importing PRAW takes longer than all of `collect`.
LIVE = ("bing", "danbooru", "openverse", "reddit", "safebooru", "urls", "wikimedia")


def live_entries(listings: dict[str, list[dict[str, Any]]]) -> Iterator[tuple[str, ModuleType, Section, str]]:
    """Yield name and module of the source, checked params and class of each item of `collect.listings`.

    Raises:
        ValueError: A class cannot name a folder, a source is unknown, or one of its params is wrong.
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
            entry = read_entry(module, {key: value for key, value in item.items() if key != "source"}, where)
            yield name_source(source, entry), module, entry, class_


def read_entry(module: ModuleType, values: dict[str, Any], where: str) -> Section:
    """Check the params of one listing.

    Raises:
        ValueError: One of them is missing, unknown or wrong.
    """
    try:
        entry: Section = module.Entry.model_validate(values)
    except ValidationError as error:
        name, fields = (lambda keys: ".".join([f"params.yaml {where}", *keys])), module.Entry.model_fields
        raise ValueError(first_problem(error, name, lambda _: fields)) from error
    return entry


def name_source(source: str, entry: Section) -> str:
    """Return the source's name, with the host if it is another instance: each instance numbers its images from 1."""
    address = getattr(entry, "address", "")
    default = type(entry).model_fields["address"].default if address else ""
    return source if address == default else f"{source} {urlsplit(address).netloc}"
