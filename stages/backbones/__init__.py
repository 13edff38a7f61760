"""Networks that others publish, as backbones: how each is built, its two parts, and its weights.

The room imports `networks` and `core`; `pretrained`, `features`, `training`, `train`, `classifier`
and `export` use it.
"""
