"""Shared room: random changes of training images, one by one (affine, RandAugment) or mixed within a batch.

It may import from `core` and `web` only.
"""
