"""A web service's address and answers, checked for their shape where they come in, and trusted afterwards."""

import os
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator

Record = Mapping[str, Any]
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".bmp", ".tif", ".tiff")


def check_address(address: str) -> str:
    """The address without a slash at its end.

    Raises:
        ValueError: it is no address of a host, or has a query, a name or a key inside.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise ValueError(f"expected an address such as https://host, got {address!r}.")
    return address.rstrip("/")


# Of a service, without a slash at its end; never with a name or key inside, since addresses end up in logs.
Address = Annotated[str, AfterValidator(check_address)]


def secret(name: str) -> str:
    """What the environment has under the name; empty where that is nothing.

    Raises:
        ValueError: it cannot be sent in a header; the value is not shown.
    """
    value = os.environ.get(name, "")
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"environment {name}: expected ASCII letters, digits and signs, got another character.")
    return value


def records(answer: Any, where: str, *keys: str) -> list[Record]:
    """The records in the list at the keys; none where a key is missing.

    Raises:
        ValueError: something on the way is no table, or its end no list of tables.
    """
    for key in keys:
        answer = table(answer, where).get(key, {})
    found = [] if answer in (None, {}) else answer
    if not isinstance(found, list):
        raise ValueError(f"{where}: expected a list of records, got {shorten(found)}.")
    return [table(record, where) for record in found]


def table(answer: Any, where: str) -> Record:
    """The answer.

    Raises:
        ValueError: it is no table.
    """
    if not isinstance(answer, Mapping):
        raise ValueError(f"{where}: expected a table, got {shorten(answer)}.")
    return answer


def number(record: Record, key: str, where: str) -> int:
    """The whole number that the record has at the key.

    Raises:
        ValueError: it has none.
    """
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{where}: expected a number {key}, got {shorten(value)}.")
    return value


def identity(record: Record, key: str, where: str) -> str:
    """What the record is named by at the key, a number or a text.

    Raises:
        ValueError: it has no name.
    """
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"{where}: expected records with {key}, got {shorten(value)}.")
    return str(value)


def text(record: Record, key: str) -> str:
    """What the record has at the key, as text; empty where that is nothing."""
    value = record.get(key)
    return "" if value is None else str(value)


def is_image_address(url: str) -> bool:
    """Whether the address is one of the web and its path ends like an image's."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and parts.path.lower().endswith(IMAGE_ENDINGS)


def shorten(value: Any) -> str:
    """The value as Python writes it, at most 100 characters."""
    written = repr(value)
    return written if len(written) <= 100 else f"{written[:97]}..."
