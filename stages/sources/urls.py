"""A CSV file of addresses, made by hand or by another program: url, and any of class and provenance."""

from collections.abc import Iterator
from pathlib import Path

from stages.core.files import read_table
from stages.core.params import Section
from stages.sources.listed_image import Listed
from stages.web.client import Client

COLUMNS = ("url", "class", "source_id", "title", "page_url", "author", "licence", "licence_url")


class Entry(Section):
    """One file; of one with a column `class`, the rows of the class that the entry stands under."""

    path: str


def listing(entry: Entry, class_: str, client: Client) -> Iterator[Listed]:
    """The file's rows, known by their addresses where they have no ids.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no table of addresses, or two of them have one id.
    """
    table = read_table(Path(entry.path))
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
