"""Every file of the table goes through `collect` and `clean`, with the project's own params."""

import numpy as np
import pytest

from stages.clean.run import run as clean
from stages.clean.settings import Clean
from stages.collect.run import Collect
from stages.collect.run import run as collect
from stages.core import params
from stages.core.tables import read_table
from stages.images.reading import read_pixels
from tests.corpus.files import FILES, GREY, KEPT, LINES, draw

HEIGHT, WIDTH = 48, 64
LARGEST_DIFFERENCE = 30  # of 255, the mean over all pixels; four greys reach 25, a negative or a hidden colour 80
LOOKS = {
    KEPT: lambda drawn: drawn,
    GREY: lambda drawn: drawn.convert("L"),
    LINES: lambda drawn: drawn.convert("L").point(lambda grey: 255 * (grey >= 128)),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, root):
    """Return {name: (what became of it, why, the path of its raw bytes)}."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "source" / "things").mkdir(parents=True)
    for name, (make, _) in FILES.items():
        (folder / "source" / "things" / name).write_bytes(make(draw(name)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        collecting = params.read(Collect, "collect").model_copy(update={"source": str(folder / "source")})
        cleaning = params.read(Clean, "clean").model_copy(update={"on_duplicate": "keep"})
        counts = collect(collecting, folder / "raw")
        assert (counts["listed"], counts["kept"]) == (len(FILES), len(FILES))
        (folder / "review.csv").write_text("image_id,decision,class,reason,time\n")
        counts = clean(cleaning, folder / "raw", folder / "review.csv", folder / "clean")
        assert counts["listed"] == len(FILES) == counts["kept"] + sum(counts["rejected"].values())
    tables = [read_table(folder / "clean" / f"{name}.csv") for name in ("kept", "rejected")]
    rows = [row for table in tables for row in table.assign(reason=table.get("reason", KEPT)).to_dict("records")]
    return {row["source_id"].removeprefix("things/"): (row["reason"], row.get("detail"), folder / "raw" / row["file"])
            for row in rows}  # fmt: skip


def in_table(name):
    """Return a name as tables have it, which hold no line end and nothing but Unicode."""
    return name.replace("\n", " ").replace("\udce9", " ")


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_kept_as_it_looks_or_refused_with_its_reason(name, outcomes):
    reason, detail, path = outcomes[in_table(name)]
    expected = FILES[name][1]
    assert reason == (KEPT if expected in LOOKS else expected), detail
    if reason == KEPT:
        shown = read_pixels(path, (HEIGHT, WIDTH), "none").astype(int)
        drawn = draw(name)
        assert np.abs(shown - np.asarray(LOOKS[expected](drawn).convert("RGB"))).mean() < LARGEST_DIFFERENCE
