"""The step `pretrained`: gets the published weights of a backbone from a mirror, and checks them.

The room imports `backbones`, `networks` and `core`, and no other step.
"""
