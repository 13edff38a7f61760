"""The networks, one file each; a network's name is its file's.

A network is a module with

    MIN_SIDE                                shortest image side in pixels that its layers leave something of
    Params                                  its section of params.yaml, on top of `train.common`
    build(shape, n_classes, params)         the model, from images to class probabilities

A network that can also be fed the activations of its frozen part has `make_backbone(image_shape, weights)`, and its
`Params` are `TransferParams`: then a head of `stages/networks/heads.py` stands on the activations.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def names() -> list[str]:
    """The networks there are, sorted."""
    return sorted(module.name for module in iter_modules(__path__))


def load(name: str) -> ModuleType:
    """The network's module.

    Raises:
        ValueError: there is no such network.
    """
    if name not in names():
        raise ValueError(f"params.yaml networks: expected networks of {', '.join(names())}, got {name}.")
    return import_module(f"{__name__}.{name}")
