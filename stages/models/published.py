"""A published network without a file of its own: `pretrained.networks` says how it is built, and a head learns on it.

It has no `build`, because it is fed the activations of its backbone alone: to learn from pixels and random weights, a
network needs a file.
"""

from stages.networks.network_params import TransferParams

MIN_SIDE = 1  # of images whose activations are known; `features` checks the backbone's own


class Params(TransferParams):
    """The section `train.<network>`."""
