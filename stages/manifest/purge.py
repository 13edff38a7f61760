"""Remove images that are gone from their hosts from a manifest and from the downloads."""

from pathlib import Path

from stages.core.files import cache_folder
from stages.core.terminal import progress_by_reason
from stages.downloads.download import find_gone
from stages.downloads.store import Store
from stages.sources import manifest_file
from stages.web.client import Fetch


def purge(settings: Fetch, path: Path) -> str:
    """Remove every image that is gone from its host from manifest and store, and return the removed ones as text.

    Raises:
        ValueError: The file is not a manifest.
    """
    rows = list(manifest_file.listing(path))
    urls = sorted({image.url for image in rows if image.url})
    found = progress_by_reason(find_gone(urls, settings), len(urls), "purge", lambda item: item[1] or "")
    gone = {url: reason for url, reason in found if reason}
    store = Store(cache_folder("downloads"))
    for url in gone:
        store.forget(url)
    manifest_file.write([image for image in rows if image.url not in gone], path)
    lines = [f"{gone[image.url]}: {manifest_file.describe_image(image)}" for image in rows if image.url in gone]
    return "\n".join([*lines, f"{path}: {len(rows) - len(lines)} images, {len(lines)} removed."])
