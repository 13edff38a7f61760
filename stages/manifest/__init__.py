"""The command `manifest`: list live sources, purge images that are gone, and download data sets of Kaggle.

This room may import `downloads`, `sources`, `web` and `core`.
"""
