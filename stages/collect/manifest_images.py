"""The images that a manifest lists, fetched from the web."""

from collections.abc import Iterable, Iterator

from stages.downloads.download import Bounds, download
from stages.downloads.store import Store
from stages.sources.listed_image import Failure, Listed
from stages.web.client import Fetch

NO_ADDRESS = Failure("no address", "its source gave none")


def fetching(
    listed: Iterable[Listed], settings: Fetch, bounds: Bounds, store: Store
) -> Iterator[tuple[Listed, bytes | Failure]]:
    """Yield each image with its bytes or the reason why it has none; fetch an address of several rows once."""
    by_url: dict[str, list[Listed]] = {}
    for image in listed:
        by_url.setdefault(image.url, []).append(image)
    for image in by_url.pop("", []):
        yield image, NO_ADDRESS
    for url, failure in download(by_url, store, settings, bounds):
        content = failure or store.read(url)
        for image in by_url[url]:
            yield image, content
