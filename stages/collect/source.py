"""The choice of the module that reads a source: a folder, an archive or a manifest."""

from pathlib import Path
from types import ModuleType

from stages.collect import archive, folder
from stages.sources import manifest_file


def source_of(path: Path) -> ModuleType:
    """Return the module that reads the path.

    Raises:
        FileNotFoundError: The path does not exist.
        ValueError: The path is neither a folder nor an archive nor a manifest.
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
