"""Model files that have the same bytes for the same model."""

import json
import zipfile
from pathlib import Path

import keras

from stages.networks.weight_files import check_room

DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date of the zip format


def save(model: keras.Model, path: Path) -> None:
    """Write the model without optimizer state to the path, which ends in `.keras`.

    Keras writes the time into the zip's entries and its metadata. Here both get a fixed value, because else each run
    would change `dvc.lock`.

    Raises:
        OSError: The disk has no room for it.
    """
    check_room(model, path.parent, copies=2)
    bare = type(model).from_config(model.get_config())  # `clone_model` would copy the optimizer too
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
