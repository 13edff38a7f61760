"""Whatever chance makes of files and trees: no step falls over, and listed = kept + rejected + failed.

DAMAGED_FILES and ODD_SOURCES in the environment say how many are tried.
"""

import os

import numpy as np
import pytest

from stages.clean.run import run as clean
from stages.clean.settings import Clean
from stages.collect import folder
from stages.collect.run import Collect
from stages.collect.run import run as collect
from stages.core import params
from stages.core.tables import read_table
from stages.images.reading import read_pixels
from stages.sources.listed_image import is_hidden
from stages.sources.tree_layout import walk
from tests.corpus.damage import WHOLE, mutate, odd_source
from tests.corpus.files import FILES, draw

N_FILES = int(os.environ.get("DAMAGED_FILES", "300"))
N_SOURCES = int(os.environ.get("ODD_SOURCES", "60"))


@pytest.fixture(scope="module")
def settings(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return params.read(Collect, "collect"), params.read(Clean, "clean")


def test_every_damaged_file_is_kept_and_read_or_refused_with_a_reason(settings, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "source" / "things").mkdir(parents=True)
    for number in range(N_FILES):
        name = WHOLE[number % len(WHOLE)]
        content = FILES[name][0](draw(name))
        path = tmp_path / "source" / "things" / f"{number}"
        path.write_bytes(mutate(content, number // len(WHOLE) % 10, rng))
    collecting, cleaning = settings
    counts = collect(collecting.model_copy(update={"source": str(tmp_path / "source")}), tmp_path / "raw")
    assert counts["listed"] == N_FILES == counts["kept"]
    (tmp_path / "review.csv").write_text("image_id,decision,class,reason,time\n")
    counts = clean(cleaning, tmp_path / "raw", tmp_path / "review.csv", tmp_path / "clean")
    assert counts["listed"] == N_FILES == counts["kept"] + sum(counts["rejected"].values())
    kept, rejected = (read_table(tmp_path / "clean" / f"{name}.csv") for name in ("kept", "rejected"))
    assert sorted([*kept["source_id"], *rejected["source_id"]]) == sorted(f"things/{n}" for n in range(N_FILES))
    assert ((rejected["detail"] != "") | (rejected["twin"] != "")).all()
    for file in kept["file"]:
        assert read_pixels(tmp_path / "raw" / file, (8, 8), "none").shape == (8, 8, 3)


@pytest.mark.parametrize("seed", range(N_SOURCES))
def test_every_file_of_an_odd_source_is_collected_or_counted_or_one_line_says_why_none_is(seed, settings, tmp_path):
    (tmp_path / "source").mkdir()
    source = odd_source(seed)(tmp_path / "source")
    try:
        counts = collect(settings[0].model_copy(update={"source": str(source)}), tmp_path / "raw")
    except ValueError as error:
        assert "expected" in str(error)
        assert "\n" not in str(error)
        assert not (tmp_path / "raw").exists()
        return
    assert counts["listed"] == counts["kept"] + sum(counts["failed"].values())
    tables = [read_table(tmp_path / "raw" / f"{name}.csv") for name in ("images", "failures")]
    assert sum(map(len, tables)) == counts["listed"]
    if source.is_dir() and not (source / "images.csv").is_file():
        there = [folder.join(where, name) for where, names in walk(source) for name in names]
        assert counts["listed"] == sum(not is_hidden(file) for file in there)
