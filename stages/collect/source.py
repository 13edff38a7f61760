"""Which kind of source a path is: a folder, an archive or a manifest."""

from pathlib import Path
from types import ModuleType

from stages.collect import archive, folder
from stages.sources import manifest_file


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
    if manifest_file.is_manifest(path):
        return manifest_file
    choices = "a folder, .zip or .tar archive, or a manifest .csv"
    raise ValueError(f"params.yaml collect.source: expected {choices}, got {path}.")
