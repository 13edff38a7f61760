"""The cache folder: what outlives a run of DVC, such as downloads and checkpoints."""

from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(name: str) -> Path:
    """Return this project's folder of that name in the user's cache, `$XDG_CACHE_HOME` where that is set on Linux."""
    return user_cache_path("dvc-image-classification", appauthor=False) / name
