"""The cache folder of this project, for files that outlive a run of DVC, such as downloads and checkpoints."""

import os
from pathlib import Path

from platformdirs import user_cache_path

APPLICATION = "dvc-image-classification"


def cache_folder(name: str) -> Path:
    """Return the folder with this name in the project's cache; the folder may not exist yet.

    The cache is in `$XDG_CACHE_HOME` on every system, if that variable is set and not empty, and else where the
    operating system keeps caches.
    """
    if root := os.environ.get("XDG_CACHE_HOME", "").strip():
        return Path(root, APPLICATION, name)
    return user_cache_path(APPLICATION, appauthor=False) / name
