"""Pretrained: a backbone's published weights, checked tensor by tensor."""

import sys
from pathlib import Path
from typing import Annotated, Any, Self

import keras
from pydantic import AfterValidator, Field, model_validator

from stages import models
from stages.core import params
from stages.core.files import replacing, write_json
from stages.networks.backbone_parts import sha256_of
from stages.pretrained.weights import MIRRORS, load_from, load_pinned

RANDOM = "random"


def check_mirror(mirror: str) -> str:
    """The mirror, where its kind is known.

    Raises:
        ValueError: it is not.
    """
    if mirror.partition(":")[0] not in (*MIRRORS, RANDOM):
        raise ValueError(f"expected keras, file:<path>, pip:<name>==<version> or random, got {mirror}.")
    return mirror


class Source(params.Section):
    """Where one network's weights come from, and which ones they are.

    Without a SHA-256 (of the tensors) nothing here tells the weights from others: then only `keras` may give them,
    which checks the MD5 it publishes for its file. `weights.json` records the hash found, to be pinned.
    """

    sha256: str | None = Field(pattern="^[0-9a-f]{64}$")
    mirrors: list[Annotated[str, AfterValidator(check_mirror)]] = Field(min_length=1)

    @model_validator(mode="after")
    def check_pin(self) -> Self:
        """The source, where each of its mirrors' weights can be checked.

        Raises:
            ValueError: a file or package has no SHA-256 to be checked by.
        """
        unchecked = [mirror for mirror in self.mirrors if mirror.startswith(("file:", "pip:"))]
        if self.sha256 is None and unchecked:
            raise ValueError(f"expected a sha256 to check {unchecked[0]} by, or the mirror keras alone, got none.")
        return self


class Pretrained(params.Section):
    """The section `pretrained` of params.yaml."""

    allow_random: bool
    seed: int = Field(ge=0)
    networks: dict[str, Source]


def run(name: str, settings: Pretrained, target: Path) -> None:
    """Nothing, after the folder target holds `backbone.weights.h5` and `weights.json`.

    Raises:
        ValueError: there is no such transfer network, or no mirror gives the weights.
    """
    network = models.load(name)
    if name not in settings.networks or not hasattr(network, "make_backbone"):
        raise ValueError(f"params.yaml pretrained.networks: expected an entry of a transfer network, got {name}.")
    keras.utils.clear_session()  # Layers' numbers stand in saved files.
    keras.utils.set_random_seed(settings.seed)
    backbone = network.make_backbone((network.MIN_SIDE, network.MIN_SIDE, 3))
    is_pretrained = load_first(name, network, backbone, settings)
    with replacing(target) as folder:
        folder.mkdir()
        backbone.save_weights(folder / "backbone.weights.h5")
        write_json({"pretrained": is_pretrained, "sha256": sha256_of(backbone)}, folder / "weights.json")


def load_first(name: str, network: Any, backbone: keras.Model, settings: Pretrained) -> bool:
    """Whether the weights are pretrained, after the backbone has those of the first mirror that gives them.

    Raises:
        ValueError: none does.
    """
    answers = []
    initial = backbone.get_weights()
    for mirror in settings.networks[name].mirrors:
        try:
            if mirror == RANDOM:
                check_random(settings)
                backbone.set_weights(initial)  # A refused mirror has left its own.
                origin = "a random generator"
            else:
                pin = settings.networks[name].sha256
                origin = load_pinned(network, backbone, mirror, pin) if pin else load_from(network, backbone, mirror)
        except ValueError as error:
            answers.append(str(error))
            print(f"pretrained {error}", file=sys.stderr)
        else:
            print(f"pretrained {name}: weights from {origin}")
            return mirror != RANDOM
    raise ValueError(
        f"params.yaml pretrained.networks.{name}.mirrors: expected one that answers, got: {' '.join(answers)}"
    )


def check_random(settings: Pretrained) -> None:
    """Nothing, where random weights may stand in for pretrained ones.

    Raises:
        ValueError: they may not.
    """
    if not settings.allow_random:
        raise ValueError("random: expected pretrained.allow_random to be true, got false.")
