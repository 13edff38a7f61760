"""Split: which images train, which choose, and which test."""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from stages.core import params
from stages.core.files import read_table, replacing, write_json, write_table
from stages.core.splits import DROPPED, NAMES, OnLeak, assign, keep_given, parse_ratios, straddling
from stages.core.terminal import command


class Split(params.Section):
    """The section `split` of params.yaml."""

    ratios: str
    seed: int = Field(ge=0)
    on_leak: OnLeak


def run(settings: Split, source: Path, target: Path) -> dict[str, Any]:
    """The counts, after the table target lists every image of the index with its class, group and split.

    Raises:
        ValueError: the ratios make no sense, or the images cannot fill them.
    """
    ratios = parse_ratios(settings.ratios)
    index = read_table(source)
    if ratios.is_given:
        split = keep_given(index, ratios, settings.seed, settings.on_leak)
    else:
        split = assign(index, ratios.shares, settings.seed)
    table = index[["image_id", "class", "group"]].assign(split=split)
    with replacing(target) as unfinished:
        write_table(table, unfinished)
    return count(table, len(straddling(index, split)))


def count(table: pd.DataFrame, n_straddling: int) -> dict[str, Any]:
    """How many images of each class each split has, and how many groups lie in several."""
    counts = pd.crosstab(table["split"], table["class"])
    shown = [name for name in (*NAMES, DROPPED) if name in counts.index]
    return {
        "listed": len(table),
        "groups_straddling": n_straddling,
        "classes": {name: counts.loc[name].to_dict() for name in shown},
    }


def main() -> None:
    """Split what has pixels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the table of images that have pixels")
    parser.add_argument("target", type=Path, help="the table of splits to write")
    parser.add_argument("metrics", type=Path, help="the counts to write, as JSON")
    arguments = parser.parse_args()
    write_json(run(params.read(Split, "split"), arguments.source, arguments.target), arguments.metrics)


if __name__ == "__main__":
    command(main)
