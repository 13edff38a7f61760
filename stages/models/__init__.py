"""The networks, a module each. The modules import `networks` and `core`.

A module has

    MIN_SIDE                                the smallest image side in pixels that the layers can take
    Params                                  the network's section of params.yaml, added to `train.common`
    build(shape, n_classes, params)         returns the network, from images to class probabilities

A network that can also be fed the activations of a published backbone has `TransferParams`. On the activations it has
a head of `stages/networks/heads.py`. A network that is only ever fed activations needs no file of its own: its module
is `published`, which has no `build`.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def names() -> list[str]:
    """Return the names of all modules, sorted."""
    return sorted(module.name for module in iter_modules(__path__))


def module_of(network: str) -> str:
    """Return the name of the module of a network: its own name, or `published` if it has no file."""
    return network if network in names() else "published"


def load(name: str) -> ModuleType:
    """Import a module.

    Raises:
        ValueError: There is no module of this name.
    """
    if name not in names():
        raise ValueError(f"params.yaml networks: expected a module of {', '.join(names())}, got {name}.")
    return import_module(f"{__name__}.{name}")
