"""Pretrained: the published weights of a backbone, checked by the hash of their tensors."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Self

import keras
from pydantic import AfterValidator, Field, model_validator

from stages.backbones.libraries import ONNX, Architecture, make_backbone
from stages.backbones.weights import WEIGHTS, file_of, open_onnx, sha256_of
from stages.core import params
from stages.core.files import replacing_folder, write_json
from stages.networks.determinism import set_conventions
from stages.networks.weight_files import save_weights
from stages.pretrained.onnx_files import find_onnx, keep_onnx
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
        if self.library == ONNX and (self.sha256 is None or len(unchecked) < len(self.mirrors)):
            raise ValueError("expected a sha256 of the ONNX file, and mirrors pip: or file: that have it, got others.")
        return self


class Pretrained(params.Section):
    """The section `pretrained` of params.yaml."""

    allow_random: bool
    seed: int = Field(ge=0)
    networks: dict[str, Source]


def run(name: str, settings: Pretrained, target: Path) -> None:
    """Write `backbone.weights.h5`, or the file `backbone.onnx`, and `weights.json` to the target.

    Raises:
        ValueError: There is no such network, it cannot be built, or no mirror gives the weights.
    """
    if name not in settings.networks:
        known = ", ".join(settings.networks)
        raise ValueError(f"params.yaml backbones: expected entries of pretrained.networks ({known}), got {name}.")
    set_conventions()
    source = settings.networks[name]
    save = save_onnx if source.library == ONNX else save_layers
    with replacing_folder(target, "pretrained") as folder:
        is_pretrained, sha256 = save(name, settings, folder)
        facts = {
            "pretrained": is_pretrained,
            "sha256": sha256,
            "credit": source.credit if is_pretrained else "",
            **source.model_dump(include=set(Architecture.model_fields)),
        }
        write_json(facts, folder / "weights.json")


def save_layers(name: str, settings: Pretrained, folder: Path) -> tuple[bool, str]:
    """Write the weights of the network's layers; return whether they are pretrained, and their hash.

    Weights of which the hash is known are kept in the cache.

    Raises:
        ValueError: The network cannot be built, no mirror gives the weights, or the disk of the cache is full.
    """
    source = settings.networks[name]
    keras.utils.clear_session()  # Saved files hold the numbers of layers.
    keras.utils.set_random_seed(settings.seed)
    backbone = make_backbone(name, source, (source.min_side, source.min_side, 3))
    initial, pin = backbone.get_weights(), source.sha256

    def load(mirror: str) -> str:
        if mirror == RANDOM:
            check_random(settings)
            backbone.set_weights(initial)  # A refused mirror may have left its weights.
            return "a random generator"
        return load_pinned(source, backbone, mirror, pin) if pin else load_from(source, backbone, mirror)

    mirror, origin = ask_mirrors(name, source.mirrors, load)
    if pin and origin == mirror:
        keep(backbone, pin)
    save_weights(backbone, folder / WEIGHTS)
    return mirror != RANDOM, sha256_of(backbone)


def save_onnx(name: str, settings: Pretrained, folder: Path) -> tuple[bool, str]:
    """Write the network's ONNX file; return that it is pretrained, and its hash.

    Raises:
        ValueError: No mirror has the file, it is no network from images to features, or the disk of the cache is full.
    """
    source, where = settings.networks[name], f"params.yaml pretrained.networks.{name}"
    pin, content = str(source.sha256), b""

    def load(mirror: str) -> str:
        nonlocal content
        content, origin = find_onnx(mirror, pin)
        return origin

    mirror, origin = ask_mirrors(name, source.mirrors, load)
    backbone = open_onnx(name, source, (source.min_side, source.min_side, 3), content, where)
    if origin == mirror:
        keep_onnx(content, pin)
    (folder / file_of(source)).write_bytes(content)
    return True, sha256_of(backbone)


def ask_mirrors(name: str, mirrors: list[str], load: Callable[[str], str]) -> tuple[str, str]:
    """Return the first mirror that gives the weights, and their origin, as `load` returns it.

    Raises:
        ValueError: No mirror gives them.
    """
    problems = []
    for mirror in mirrors:
        try:
            origin = load(mirror)
        except ValueError as error:
            problems.append(str(error))
            print(f"pretrained {error}", file=sys.stderr)
        else:
            print(f"pretrained {name}: weights from {origin}")
            return mirror, origin
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
