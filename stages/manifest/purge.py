"""Remove from a manifest and the downloads what is gone from its host."""

from pathlib import Path

from stages.core.cache import cache_folder
from stages.core.terminal import progress_by_reason
from stages.downloads.download import find_gone
from stages.downloads.store import Store
from stages.sources import manifest_file
from stages.web.client import Fetch


def purge(settings: Fetch, path: Path) -> str:
    """What was removed, in lines to read, after manifest and store lack every image that is gone from its host.

    Raises:
        ValueError: the file is no manifest.
    """
    rows = list(manifest_file.listing(path))
    urls = sorted({image.url for image in rows if image.url})
    found = progress_by_reason(find_gone(urls, settings), len(urls), "purge", lambda each: each[1] or "")
    gone = {url: reason for url, reason in found if reason}
    kept = Store(cache_folder("downloads"))
    for url in gone:
        kept.forget(url)
    manifest_file.write([image for image in rows if image.url not in gone], path)
    lines = [f"{gone[image.url]}: {manifest_file.name(image)}" for image in rows if image.url in gone]
    return "\n".join([*lines, f"{path}: {len(rows) - len(lines)} images, {len(lines)} removed."])
