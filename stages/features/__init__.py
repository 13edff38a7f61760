"""The step `features`: it computes the frozen part's activations of all images, once for all heads and splits.

It may import from every shared room; it uses `core`, `images`, `networks` and `transforms`.
"""
