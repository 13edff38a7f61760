"""Pictures that a host sends in place of one that was deleted."""

import hashlib
from urllib.parse import urlsplit

# MD5 of the whole file, as the hosts' users have published them: imgur's 161x81 PNG says that the image is no longer
# available, Reddit's 130x60 PNG "If you are looking for an image, it was probably deleted".
DELETED = {
    "d835884373f4d6c8f24742ceabe74946": "imgur's picture for a deleted image",
    "f17b01901c752c1bb04928131d1661af": "Reddit's picture for a deleted image",
}
# Where hosts redirect what was deleted.
DELETED_ADDRESSES = {("i.imgur.com", "/removed.png"), ("imgur.com", "/removed.png")}


def name_placeholder(url: str, content: bytes) -> str:
    """What the bytes stand for when they are a host's picture for a deleted image; empty when they are not.

    Args:
        url: where the bytes came from, after all redirects.
        content: the bytes.
    """
    parts = urlsplit(url)
    if (parts.hostname or "", parts.path) in DELETED_ADDRESSES:
        return DELETED["d835884373f4d6c8f24742ceabe74946"]
    return DELETED.get(hashlib.md5(content, usedforsecurity=False).hexdigest(), "")
