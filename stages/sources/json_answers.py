"""Checks of a web service's address and of the shape of its JSON answers."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator

Record = Mapping[str, Any]
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".heic", ".bmp", ".tif", ".tiff")


def check_address(address: str) -> str:
    """Return the address without a slash at its end.

    Raises:
        ValueError: The text is not the address of a host, or has a query, a name or a key inside.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise ValueError(f"expected an address such as https://host, got {address!r}.")
    return address.rstrip("/")


# The address of a service, without a slash at its end, and without a name or key, since addresses end up in logs.
Address = Annotated[str, AfterValidator(check_address)]


def records(answer: Any, where: str, *keys: str) -> list[Record]:
    """Return the records in the list at the nested keys; an empty list if a key is missing.

    Raises:
        ValueError: A value on the path of keys is not a table, or the value at its end is not a list of tables.
    """
    for key in keys:
        answer = table(answer, where).get(key, {})
    found = [] if answer in (None, {}) else answer
    if not isinstance(found, list):
        raise ValueError(f"{where}: expected a list of records, got {shorten(found)}.")
    return [table(record, where) for record in found]


def table(answer: Any, where: str) -> Record:
    """Return the answer after a check that it is a table.

    Raises:
        ValueError: The answer is not a table.
    """
    if not isinstance(answer, Mapping):
        raise ValueError(f"{where}: expected a table, got {shorten(answer)}.")
    return answer


def number(record: Record, key: str, where: str) -> int:
    """Return the whole number that the record has at the key.

    Raises:
        ValueError: The value at the key is not a whole number.
    """
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{where}: expected a number {key}, got {shorten(value)}.")
    return value


def identity(record: Record, key: str, where: str) -> str:
    """Return the record's id at the key, a number or a text, as text.

    Raises:
        ValueError: The record has no id.
    """
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"{where}: expected records with {key}, got {shorten(value)}.")
    return str(value)


def text(record: Record, key: str) -> str:
    """Return the record's value at the key as text; "" if it has none."""
    value = record.get(key)
    return "" if value is None else str(value)


def is_image_address(url: str) -> bool:
    """Return whether the text is an address of the web whose path ends like an image's."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and parts.path.lower().endswith(IMAGE_ENDINGS)


def shorten(value: Any) -> str:
    """Return the value as Python writes it, cut to 100 characters."""
    written = repr(value)
    return written if len(written) <= 100 else f"{written[:97]}..."
