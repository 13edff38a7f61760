"""A CSV file of addresses, made by hand or by another program, with any columns of class and provenance."""

from collections.abc import Iterator
from pathlib import Path

from stages.core.params import Section
from stages.sources.listed_image import Listed, parse_hand_made
from stages.web.client import Client

COLUMNS = ("url", "class", "source_id", "title", "page_url", "author", "licence", "licence_url")


class Entry(Section):
    """The params of one file; if it has a column `class`, only rows of the entry's own class are listed."""

    path: str


def listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]:
    """Yield the file's rows; the address replaces a missing id.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a table of addresses, or two addresses have the same id.
    """
    path = Path(entry.path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a table, got no such file.")
    table = parse_hand_made(path.read_bytes(), entry.path)
    if "url" not in table:
        raise ValueError(f"{entry.path}: expected a column url, got {', '.join(table.columns)}.")
    if unknown := [column for column in table.columns if column not in COLUMNS]:
        raise ValueError(f"{entry.path}: expected columns of {', '.join(COLUMNS)}, got {unknown[0]}.")
    urls: dict[str, str] = {}
    for line, row in enumerate(table.to_dict("records"), start=2):
        values = {str(column): str(value) for column, value in row.items()}
        if values.pop("class", class_) == class_:
            source_id, url = values.pop("source_id", "") or values["url"], values["url"]
            if urls.setdefault(source_id, url) != url:
                raise ValueError(
                    f"{entry.path} line {line}: expected one url for each source_id, got two for {source_id}."
                )
            yield Listed(source_id=source_id, class_=class_, **values)
