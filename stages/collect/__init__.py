"""The step `collect`: images of a folder, an archive or a manifest, as received, each with its provenance.

This room may import `downloads`, `sources`, `images`, `web` and `core`.
"""
