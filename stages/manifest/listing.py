"""Ask the live sources, and add the images that they list to a manifest."""

from dataclasses import replace
from pathlib import Path

from stages.core.terminal import progress_by_reason
from stages.manifest.live_sources import live_entries
from stages.manifest.merge import describe_changes, merge
from stages.manifest.settings import Listings
from stages.sources import manifest_file
from stages.sources.listed_image import Listed
from stages.web.client import Client


def relist(settings: Listings, path: Path) -> str:
    """Add the images that the live sources list now to the manifest, and return its changes as text.

    Raises:
        ValueError: A listing's params are wrong, a source does not answer, or the file is not a manifest.
    """
    client = Client(settings.fetch)
    entries = list(live_entries(settings.listings))  # All are checked before one is asked.
    if not entries:
        raise ValueError("params.yaml collect.listings: expected the sources of at least one class, got none.")
    listed = [
        replace(image, source=source)
        for source, module, entry, class_ in entries
        for image in progress_by_reason(module.listing(entry, class_, client), None, f"{source} {class_}", no_reason)
    ]
    merger = merge(manifest_file.listing(path) if path.exists() else [], listed)
    manifest_file.write(merger.rows, path)
    return describe_changes(merger, path)


def no_reason(_: Listed) -> str:
    """Return "", since a listed image has not failed yet."""
    return ""
