"""The step `review`: a page on which a person decides about single images, and the table of the decisions.

May import: core, web, images, transforms, networks, results, sources, classifier, downloads, models, pages, tracking.
"""
