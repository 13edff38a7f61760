"""Pages in the browser that a step serves to this machine alone.

May import: core, web, images, transforms, networks, results, sources.
"""
