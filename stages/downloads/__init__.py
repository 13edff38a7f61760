"""Downloads of many images into a store, which keeps them for later runs.

This room may import `sources`, `images`, `web` and `core`.
"""
