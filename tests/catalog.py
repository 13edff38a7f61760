"""Backbones for tests: those of params.yaml, the tiny one of tests/tiny_network, and an ONNX file."""

from pathlib import Path
from types import SimpleNamespace

from ruamel.yaml import YAML

from stages import models
from stages.backbones.libraries import Architecture, make_backbone
from stages.models import published
from stages.networks import heads
from stages.networks.layers import scaling_layer

PUBLISHED = YAML(typ="safe").load(Path(__file__).parents[1] / "params.yaml")["pretrained"]["networks"]
PADDLE = Path(__file__).parent / "backbones" / "paddle_ocr.onnx"
TINY = {"library": "tests", "architecture": "tiny", "options": {}, "min_side": 8}

# The networks with a file, and one without.
NETWORKS = sorted([*set(models.names()) - {"published"}, "efficientnet_lite0"])


def row_of(name):
    """What says how a backbone is built, as a table."""
    row = TINY if name == "tiny_transfer" else PUBLISHED[name]
    return {key: row[key] for key in Architecture.model_fields}


def architecture_of(name):
    return Architecture.model_validate(row_of(name))


def make(name, shape, weights=None):
    return make_backbone(name, architecture_of(name), shape, weights)


def network_of(name):
    """A network's module; of a network without a file what a module would have."""
    if name in models.names():
        return models.load(name)
    return SimpleNamespace(
        MIN_SIDE=PUBLISHED[name]["min_side"], Params=published.Params, build=lambda *given: make_whole(name, *given)
    )


def make_whole(name, shape, n_classes, settings):
    """A published network under its head, from images to probabilities."""
    return heads.put_on(make(name, shape), scaling_layer(settings.scaling), n_classes, settings)
