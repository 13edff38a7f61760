"""The split of the images of an index, as the step `split` makes it, with another seed or other params."""

from pathlib import Path
from typing import Any

from stages.core import params
from stages.split.folds import CrossValidation
from stages.split.run import Split, run


def divide_images(index: Path, seed: int, folder: Path, **changes: Any) -> Path:
    """Write the split of the index's images, with this seed and other changes of params.yaml; return its path."""
    settings = params.read(Split, "split").model_copy(update={"seed": seed, **changes})
    folder.mkdir(parents=True, exist_ok=True)
    split, leaks, folds = (folder / f"{name}-{seed}.csv" for name in ("split", "leaks", "folds"))
    run(settings, params.read(CrossValidation, "cross_validation"), index, split, leaks, folds)
    return split
