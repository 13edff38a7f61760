"""The facts of a trained model: where its folder is, and what its `network.json` says."""

from pathlib import Path
from typing import Annotated, Any

from cv2.data import haarcascades
from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import from_json

from stages.core.params import Section
from stages.core.validation import first_problem
from stages.images.faces import Face
from stages.images.preprocessing import Preprocessing
from stages.networks.network_params import Scaling

MAX_SIDE = 4096  # pixels of a network's input; a file from elsewhere can ask for any number
MAX_BATCH = 4096
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class Backbone(Section, extra="ignore"):
    """The facts that `features` wrote of the frozen part whose activations the model was trained on.

    Models of earlier versions do not say how the backbone is built.
    """

    scaling: Scaling
    trainable_layers: int = Field(ge=0)
    batch_size: int = Field(ge=1, le=MAX_BATCH)
    sha256: str
    library: str | None = None
    architecture: str | None = None
    options: dict[str, Any] | None = None


class Facts(Section, extra="ignore"):
    """The facts that `train` wrote of a model into `network.json`."""

    network: str = Field(pattern=r"^[A-Za-z0-9_]+$")
    classes: list[str]
    image_shape: list[Side] = Field(min_length=3, max_length=3)
    preprocessing: Preprocessing
    backbone: Annotated[Backbone | None, BeforeValidator(lambda facts: facts or None)]

    @model_validator(mode="after")
    def check_sizes(self) -> "Facts":
        """Check that images are read at the size of the network's input.

        Raises:
            ValueError: The two sizes differ.
        """
        if self.image_shape != [*self.preprocessing.size, 3]:
            raise ValueError(f"expected image_shape {[*self.preprocessing.size, 3]}, got {self.image_shape}.")
        return self


def find_model(name: str, trained: Path) -> Path:
    """Return the folder of a model, given the name of a trained network or the path of the folder.

    Raises:
        FileNotFoundError: There is neither a trained network of this name nor a model's folder at this path.
    """
    known = sorted(path.parent.name for path in trained.glob("*/network.json"))
    if name in known:
        return trained / name
    if not name or not (Path(name) / "network.json").is_file():
        trained_ones = ", ".join(known) or "none yet"
        raise FileNotFoundError(
            f"{name or 'model'}: expected the folder of a model or a trained network ({trained_ones}), got neither."
        )
    return Path(name)


def read_facts(folder: Path) -> Facts:
    """Read `network.json` in the folder of a model.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not JSON, lacks a key, or has an impossible value.
    """
    path = folder / "network.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: expected the folder of a trained network, got no network.json in it.")
    try:
        values = from_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON, got {error}.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected an object, got {values!r:.100}.")
    try:
        return Facts.model_validate(values)
    except ValidationError as error:
        raise ValueError(describe_problem(path, error)) from error


def describe_problem(path: Path, error: ValidationError) -> str:
    """Return in one line what is wrong in a file that came with a model."""
    return first_problem(error, lambda keys: " ".join(filter(None, [str(path), ".".join(keys)])), lambda _: ())


def check_cascade(preprocessing: Preprocessing, trusted: Face, folder: Path) -> None:
    """Check that the model finds faces only with a cascade of OpenCV's own or with the cascade of params.yaml.

    Raises:
        ValueError: The folder names another cascade, which could lead to any file or URL.
    """
    if preprocessing.crop != "face" or preprocessing.face is None:
        return
    cascade = preprocessing.face.cascade
    own = {path.name for path in Path(haarcascades).iterdir()}
    if cascade != trusted.cascade and f"{cascade.removesuffix('.xml')}.xml" not in own:
        raise ValueError(
            f"{folder / 'network.json'} preprocessing.face.cascade: expected one of OpenCV's own, or that of "
            f"params.yaml preprocess.face.cascade, got {cascade!r}."
        )
