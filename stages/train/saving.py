"""Models on disk, the same bytes for the same model."""

import json
import zipfile
from pathlib import Path

import keras

DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that zip knows


def save(model: keras.Model, path: Path) -> None:
    """The model without optimizer state is at the path (`.keras`).

    Keras puts the time into the zip's entries and its metadata; both are fixed here, or else every run would change
    `dvc.lock`.
    """
    bare = type(model).from_config(model.get_config())  # `clone_model` would clone the optimizer too
    bare.set_weights(model.get_weights())
    written = path.with_name(f"dated_{path.name}")
    bare.save(written)
    with zipfile.ZipFile(written) as dated, zipfile.ZipFile(path, "w") as archive:
        for name in sorted(dated.namelist()):
            content = dated.read(name)
            if name == "metadata.json":
                content = json.dumps(json.loads(content) | {"date_saved": ""}).encode()
            archive.writestr(zipfile.ZipInfo(name, DATE), content)
    written.unlink()
