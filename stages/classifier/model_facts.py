"""What is known of a trained network: where its folder is, and what `network.json` says there."""

from pathlib import Path
from typing import Annotated, Literal

from cv2.data import haarcascades
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from stages.core.params import Section
from stages.images.faces import Face
from stages.images.preprocessing import Preprocessing

MAX_SIDE = 4096  # pixels of what a network is fed; a file from elsewhere can ask for any number
MAX_BATCH = 4096
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class Backbone(Section, extra="ignore"):
    """What `features` says of the frozen part whose activations a network was trained on."""

    scaling: Literal["unit", "signed", "imagenet_bgr"]
    trainable_layers: int = Field(ge=0)
    batch_size: int = Field(ge=1, le=MAX_BATCH)
    sha256: str


class Facts(Section, extra="ignore"):
    """What `train` says of a network in `network.json`."""

    network: str = Field(pattern=r"^[A-Za-z0-9_]+$")
    classes: list[str]
    image_shape: list[Side] = Field(min_length=3, max_length=3)
    preprocessing: Preprocessing
    backbone: Annotated[Backbone | None, BeforeValidator(lambda facts: facts or None)]

    @model_validator(mode="after")
    def check_sizes(self) -> "Facts":
        """The same.

        Raises:
            ValueError: pictures are read at another size than the network's.
        """
        if self.image_shape != [*self.preprocessing.size, 3]:
            raise ValueError(f"expected image_shape {[*self.preprocessing.size, 3]}, got {self.image_shape}.")
        return self


def find_model(name: str, trained: Path) -> Path:
    """The folder of a model: that of the network of this name among the trained ones, or else the one of this path.

    Raises:
        FileNotFoundError: there is neither.
    """
    known = sorted(path.parent.name for path in trained.glob("*/network.json"))
    if name in known:
        return trained / name
    if not (Path(name) / "network.json").is_file():
        raise FileNotFoundError(
            f"{name}: expected the folder of a model or a trained network ({', '.join(known) or 'none yet'}), "
            "got neither."
        )
    return Path(name)


def read_facts(folder: Path) -> Facts:
    """What `network.json` in the folder says.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it lacks something, or says what cannot be.
    """
    path = folder / "network.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: expected the folder of a trained network, got no network.json in it.")
    try:
        return Facts.model_validate_json(path.read_bytes())
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise ValueError(f"{path} {where}: expected what train writes, got: {problem['msg']}.") from error


def check_cascade(preprocessing: Preprocessing, trusted: Face, folder: Path) -> None:
    """Nothing, where faces are found, if at all, by OpenCV's own cascades or the trusted one, that of params.yaml.

    Raises:
        ValueError: the folder names another, which could lead anywhere.
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
