"""What a person should know about the folders of a source: those without images, and those that may mean otherwise."""

from pathlib import Path

import pandas as pd

from stages.collect.folder import empty_folders
from stages.collect.member_names import describe_guessed
from stages.core.tables import read_table
from stages.sources.listed_image import clean_class, visible_paths
from stages.sources.tree_layout import describe_layout, find_layout, join

PROVENANCE = ("title", "url", "page_url", "author", "licence", "licence_url")  # only a table or a manifest has any


def describe_folders(source: Path, target: Path) -> list[str]:
    """Return in a line each what the folders of a source mean that is easily missed, and which names are guessed.

    Args:
        source: What was collected.
        target: The folder with the tables of what was collected.
    """
    guessed = describe_guessed(source) if source.is_file() else []
    images, failures = (read_table(target / f"{name}.csv") for name in ("images", "failures"))
    rows = pd.concat([images, failures])
    paths = visible_paths(rows["source_id"])
    layout = find_layout(paths)
    named = {str(path): clean_class(layout.place(path)[0]) for path in paths}
    is_named_so = [named.get(source_id) for source_id in images["source_id"]] == list(images["class"])
    if not is_named_so or (images[list(PROVENANCE)] != "").any(axis=None):
        return guessed  # the classes are those of a table or of a manifest
    empty = empty_folders(source) if source.is_dir() else []
    without = [f"collect: no images in {join(empty)}."] if empty else []
    return [*describe_layout(paths), *without, *guessed]
