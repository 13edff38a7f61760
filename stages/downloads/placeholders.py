"""Placeholders: images that a host sends in place of a deleted image."""

import hashlib
from urllib.parse import urlsplit

# MD5 of the whole file, as users of the hosts have published it. imgur's 161x81 PNG says that the image is no longer
# available, Reddit's 130x60 PNG "If you are looking for an image, it was probably deleted". The names stand in
# tables that a run writes.
DELETED = {
    "d835884373f4d6c8f24742ceabe74946": "imgur's placeholder for a deleted image",
    "f17b01901c752c1bb04928131d1661af": "Reddit's placeholder for a deleted image",
}
# Addresses that a host redirects to in place of a deleted image.
DELETED_ADDRESSES = {("i.imgur.com", "/removed.png"), ("imgur.com", "/removed.png")}


def name_placeholder(url: str, content: bytes) -> str:
    """Return the name of the placeholder that the bytes are, or "" if they are not a placeholder.

    Args:
        url: The address of the bytes, after all redirects.
        content: The bytes.
    """
    parts = urlsplit(url)
    if (parts.hostname or "", parts.path) in DELETED_ADDRESSES:
        return DELETED["d835884373f4d6c8f24742ceabe74946"]
    return DELETED.get(hashlib.md5(content, usedforsecurity=False).hexdigest(), "")
