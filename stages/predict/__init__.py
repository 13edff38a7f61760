"""The step `predict`: predictions of a trained model for image files, folders and URLs, and a page to drop images on.

May import: core, web, images, transforms, networks, results, sources, classifier, downloads, models, pages, tracking.
"""
