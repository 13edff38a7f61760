"""Where images come from: one file for each kind of source.

A source is a module with two functions, because listing and fetching are two steps:

    listing(path) -> Iterator[Listed]       what there is, with its provenance; no image is read
    fetching(path, listed) -> Iterator[tuple[Listed, bytes | Failure]]
                                            each listed image's bytes, or why there are none, in any order

`path` is what `collect.source` names. What tells the kinds apart is the path itself: a folder, or an archive by its
ending.
"""

from pathlib import Path
from types import ModuleType

from stages.sources import archive, folder


def source_of(path: Path) -> ModuleType:
    """The module that reads the path.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is neither a folder nor an archive.
    """
    if path.is_dir():
        return folder
    if not path.exists():
        raise FileNotFoundError(
            f"params.yaml collect.source: expected a folder or an archive, got no such path {path}."
        )
    if archive.is_archive(path):
        return archive
    raise ValueError(f"params.yaml collect.source: expected a folder, .zip or .tar archive, got {path}.")
