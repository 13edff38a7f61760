"""Pretrained: the published weights of a backbone, checked by the hash of their tensors."""

import sys
from pathlib import Path
from typing import Annotated, Self

import keras
from pydantic import AfterValidator, Field, model_validator

from stages.core import params
from stages.core.files import replacing_folder, write_json
from stages.networks.backbones import Architecture, make_backbone, sha256_of
from stages.networks.determinism import set_conventions
from stages.networks.weight_files import save_weights
from stages.pretrained.weights import MIRRORS, keep, load_from, load_pinned

RANDOM = "random"


def check_mirror(mirror: str) -> str:
    """Check that the kind of the mirror is known, and return the mirror.

    Raises:
        ValueError: The kind is unknown.
    """
    if mirror.partition(":")[0] not in (*MIRRORS, RANDOM):
        raise ValueError(f"expected keras, file:<path>, pip:<name>==<version> or random, got {mirror}.")
    return mirror


class Source(Architecture, extra="forbid"):
    """How one network is built, the mirrors of its weights, the SHA-256 hash of their tensors, and who made them.

    Without a hash this step cannot know whether it gets the right weights. Then `keras` must be the only mirror,
    because Keras checks the MD5 hash that it publishes for its file. `weights.json` records the hash that was found, so
    that it can be copied to params.yaml.
    """

    credit: str = Field(min_length=1)
    sha256: str | None = Field(pattern="^[0-9a-f]{64}$")
    mirrors: list[Annotated[str, AfterValidator(check_mirror)]] = Field(min_length=1)

    @model_validator(mode="after")
    def check_pin(self) -> Self:
        """Check that the weights of each mirror can be checked, and return the source.

        Raises:
            ValueError: A file or package has no SHA-256 hash to be checked by, or the library holds no weights.
        """
        unchecked = [mirror for mirror in self.mirrors if mirror.startswith(("file:", "pip:"))]
        if self.sha256 is None and unchecked:
            raise ValueError(f"expected a sha256 to check {unchecked[0]} by, or the mirror keras alone, got none.")
        if self.library == "keras_cv" and "keras" in self.mirrors:
            raise ValueError("expected mirrors that hold weights of KerasCV's networks, pip: or file:, got keras.")
        return self


class Pretrained(params.Section):
    """The section `pretrained` of params.yaml."""

    allow_random: bool
    seed: int = Field(ge=0)
    networks: dict[str, Source]


def run(name: str, settings: Pretrained, target: Path) -> None:
    """Write `backbone.weights.h5` and `weights.json` to the target.

    Raises:
        ValueError: There is no such network, it cannot be built, or no mirror gives the weights.
    """
    if name not in settings.networks:
        known = ", ".join(settings.networks)
        raise ValueError(f"params.yaml backbones: expected entries of pretrained.networks ({known}), got {name}.")
    set_conventions()
    keras.utils.clear_session()  # Saved files hold the numbers of layers.
    keras.utils.set_random_seed(settings.seed)
    source = settings.networks[name]
    backbone = make_backbone(name, source, (source.min_side, source.min_side, 3))
    is_pretrained = load_first(name, backbone, settings)
    with replacing_folder(target, "pretrained") as folder:
        save_weights(backbone, folder / "backbone.weights.h5")
        facts = {
            "pretrained": is_pretrained,
            "sha256": sha256_of(backbone),
            "credit": source.credit if is_pretrained else "",
            **source.model_dump(include=set(Architecture.model_fields)),
        }
        write_json(facts, folder / "weights.json")


def load_first(name: str, backbone: keras.Model, settings: Pretrained) -> bool:
    """Load the weights from the first mirror that gives them, and return whether they are pretrained.

    Weights of which the hash is known are kept in the cache.

    Raises:
        ValueError: No mirror gives the weights, or the disk of the cache is full.
    """
    problems, source = [], settings.networks[name]
    pin = source.sha256
    initial = backbone.get_weights()
    for mirror in source.mirrors:
        try:
            if mirror == RANDOM:
                check_random(settings)
                backbone.set_weights(initial)  # A refused mirror may have left its weights.
                origin = "a random generator"
            else:
                origin = load_pinned(source, backbone, mirror, pin) if pin else load_from(source, backbone, mirror)
        except ValueError as error:
            problems.append(str(error))
            print(f"pretrained {error}", file=sys.stderr)
        else:
            print(f"pretrained {name}: weights from {origin}")
            if pin and origin == mirror:
                keep(backbone, pin)
            return mirror != RANDOM
    raise ValueError(
        f"params.yaml pretrained.networks.{name}.mirrors: expected one that answers, got: {' '.join(problems)}"
    )


def check_random(settings: Pretrained) -> None:
    """Check that the settings allow random weights in place of pretrained weights.

    Raises:
        ValueError: The settings do not allow random weights.
    """
    if not settings.allow_random:
        raise ValueError("random: expected pretrained.allow_random to be true, got false.")
