"""The networks, one module each. A network has the name of its module. The modules import `networks` and `core`.

The module of a network has

    MIN_SIDE                                the smallest image side in pixels that the layers can take
    Params                                  the network's section of params.yaml, added to `train.common`
    build(shape, n_classes, params)         returns the network, from images to class probabilities

A network that can also be fed the activations of its frozen part has `make_backbone(image_shape, weights)` too, and its
`Params` are `TransferParams`. On the activations it has a head of `stages/networks/heads.py`.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def names() -> list[str]:
    """Return the names of all networks, sorted."""
    return sorted(module.name for module in iter_modules(__path__))


def load(name: str) -> ModuleType:
    """Import the module of a network.

    Raises:
        ValueError: There is no network with this name.
    """
    if name not in names():
        raise ValueError(f"params.yaml networks: expected networks of {', '.join(names())}, got {name}.")
    return import_module(f"{__name__}.{name}")
