"""The step `features`: it computes the frozen part's activations of all images, once for all heads and splits.

It may import from every shared room; it uses `backbones`, `core`, `images`, `networks` and `transforms`.
"""
