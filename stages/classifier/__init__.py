"""Trained models ready for image files: opened with care, fed as in training, and their predictions as text.

May import: core, web, images, transforms, networks, results, sources, backbones.
"""
