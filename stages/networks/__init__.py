"""What networks share: layers, heads, cut backbones, inputs, predictions, and views into their layers.

The room imports `images`, `transforms` and `core`; no single network and no step.
"""
