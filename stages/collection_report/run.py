"""Collection report: how large the collected images are, and what they look like, before anything is rejected."""

from pathlib import Path

from pydantic import Field

from stages.collection_report.extents import count_smaller, draw_extents, measure
from stages.core import params
from stages.core.files import read_table, replacing, write_table
from stages.images.sheets import draw_sheet
from stages.images.tiles import SIDE, one_by_one

COLUMNS = 10


class CollectionReport(params.Section):
    """The section `collection_report` of params.yaml."""

    input_sizes: list[int] = Field(min_length=1)
    per_class: int = Field(ge=1)


def run(settings: CollectionReport, raw: Path, target: Path) -> None:
    """The folder target holds `extents.png`, its numbers `smaller.csv`, and a sheet `sheets/<class>.png` of each class.

    What is no picture is a grey square on its sheet, and left out of the numbers.

    Raises:
        ValueError: not one header told its picture's sides.
    """
    images = read_table(raw / "images.csv")
    extents = measure(images)
    if extents.empty:
        raise ValueError(f"{raw / 'images.csv'}: expected images with a width and a height, got {len(images)} without.")
    smaller = count_smaller(extents, sorted(settings.input_sizes))
    with replacing(target) as folder:
        (folder / "sheets").mkdir(parents=True)
        write_table(smaller, folder / "smaller.csv")
        draw_extents(extents, smaller, folder / "extents.png")
        for name, rows in images.groupby("class"):
            section = one_by_one(name, "collected", rows, settings.per_class, raw)
            draw_sheet([section], folder / "sheets" / f"{name}.png", SIDE, COLUMNS)
